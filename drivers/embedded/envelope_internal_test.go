package embedded

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/oms"
)

func FuzzMessagesSurvive(f *testing.F) {
	f.Add("id", []byte("key"), []byte("body"), "name", []byte("value"), "Nats-Msg-Id", []byte("\x00"), "c;=%", int64(5), byte(0))
	f.Add("", []byte{}, []byte{}, "a", []byte{}, "A", []byte(" x "), "", int64(-1), byte(0xff))
	f.Add(";", []byte("\xff"), []byte{0}, "oms-h-x", []byte("é"), "x,y:z!", []byte("\r\n"), "\n", int64(0), byte(3))
	f.Fuzz(func(t *testing.T, id string, key, body []byte, name1 string, value1 []byte, name2 string, value2 []byte, text string, born int64, absent byte) {
		if name1 == "" || name2 == "" {
			return // the front refuses them
		}
		in := &oms.Message{
			Topic: "t", ID: id, Key: key, Body: body, CorrelationID: text, TraceParent: id, TraceState: text, Priority: int(absent % 11),
			Headers: oms.Headers{{Name: name1, Value: value1}, {Name: name2, Value: value2}, {Name: name1, Value: value2}},
		}
		if born %= 1 << 50; born != 0 {
			in.BornAt, in.ExpiresAt = time.UnixMilli(born), time.UnixMilli(born+1)
		}
		for i, b := range []*[]byte{&in.Key, &in.Body, &in.Headers[0].Value, &in.Headers[1].Value} {
			if absent&(1<<i) != 0 {
				*b = nil
			} else if *b == nil {
				*b = []byte{}
			}
		}
		wrapped, err := wrap(in)
		if errors.Is(err, oms.ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		// What the client does on the way: headers as lines of text.
		wire := &nats.Msg{Subject: "t.0", Header: nats.Header{nats.MsgIdHdr: {"lane.1"}, envelopeHeader: {wrapped.envelope}}, Data: in.Body}
		maps.Copy(wire.Header, wrapped.plain)
		var out oms.Message
		if err := decodeMessage(&out, overTheWire(t, wire)); err != nil {
			t.Fatal(err)
		}
		same := func(what string, a, b []byte) {
			if !bytes.Equal(a, b) || (a == nil) != (b == nil) {
				t.Errorf("%s: %q became %q", what, a, b)
			}
		}
		same("key", in.Key, out.Key)
		same("body", in.Body, out.Body)
		if len(out.Headers) != 3 {
			t.Fatalf("headers %q became %q", in.Headers, out.Headers)
		}
		for i, h := range out.Headers {
			same("header "+h.Name, in.Headers[i].Value, h.Value)
			if h.Name != in.Headers[i].Name {
				t.Errorf("header %q became %q", in.Headers[i].Name, h.Name)
			}
		}
		if out.ID != in.ID || out.CorrelationID != in.CorrelationID || out.TraceParent != in.TraceParent || out.TraceState != in.TraceState ||
			out.Priority != in.Priority || !out.BornAt.Equal(in.BornAt) || !out.ExpiresAt.Equal(in.ExpiresAt) {
			t.Errorf("%+v became %+v", in, out)
		}
	})
}

// overTheWire writes the headers as lines and reads them as the client does.
func overTheWire(t *testing.T, m *nats.Msg) *nats.Msg {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("NATS/1.0\r\n")
	for name, values := range m.Header {
		if strings.ContainsAny(name, "\r\n:") {
			t.Fatalf("a header is named %q", name)
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n") {
				t.Fatalf("the header %s has the value %q", name, v)
			}
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	b.WriteString("\r\n")
	header, err := nats.DecodeHeadersMsg(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return &nats.Msg{Subject: m.Subject, Header: header, Data: m.Data}
}

func TestDamagedEnvelopesAreToldFromForeignMessages(t *testing.T) {
	for _, envelope := range []string{
		"v=1;key=!", "v=1;born=x", "v=1;exp=1e3", "v=1;prio=high", "v=1;id=%", "v=1;h=a", "v=1;h=a:*", "v=1;h=%zz!", "v=1;corr=%1", "v=1;tp=%", "v=1;ts=%",
	} {
		err := decodeMessage(new(oms.Message), &nats.Msg{Header: nats.Header{envelopeHeader: {envelope}}})
		if !errors.Is(err, oms.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", envelope, err)
		}
	}
	// A field of a later release is no damage.
	var m oms.Message
	err := decodeMessage(&m, &nats.Msg{Header: nats.Header{envelopeHeader: {"v=1;new=5;id=x"}, "Added": {"later"}}})
	if err != nil || m.ID != "x" || m.Headers.Text("Added") != "later" {
		t.Errorf("got %+v, %v", m, err)
	}
}
