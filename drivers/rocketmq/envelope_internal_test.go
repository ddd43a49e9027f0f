package rocketmq

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

// read reads properties off the wire as the client library does, and sees to it
// that no name is there twice and that nothing is lost.
func read(t *testing.T, onWire []byte) map[string]string {
	t.Helper()
	var arrived primitive.Message
	arrived.UnmarshalProperties(onWire)
	properties := arrived.GetProperties()
	if n := strings.Count(string(onWire), "\x01"); n != len(properties) || n != strings.Count(string(onWire), "\x02") {
		t.Errorf("of %d properties %d arrive: %q", n, len(properties), onWire)
	}
	return properties
}

func TestWrappedMessagesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_123)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, m := range map[string]oms.Message{
		"nothing":    {},
		"empty":      {Body: []byte{}, Key: []byte{}},
		"everything": {ID: "a;b=c,d", Body: every, Key: every, BornAt: at, ExpiresAt: at, CorrelationID: "ü %", TraceParent: "00-1", TraceState: "a=b,c=d"},
		"headers": {Body: []byte("x"), Headers: oms.Headers{
			{Name: "plain", Value: []byte("text")},
			{Name: "twice", Value: []byte("1")},
			{Name: "twice", Value: []byte("2")},
			{Name: "nil"},
			{Name: "empty", Value: []byte{}},
			{Name: "bytes", Value: every},
			{Name: "cut", Value: []byte("a\x01b\x02c")},
			{Name: "na\x01me\x02,;:!=%", Value: []byte("v")},
			{Name: "", Value: []byte("no name")},
			{Name: "oms-h-TAGS", Value: []byte("v")},
			{Name: "TAGS", Value: []byte("t")},
			{Name: "delay", Value: []byte("18")},
			{Name: "OMS", Value: []byte("v=1")},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onWire, body, err := wrap(&m, "")
			if err != nil {
				t.Fatal(err)
			}
			properties := read(t, onWire)
			if len(body) == 0 {
				t.Error("the body is empty, and brokers refuse that")
			}
			for name, value := range properties {
				if value == "" || strings.ContainsAny(name+value, "\x01\x02") {
					t.Errorf("property %q=%q does not arrive", name, value)
				}
			}
			var got oms.Message
			if err := unwrap(&got, properties, body, at, ""); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, got, cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
				t.Errorf("(-sent +received):\n%s", diff)
			}
		})
	}
}

func TestNoHeaderBecomesAPropertyThatSteers(t *testing.T) {
	t.Parallel()
	names := append(reservedHeaders(), "tags", "Delay", "timer_deliver_ms", "pop_ck", "__anything")
	for _, name := range names {
		onWire, _, err := wrap(&oms.Message{Body: []byte("x"), Headers: oms.Headers{{Name: name, Value: []byte("1")}}}, "")
		if err != nil {
			t.Fatal(err)
		}
		properties := read(t, onWire)
		if v, there := properties[name]; there && name != envelopeProperty {
			t.Errorf("header %s is the property %s=%s", name, name, v)
		}
		if properties[envelope.Ward+name] != "1" {
			t.Errorf("header %s does not travel as %s", name, envelope.Ward+name)
		}
	}
}

func TestAKeyThatIsTextCanBeLookedUp(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{"order-7": "order-7", "two words": "", "\x00": "", "": ""} {
		onWire, _, err := wrap(&oms.Message{Key: []byte(key)}, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, onWire)[primitive.PropertyKeys]; got != want {
			t.Errorf("key %q gives KEYS %q, want %q", key, got, want)
		}
	}
}

func TestPropertiesThatTheBrokerWouldCutAreTooLarge(t *testing.T) {
	t.Parallel()
	m := oms.Message{Headers: oms.Headers{{Name: "h", Value: []byte(strings.Repeat("x", 32<<10))}}}
	if _, _, err := wrap(&m, ""); !errors.Is(err, oms.ErrTooLarge) {
		t.Errorf("32 KiB of headers: %v, want ErrTooLarge", err)
	}
}

func TestForeignMessagesHaveTheirPropertiesAsHeaders(t *testing.T) {
	t.Parallel()
	born := time.UnixMilli(5)
	var got oms.Message
	err := unwrap(&got, map[string]string{"b": "2", "a": "1", "TAGS": "t", "KEYS": "k", "UNIQ_KEY": "u", "WAIT": "true"}, []byte("x"), born, "")
	if err != nil {
		t.Fatal(err)
	}
	want := oms.Message{
		Key: []byte("k"), Body: []byte("x"), BornAt: born,
		Headers: oms.Headers{{Name: "TAGS", Value: []byte("t")}, {Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADamagedEnvelopeIsNoticed(t *testing.T) {
	t.Parallel()
	for _, envelope := range []string{"v=1;key=%", "v=1;born=soon", "v=1;exp=x", "v=1;h=a:%", "v=1;h=gone", "v=1;id=%zz"} {
		var m oms.Message
		if err := unwrap(&m, map[string]string{envelopeProperty: envelope}, nil, time.Time{}, ""); !errors.Is(err, oms.ErrFormat) {
			t.Errorf("envelope %s: %v, want ErrFormat", envelope, err)
		}
	}
}
