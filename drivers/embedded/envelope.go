package embedded

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/oms"
)

// NATS headers are lines of text in no order. What they cannot say stands in
// one header of ours, the envelope: fields of the form name=value, separated
// by semicolons, text percent-encoded, bytes in base64. Headers that NATS can
// carry stay NATS headers, so that its programs see them; the envelope lists
// all names in order, and the values of the others.
const envelopeHeader = "Oms"

// wardHeader is put before the names of headers that would steer the server.
const wardHeader = "oms-h-"

// The fields of an envelope.
const (
	fieldID          = "id"
	fieldKey         = "key"
	fieldBorn        = "born"
	fieldCorrelation = "corr"
	fieldTraceParent = "tp"
	fieldTraceState  = "ts"
	fieldExpires     = "exp"
	fieldPriority    = "prio"
	fieldNil         = "nil" // of the body: present for a tombstone
	fieldHeaders     = "h"
)

var errHeadersTooLarge = errors.New("key, headers and properties take more than 64 KiB together, which is what the server stores beside a body")

// A wrapping is what a message has on the wire besides its body. Room for the
// lane's own headers is left.
type wrapping struct {
	envelope string
	plain    nats.Header // that NATS can carry too; nil: none
}

// wrap makes the wrapping of a message.
func wrap(m *oms.Message) (w wrapping, err error) {
	var b strings.Builder
	text := func(name, value string) {
		if value != "" {
			b.WriteByte(';')
			b.WriteString(name)
			b.WriteByte('=')
			b.WriteString(url.PathEscape(value))
		}
	}
	b.WriteString("v=1")
	text(fieldID, m.ID)
	if m.Key != nil {
		b.WriteString(";" + fieldKey + "=" + base64.RawURLEncoding.EncodeToString(m.Key))
	}
	if !m.BornAt.IsZero() {
		b.WriteString(";" + fieldBorn + "=" + strconv.FormatInt(m.BornAt.UnixMilli(), 10))
	}
	text(fieldCorrelation, m.CorrelationID)
	text(fieldTraceParent, m.TraceParent)
	text(fieldTraceState, m.TraceState)
	if !m.ExpiresAt.IsZero() {
		b.WriteString(";" + fieldExpires + "=" + strconv.FormatInt(m.ExpiresAt.UnixMilli(), 10))
	}
	if m.Priority != 0 {
		b.WriteString(";" + fieldPriority + "=" + strconv.Itoa(m.Priority))
	}
	if m.Body == nil {
		b.WriteString(";" + fieldNil)
	}
	w.plain = encodeHeaders(&b, m.Headers)
	w.envelope = b.String()
	if n := w.size(); n > storedHeaderLimit-512 {
		return w, &oms.Error{Code: oms.ErrTooLarge, Err: fmt.Errorf("%w: %d bytes", errHeadersTooLarge, n)}
	}
	return w, nil
}

// encodeHeaders writes the list of headers: name for one that is a NATS
// header too, name:value for one that is not, name! for one without a value.
// It returns those that are.
func encodeHeaders(b *strings.Builder, hs oms.Headers) (plain nats.Header) {
	for i, h := range hs {
		if i == 0 {
			b.WriteString(";" + fieldHeaders + "=")
		} else {
			b.WriteByte(',')
		}
		b.WriteString(escapeName(h.Name))
		switch {
		case h.Value == nil:
			b.WriteByte('!')
		case plainName(h.Name) && plainValue(h.Value):
			if plain == nil {
				plain = make(nats.Header, len(hs))
			}
			name := warded(h.Name)
			plain[name] = append(plain[name], string(h.Value))
		default:
			b.WriteByte(':')
			b.WriteString(base64.RawURLEncoding.EncodeToString(h.Value))
		}
	}
	return plain
}

// decodeMessage fills in the message of a NATS message, whoever sent it.
func decodeMessage(out *oms.Message, m *nats.Msg) error {
	out.Body = m.Data
	envelopes := m.Header[envelopeHeader]
	if len(envelopes) == 0 {
		out.Headers = foreignHeaders(m.Header, nil)
		if out.Body == nil {
			out.Body = []byte{}
		}
		return nil
	}
	tombstone := false
	for field, rest, more := "", envelopes[0], true; more; {
		field, rest, more = strings.Cut(rest, ";")
		name, value, _ := strings.Cut(field, "=")
		var err error
		switch name {
		case fieldKey:
			out.Key, err = decodeBytes(value)
		case fieldBorn:
			out.BornAt, err = decodeTime(value)
		case fieldExpires:
			out.ExpiresAt, err = decodeTime(value)
		case fieldPriority:
			out.Priority, err = strconv.Atoi(value)
		case fieldNil:
			tombstone = true
		case fieldHeaders:
			out.Headers, err = decodeHeaders(value, m.Header)
		case fieldID:
			out.ID, err = url.PathUnescape(value)
		case fieldCorrelation:
			out.CorrelationID, err = url.PathUnescape(value)
		case fieldTraceParent:
			out.TraceParent, err = url.PathUnescape(value)
		case fieldTraceState:
			out.TraceState, err = url.PathUnescape(value)
		}
		if err != nil {
			return &oms.Error{Code: oms.ErrFormat, Err: fmt.Errorf("the envelope's field %s is damaged", name)}
		}
	}
	if out.Headers == nil {
		out.Headers = foreignHeaders(m.Header, nil)
	}
	switch {
	case tombstone:
		out.Body = nil
	case out.Body == nil:
		out.Body = []byte{}
	}
	return nil
}

func decodeBytes(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

func decodeTime(s string) (time.Time, error) {
	ms, err := strconv.ParseInt(s, 10, 64)
	return time.UnixMilli(ms), err
}

// size is how many bytes it takes on the wire.
func (w wrapping) size() int {
	n := len("NATS/1.0\r\n\r\n") + len(envelopeHeader) + len(w.envelope) + len(": \r\n")
	for name, values := range w.plain {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// plainName reports whether NATS can carry a header of that name as it is.
func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	lower := strings.ToLower(name)
	return name != "" && lower != strings.ToLower(envelopeHeader) && lower != "status" && lower != "description" &&
		!strings.HasPrefix(lower, wardHeader)
}

// plainValue reports whether NATS can carry a value as it is.
func plainValue(v []byte) bool {
	if len(v) == 0 || v[0] == ' ' || v[len(v)-1] == ' ' || !utf8.Valid(v) {
		return len(v) == 0
	}
	for _, c := range v {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// warded gives a name that would steer the server one that does not.
func warded(name string) string {
	if strings.HasPrefix(strings.ToLower(name), "nats-") {
		return wardHeader + name
	}
	return name
}

// escapeName encodes a name so that it has none of the list's own characters.
func escapeName(name string) string {
	return strings.NewReplacer(",", "%2C", ";", "%3B", ":", "%3A", "!", "%21", "=", "%3D").Replace(url.PathEscape(name))
}
