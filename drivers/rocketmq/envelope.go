package rocketmq

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

// RocketMQ's properties are a map of non-empty text without the bytes 1 and 2.
// What they cannot say stands in one property of ours.
const envelopeProperty = "OMS"

// mostProperties is what the broker takes of properties in bytes: their length
// is a signed number of 16 bits. It adds some of its own.
const mostProperties = 32767 - 1024

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
	e := envelope.Append(short[:0], m)
	body = m.Body
	switch {
	case body == nil:
		e, body = envelope.AppendBody(e, envelope.Nil), []byte(placeholder)
	case len(body) == 0:
		e, body = envelope.AppendBody(e, envelope.Empty), []byte(placeholder)
	}
	properties = make([]byte, 0, len(e)+64)
	hs := m.Headers
	e = envelope.AppendHeaders(e, hs, func(i int) bool {
		h := hs[i]
		if !isProperty(h) || slices.ContainsFunc(hs[:i], func(before oms.Header) bool { return before.Name == h.Name && isProperty(before) }) {
			return false
		}
		properties = appendProperty(properties, warded(h.Name), h.Value)
		return true
	})
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

func appendProperty[V string | []byte](properties []byte, name string, value V) []byte {
	properties = append(append(properties, name...), nameEnd)
	return append(append(properties, value...), valueEnd)
}

// isProperty reports whether a property can carry the header.
func isProperty(h oms.Header) bool { return plainName(h.Name) && plainValue(h.Value) }

// plainName reports whether a property may have that name, warded if it has to
// be.
func plainName(name string) bool {
	return plainText(name) && !envelope.Warded(name)
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
