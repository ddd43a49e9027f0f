package rocketmq

import (
	"encoding/base64"
	"fmt"
	"net/url"
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

// wrap returns the properties and the body that a message has at the broker.
func wrap(m *oms.Message) (properties map[string]string, body []byte, err error) {
	var b strings.Builder
	text := func(name, value string) {
		if value != "" {
			b.WriteString(";" + name + "=" + url.PathEscape(value))
		}
	}
	stamp := func(name string, at time.Time) {
		if !at.IsZero() {
			b.WriteString(";" + name + "=" + strconv.FormatInt(at.UnixMilli(), 10))
		}
	}
	b.WriteString("v=1")
	text(fieldID, m.ID)
	if m.Key != nil {
		b.WriteString(";" + fieldKey + "=" + base64.RawURLEncoding.EncodeToString(m.Key))
	}
	stamp(fieldBorn, m.BornAt)
	text(fieldCorrelation, m.CorrelationID)
	text(fieldTraceParent, m.TraceParent)
	text(fieldTraceState, m.TraceState)
	stamp(fieldExpires, m.ExpiresAt)
	body = m.Body
	switch {
	case body == nil:
		b.WriteString(";" + fieldNil)
		body = []byte(placeholder)
	case len(body) == 0:
		b.WriteString(";" + fieldEmpty)
		body = []byte(placeholder)
	}
	properties = make(map[string]string, len(m.Headers)+3)
	encodeHeaders(&b, m.Headers, properties)
	properties[envelopeProperty] = b.String()
	if key := string(m.Key); plainValue(key) && !strings.Contains(key, primitive.PropertyKeySeparator) {
		properties[primitive.PropertyKeys] = key
	}
	if n := propertiesSize(properties); n > mostProperties {
		return nil, nil, fmt.Errorf("%w: key, headers and properties take %d bytes together, the broker stores at most %d beside a body", oms.ErrTooLarge, n, mostProperties)
	}
	return properties, body, nil
}

// encodeHeaders writes the list of headers: name for one that is a property
// too, name:value for one that is not, name! for one without a value.
func encodeHeaders(b *strings.Builder, hs oms.Headers, properties map[string]string) {
	for i, h := range hs {
		if i == 0 {
			b.WriteString(";" + fieldHeaders + "=")
		} else {
			b.WriteByte(',')
		}
		b.WriteString(escapeName(h.Name))
		name := warded(h.Name)
		_, taken := properties[name]
		switch {
		case h.Value == nil:
			b.WriteByte('!')
		case !taken && plainName(h.Name) && plainValue(string(h.Value)):
			properties[name] = string(h.Value)
		default:
			b.WriteByte(':')
			b.WriteString(base64.RawURLEncoding.EncodeToString(h.Value))
		}
	}
}

func propertiesSize(properties map[string]string) int {
	n := 0
	for name, value := range properties {
		n += len(name) + len(value) + 2
	}
	return n
}

// plainName reports whether a property may have that name, warded if it has to
// be.
func plainName(name string) bool {
	return plainValue(name) && !strings.HasPrefix(strings.ToLower(name), wardPrefix)
}

// plainValue reports whether a property keeps a value as it is.
func plainValue(v string) bool {
	if v == "" || !utf8.ValidString(v) {
		return false
	}
	return strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// escapeName encodes a name so that it has none of the list's own characters.
func escapeName(name string) string {
	return strings.NewReplacer(",", "%2C", ";", "%3B", ":", "%3A", "!", "%21", "=", "%3D").Replace(url.PathEscape(name))
}
