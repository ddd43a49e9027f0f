package broker

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// same reports whether two messages carry the same; nil differs from empty.
func same(a, b *oms.Message) bool {
	if len(a.Headers) != len(b.Headers) || (a.Headers == nil) != (b.Headers == nil) {
		return false
	}
	for i, h := range a.Headers {
		if h.Name != b.Headers[i].Name || !exact(h.Value, b.Headers[i].Value) {
			return false
		}
	}
	return a.ID == b.ID && a.Topic == b.Topic && exact(a.Key, b.Key) && exact(a.Body, b.Body) && a.BornAt.Equal(b.BornAt) &&
		a.CorrelationID == b.CorrelationID && a.TraceParent == b.TraceParent && a.TraceState == b.TraceState &&
		a.ExpiresAt.Equal(b.ExpiresAt) && a.Priority == b.Priority
}

func exact(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// unlessEmpty gives the fuzzer a way to nil.
func unlessEmpty(b []byte, isNil bool) []byte {
	if isNil {
		return nil
	}
	return append([]byte{}, b...)
}

func FuzzEnvelopeRoundTrip(f *testing.F) {
	f.Add("id", "topic", []byte("key"), []byte("body"), "name", []byte("value"), int64(946684801005), "correlation", "tp", "ts", 3, byte(0))
	f.Add("", "\xff", []byte{}, []byte{0xff, 0}, "\x00\"<&>\u2028", []byte{}, int64(0), "\xed\xa0\x80", "\\", "é", 0, byte(0xff))
	f.Add("\ufffd", "t", []byte(`{"base64":"AA=="}`), []byte("null"), "", []byte("\n\t\r"), int64(-1), "", "", "", 10, byte(0x0f))
	f.Fuzz(func(t *testing.T, id, topic string, key, body []byte, name string, value []byte, ms int64, correlation, parent, state string, priority int, how byte) {
		m := &oms.Message{
			ID: id, Topic: topic, Key: unlessEmpty(key, how&1 > 0), Body: unlessEmpty(body, how&2 > 0),
			CorrelationID: correlation, TraceParent: parent, TraceState: state, Priority: priority,
		}
		if how&4 > 0 {
			m.Headers = oms.Headers{{Name: name, Value: unlessEmpty(value, how&8 > 0)}, {Name: name}, {Name: "other", Value: key}}
		}
		if how&16 > 0 {
			m.Headers = oms.Headers{}
		}
		if how&32 > 0 {
			m.BornAt = time.UnixMilli(ms)
		}
		if how&64 > 0 {
			m.ExpiresAt = time.UnixMilli(ms + 1)
		}
		text := encodeEnvelope(m)
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON", text)
		}
		got, err := decodeEnvelope(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !same(got, m) {
			t.Errorf("%+v became %+v by %q", m, got, text)
		}
	})
}

func FuzzEnvelopeDecode(f *testing.F) {
	for _, text := range []string{
		`{"oms.envelope":1,"key":null,"body":"b","headers":[["a",{"base64":"/w=="}],["a",null]],"born":1}`,
		`{"oms.envelope":1}`, `{"oms.envelope":1,"id":{"base64":null}}`, `[]`, `null`, ``, `{"oms.envelope":1}{}`, `{"oms.envelope":1,"headers":[[]]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := decodeEnvelope(text)
		if err != nil {
			return
		}
		again, err := decodeEnvelope(encodeEnvelope(m))
		if err != nil || !same(m, again) {
			t.Errorf("%q is %+v, which becomes %+v, %v", text, m, again, err)
		}
	})
}
