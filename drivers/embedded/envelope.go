package embedded

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

// NATS headers are lines of text in no order. What they cannot say stands in
// one header of ours.
const envelopeHeader = "Oms"

var errHeadersTooLarge = errors.New("key, headers and properties take more than 64 KiB together, which is what the server stores beside a body")

// A wrapping is what a message has on the wire besides its body. Room for the
// lane's own headers is left.
type wrapping struct {
	envelope string
	plain    nats.Header // that NATS can carry too; nil: none
}

// wrap makes the wrapping of a message.
func wrap(m *oms.Message) (w wrapping, err error) {
	var short [256]byte
	e := envelope.Append(short[:0], m)
	if m.Body == nil {
		e = envelope.AppendBody(e, envelope.Nil)
	}
	e = envelope.AppendHeaders(e, m.Headers, func(i int) bool {
		h := m.Headers[i]
		if !plainName(h.Name) || !plainValue(h.Value) {
			return false
		}
		if w.plain == nil {
			w.plain = make(nats.Header, len(m.Headers))
		}
		name := warded(h.Name)
		w.plain[name] = append(w.plain[name], string(h.Value))
		return true
	})
	w.envelope = string(e)
	if n := w.size(); n > storedHeaderLimit-512 {
		return w, &oms.Error{Code: oms.ErrTooLarge, Err: fmt.Errorf("%w: %d bytes", errHeadersTooLarge, n)}
	}
	return w, nil
}

// decodeMessage fills in the message of a NATS message, whoever sent it.
func decodeMessage(out *oms.Message, m *nats.Msg) error {
	out.Body = m.Data
	if out.Body == nil {
		out.Body = []byte{}
	}
	var taken map[string]int // of the headers of a name, how many the envelope lists
	if envelopes := m.Header[envelopeHeader]; len(envelopes) > 0 {
		err := envelope.Read(out, envelopes[0], func(name string) ([]byte, bool) {
			if taken == nil {
				taken = make(map[string]int)
			}
			at := warded(name)
			n := taken[at]
			taken[at]++
			if values := m.Header[at]; n < len(values) {
				return []byte(values[n]), true
			}
			return nil, false
		})
		if err != nil {
			return err
		}
	}
	out.Headers = append(out.Headers, foreignHeaders(m.Header, taken)...)
	return nil
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
		!envelope.Warded(name)
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
		return envelope.Ward + name
	}
	return name
}
