package rocketmq

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/oms"
)

// FuzzEnvelope sends whatever there is on its way to the wire and back. Nothing
// is lost, nothing steers, and nothing takes the place of something else.
func FuzzEnvelope(f *testing.F) {
	f.Add("id", []byte("key"), []byte("body"), "corr", "name", []byte("value"), "name", []byte("again"), int64(5), "")
	f.Add("", []byte(nil), []byte(nil), "", "", []byte(nil), "TAGS", []byte("red"), int64(0), "TAGS")
	f.Add("a;b=c", []byte{}, []byte{}, "%zz,", "a\x01b", []byte("x\x02y"), "oms-h-OMS", []byte(" "), int64(-1), "a\x01b")
	f.Add("\xff", []byte("two words"), []byte("-"), "=", "OMS", []byte("v=1;h=a"), "KEYS", []byte("k"), int64(1<<40), "KEYS")
	f.Add("ü", []byte("\x02"), []byte("x"), "!", "a!", []byte(""), "a:,", []byte("\x7f"), int64(1), "none")
	f.Fuzz(func(t *testing.T, id string, key, body []byte, corr, n1 string, v1 []byte, n2 string, v2 []byte, born int64, tag string) {
		if len(key) == 0 && born%2 == 0 { // the engine cannot make both
			key = nil
		}
		sent := oms.Message{
			ID: id, Key: key, Body: body, CorrelationID: corr,
			Headers: oms.Headers{{Name: n1, Value: v1}, {Name: n2, Value: v2}, {Name: n1, Value: v2}, {Name: n2}},
		}
		if born != 0 {
			sent.BornAt, sent.ExpiresAt = time.UnixMilli(born), time.UnixMilli(born).Add(time.Hour)
		}
		onWire, onWireBody, err := wrap(&sent, tag)
		if errors.Is(err, oms.ErrTooLarge) || errors.Is(err, oms.ErrInvalid) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(onWireBody) == 0 || len(onWire) > mostProperties {
			t.Errorf("brokers refuse a body of %d bytes with properties of %d", len(onWireBody), len(onWire))
		}
		properties := read(t, onWire)
		for name, value := range properties {
			if !utf8.ValidString(name+value) || name == "" || value == "" {
				t.Errorf("the property %q=%q does not arrive at a Java program", name, value)
			}
			if steers := steering[strings.ToUpper(name)]; steers && name != envelopeProperty && name != primitive.PropertyKeys && name != primitive.PropertyTags {
				t.Errorf("the property %s=%q steers", name, value)
			}
		}
		if want, _ := sent.Headers.Get(tag); tag == "" && properties[primitive.PropertyTags] != "" || tag != "" && properties[primitive.PropertyTags] != string(want) {
			t.Errorf("the tag is %q", properties[primitive.PropertyTags])
		}
		var got oms.Message
		if err := unwrap(&got, properties, onWireBody, time.UnixMilli(7), "other"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent, got, cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
			t.Errorf("(-sent +received):\n%s", diff)
		}
	})
}

// FuzzForeign reads what others have written, also into the property that is
// the driver's. A body and the headers arrive, or it is an error: never a panic.
func FuzzForeign(f *testing.F) {
	f.Add([]byte("a\x011\x02b\x012\x02"), []byte("x"))
	f.Add([]byte("OMS\x01v=1;key=;h=a,b:,c!\x02a\x011\x02"), []byte("x"))
	f.Add([]byte("OMS\x01;;;=;h\x02"), []byte(nil))
	f.Add([]byte("OMS\x01v=1;nil;void;born=9223372036854775807\x02"), []byte("x"))
	f.Add([]byte("\x01\x02\x01\x01\x02\x02"), []byte("x"))
	f.Add([]byte("TAGS\x01t\x02KEYS\x01k j\x02UNIQ_KEY\x01u"), []byte("x"))
	f.Fuzz(func(t *testing.T, onWire, body []byte) {
		var m primitive.Message
		m.UnmarshalProperties(onWire)
		var got oms.Message
		err := unwrap(&got, m.GetProperties(), body, time.UnixMilli(7), "colour")
		if err != nil && !errors.Is(err, oms.ErrFormat) {
			t.Fatalf("%v, want ErrFormat", err)
		}
		if _, ours := m.GetProperties()[envelopeProperty]; err != nil || ours {
			return
		}
		if got.Body == nil || !bytes.Equal(got.Body, body) || !got.BornAt.Equal(time.UnixMilli(7)) {
			t.Errorf("the body is %q, born at %v", got.Body, got.BornAt)
		}
		for _, h := range got.Headers {
			if bookkeeping[strings.ToUpper(h.Name)] {
				t.Errorf("%s is a header, and brokers write it by themselves", h.Name)
			}
		}
	})
}

// FuzzAnswer reads what may be no answer.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x06\x00\x00\x00\x02{}"))
	f.Add([]byte("\x00\x00\x00\x0a\x00\x00\x00\x02{}body"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x05\x00\x00\x00\x01["))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := readCommand(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := c.write(bufio.NewWriter(&out)); err != nil {
			t.Fatal(err)
		}
		again, err := readCommand(bufio.NewReader(&out))
		if err != nil {
			t.Fatalf("%+v was read, written, and is not read: %v", c, err)
		}
		if diff := cmp.Diff(c, again, cmp.AllowUnexported(command{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-read +read again):\n%s", diff)
		}
	})
}

// FuzzKeys quotes the keys of what brokers call JSON: what is JSON stays so,
// and stays the same.
func FuzzKeys(f *testing.F) {
	for _, in := range []string{`{0:"a",-1:{2:3}}`, `{"a":"{0:\"1\",2:"}`, `[1,2]`, `{"a`, `{1`, `{"\`, `{,1:2}`} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once := quoteKeys(in)
		if twice := quoteKeys(once); !bytes.Equal(once, twice) {
			t.Errorf("%q becomes %q, and that %q", in, once, twice)
		}
		var v any
		if decodeJSON(in, &v) == nil && v == nil && string(bytes.TrimSpace(in)) != "null" {
			t.Errorf("%q is read as nothing", in)
		}
	})
}
