package rocketmq

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// RocketMQ's properties are a map of non-empty text without the bytes 1 and 2.
// What they cannot say stands in one property of ours, the envelope: fields of
// the form name=value, separated by semicolons, text percent-encoded, bytes in
// base64. Headers that properties can carry stay properties, so that its
// programs see them; the envelope lists all names in order, and the values of
// the others.
const envelopeProperty = "OMS"

// wardPrefix is put before the names of headers that would steer the broker or
// a client of it.
const wardPrefix = "oms-h-"

// mostProperties is what the broker takes of properties in bytes: their length
// is a signed number of 16 bits. It adds some of its own.
const mostProperties = 32767 - 1024

// The fields of an envelope.
const (
	fieldID          = "id"
	fieldKey         = "key"
	fieldBorn        = "born"
	fieldCorrelation = "corr"
	fieldTraceParent = "tp"
	fieldTraceState  = "ts"
	fieldExpires     = "exp"
	fieldNil         = "nil"  // of the body: present for a tombstone
	fieldEmpty       = "void" // of the body: present for an empty one
	fieldHeaders     = "h"
)

// placeholder is the body of a message that has none: brokers refuse empty
// ones.
const placeholder = "-"

// What stands between the name of a property and its value, and behind that.
const (
	nameEnd  = '\x01'
	valueEnd = '\x02'
)

// wrap returns the properties, as they are on the wire, and the body that a
// message has at the broker. The value of the header that tagHeader names, if
// it names one, becomes the tag as well.
func wrap(m *oms.Message, tagHeader string) (properties, body []byte, err error) {
	tag, err := tagOf(m.Headers, tagHeader)
	if err != nil {
		return nil, nil, err
	}
	var short [256]byte
	e := append(short[:0], "v=1"...)
	e = appendText(e, fieldID, m.ID)
	if m.Key != nil {
		e = appendField(e, fieldKey)
		e = base64.RawURLEncoding.AppendEncode(append(e, '='), m.Key)
	}
	e = appendTime(e, fieldBorn, m.BornAt)
	e = appendText(e, fieldCorrelation, m.CorrelationID)
	e = appendText(e, fieldTraceParent, m.TraceParent)
	e = appendText(e, fieldTraceState, m.TraceState)
	e = appendTime(e, fieldExpires, m.ExpiresAt)
	body = m.Body
	switch {
	case body == nil:
		e, body = appendField(e, fieldNil), []byte(placeholder)
	case len(body) == 0:
		e, body = appendField(e, fieldEmpty), []byte(placeholder)
	}
	e, properties = encodeHeaders(e, m.Headers, make([]byte, 0, len(e)+64))
	properties = appendProperty(properties, envelopeProperty, e)
	if key := m.Key; plainValue(key) && !bytes.Contains(key, []byte(primitive.PropertyKeySeparator)) {
		properties = appendProperty(properties, primitive.PropertyKeys, key)
	}
	if tag != nil {
		properties = appendProperty(properties, primitive.PropertyTags, tag)
	}
	if n := len(properties); n > mostProperties {
		return nil, nil, fmt.Errorf("%w: key, headers and properties take %d bytes together, the broker stores at most %d beside a body", oms.ErrTooLarge, n, mostProperties)
	}
	return properties, body, nil
}

// encodeHeaders writes the list of headers to the envelope: name for one that
// is a property too, name:value for one that is not, name! for one without a
// value. It writes those that are properties.
func encodeHeaders(envelope []byte, hs oms.Headers, properties []byte) (e, ps []byte) {
	for i, h := range hs {
		if i == 0 {
			envelope = append(appendField(envelope, fieldHeaders), '=')
		} else {
			envelope = append(envelope, ',')
		}
		envelope = append(envelope, escapeName(h.Name)...)
		switch {
		case h.Value == nil:
			envelope = append(envelope, '!')
		case isProperty(h) && !slices.ContainsFunc(hs[:i], func(before oms.Header) bool { return before.Name == h.Name && isProperty(before) }):
			properties = appendProperty(properties, warded(h.Name), h.Value)
		default:
			envelope = base64.RawURLEncoding.AppendEncode(append(envelope, ':'), h.Value)
		}
	}
	return envelope, properties
}

func appendField(e []byte, name string) []byte { return append(append(e, ';'), name...) }

func appendText(e []byte, name, value string) []byte {
	if value == "" {
		return e
	}
	return append(append(appendField(e, name), '='), url.PathEscape(value)...)
}

func appendTime(e []byte, name string, at time.Time) []byte {
	if at.IsZero() {
		return e
	}
	return strconv.AppendInt(append(appendField(e, name), '='), at.UnixMilli(), 10)
}

func appendProperty[V string | []byte](properties []byte, name string, value V) []byte {
	properties = append(append(properties, name...), nameEnd)
	return append(append(properties, value...), valueEnd)
}

// isProperty reports whether a property can carry the header.
func isProperty(h oms.Header) bool { return plainName(h.Name) && plainValue(h.Value) }

// plainName reports whether a property may have that name, warded if it has to
// be.
func plainName(name string) bool {
	return plainText(name) && (len(name) < len(wardPrefix) || !strings.EqualFold(name[:len(wardPrefix)], wardPrefix))
}

// plainValue reports whether a property keeps a value as it is.
func plainValue(v []byte) bool {
	return len(v) > 0 && utf8.Valid(v) && !slices.ContainsFunc(v, isControl)
}

// plainText is plainValue for a string.
func plainText(v string) bool {
	if v == "" || !utf8.ValidString(v) {
		return false
	}
	for i := range len(v) {
		if isControl(v[i]) {
			return false
		}
	}
	return true
}

func isControl(c byte) bool { return c < ' ' || c == 0x7f }

// namesOwn are the characters that mean something in the list of headers.
var namesOwn = strings.NewReplacer(",", "%2C", ";", "%3B", ":", "%3A", "!", "%21", "=", "%3D")

// escapeName encodes a name so that it has none of the list's own characters.
func escapeName(name string) string { return namesOwn.Replace(url.PathEscape(name)) }
