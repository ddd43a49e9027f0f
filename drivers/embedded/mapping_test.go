package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// weird are strings that get lost or do harm where they are not encoded.
var weird = []string{
	"a", "Simple-Name", "lower_case", "mit Leerzeichen", " leading", "trailing ", "tab\there", "line\r\nInjected: yes", "ünïcode", "日本語",
	"emoji 🙂", "semi;colon", "com,ma", "col:on", "bang!", "eq=ual", "per%cent", "%41", "quote\"", "back\\slash", "nul\x00byte", "\xff\xfe",
	"Status", "Description", "Oms", "oms", "oms-h-x", "Oms-H-Nats-Msg-Id", strings.Repeat("long", 200),
}

// steering are the headers that mean something to the server.
var steering = []string{
	"Nats-Msg-Id", "Nats-Expected-Last-Msg-Id", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Stream",
	"Nats-Rollup", "Nats-TTL", "Nats-Incr", "Nats-Batch-Id", "Nats-Batch-Commit", "Nats-Required-Api-Level", "Nats-Schedule", "nats-msg-id",
}

// sameBytes tells nil from empty, and is quick.
var sameBytes = cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) })

func TestEveryFieldOfAMessageSurvives(t *testing.T) {
	var repeated, many, strange, reserved, binary oms.Headers
	for i := range 5 {
		repeated = append(repeated, oms.Header{Name: "r", Value: fmt.Append(nil, i)}, oms.Header{Name: "R", Value: []byte{byte(i)}})
	}
	for i := range 100 {
		many = append(many, oms.Header{Name: fmt.Sprintf("h%d", i%70), Value: fmt.Append(nil, i)})
	}
	for _, s := range weird {
		strange = append(strange, oms.Header{Name: s, Value: []byte(s)}, oms.Header{Name: s}, oms.Header{Name: s, Value: []byte{}})
	}
	for _, s := range steering {
		reserved = append(reserved, oms.Header{Name: s, Value: []byte("all")}, oms.Header{Name: s, Value: []byte("7")})
	}
	for i := range 256 {
		binary = append(binary, oms.Header{Name: "b", Value: []byte{byte(i)}}, oms.Header{Name: "n" + string(rune('0'+i%10)), Value: []byte{'x', byte(i), 'x'}})
	}
	born := time.UnixMilli(1_700_000_000_123)
	tests := map[string]*oms.Message{
		"tombstone":   {ID: "1", Key: []byte("k")},
		"empty body":  {ID: "2", Key: []byte{}, Body: []byte{}},
		"one byte":    {ID: "3", Body: []byte{0}},
		"not text":    {ID: "4", Body: []byte{0xff, 0, 0xfe}, Key: []byte{0, 0xff, '.'}},
		"large":       {ID: "5", Body: bytes.Repeat([]byte{1, 2, 3, 4}, 256<<10)},
		"properties":  {ID: "6 ;=%,", Body: []byte("x"), BornAt: born, CorrelationID: "corr;1", TraceParent: "00-ab-cd-01", TraceState: "a=b,c=d"},
		"expiry":      {ID: "7", Body: []byte("x"), ExpiresAt: time.Now().Add(time.Hour).Truncate(time.Millisecond)},
		"repeated":    {ID: "8", Body: []byte("x"), Headers: repeated},
		"hundred":     {ID: "9", Body: []byte("x"), Headers: many},
		"weird":       {ID: "10", Body: []byte("x"), Headers: strange},
		"reserved":    {ID: "11", Body: []byte("x"), Headers: reserved},
		"binary":      {ID: "12", Body: []byte("x"), Headers: binary},
		"born before": {ID: "13", Body: []byte("x"), BornAt: time.UnixMilli(-5)},
	}
	c := open(t, pointOf(t.TempDir()))
	p := newProducer(t, c)
	for name, sent := range tests {
		t.Run(name, func(t *testing.T) {
			topic := strings.ReplaceAll(name, " ", ".")
			createTopic(t, c, topic, 1)
			sent.Topic = topic
			want := sent.Clone()
			send(t, p, sent)
			pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: "g"})
			got := receive(t, pc, 1)[0]
			if want.BornAt.IsZero() { // the producer filled it in
				want.BornAt = sent.BornAt.Truncate(time.Millisecond)
			}
			want.Offset, want.Deliveries = 1, 1
			if diff := cmp.Diff(want, got, sameBytes, cmpopts.IgnoreFields(oms.Message{}, "Receipt"), cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
				t.Errorf("-sent +received:\n%s", diff)
			}
			// What was received can be sent again unchanged.
			again := got.Clone()
			send(t, p, again)
			echo := receive(t, pc, 1)[0]
			want.Offset = 2
			if diff := cmp.Diff(want, echo, sameBytes, cmpopts.IgnoreFields(oms.Message{}, "Receipt"), cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
				t.Errorf("-sent +received again:\n%s", diff)
			}
		})
	}
}

// native connects as a NATS program would, through the endpoint file.
func native(t *testing.T, dir string) *nats.Conn {
	t.Helper()
	text, err := embedded.Endpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+ap.Hosts[0], nats.UserInfo(ap.User, ap.Password.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestNATSProgramsSeeHeadersAndAreSeen(t *testing.T) {
	dir := t.TempDir()
	c := open(t, pointOf(dir))
	createTopic(t, c, "shop.orders", 1)
	nc := native(t, dir)
	sub, err := nc.SubscribeSync("shop.orders.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	p := newProducer(t, c)
	send(t, p, &oms.Message{Topic: "shop.orders", Body: []byte("out"), Headers: oms.Headers{{Name: "Kind", Value: []byte("a b")}, {Name: "Nats-TTL", Value: []byte("1s")}}})
	m, err := sub.NextMsg(bound)
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Kind") != "a b" || m.Header.Get("oms-h-Nats-TTL") != "1s" || m.Header.Get("Nats-TTL") != "" || string(m.Data) != "out" {
		t.Errorf("a NATS program received %q with %v", m.Data, m.Header)
	}
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	in := &nats.Msg{Subject: "shop.orders.0", Data: []byte("in"), Header: nats.Header{"B": {"2", "3"}, "A": {"1"}, "Nats-Msg-Id": {"theirs"}}}
	if _, err := js.PublishMsg(in); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(&nats.Msg{Subject: "shop.orders.0"}); err != nil {
		t.Fatal(err)
	}
	got := receive(t, newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"shop.orders"}, Group: "g"}), 3)
	want := oms.Headers{{Name: "A", Value: []byte("1")}, {Name: "B", Value: []byte("2")}, {Name: "B", Value: []byte("3")}, {Name: "Nats-Msg-Id", Value: []byte("theirs")}}
	if diff := cmp.Diff(want, got[1].Headers); diff != "" || string(got[1].Body) != "in" {
		t.Errorf("received from a NATS program %q with -want +got:\n%s", got[1].Body, diff)
	}
	if got[2].Body == nil || len(got[2].Body) != 0 || got[2].Headers != nil {
		t.Errorf("an empty NATS message became %q with %v", got[2].Body, got[2].Headers)
	}
}

func TestTwoMessagesWithOneIDAreTwo(t *testing.T) {
	c := open(t, pointOf(t.TempDir()))
	createTopic(t, c, "t", 1)
	send(t, newProducer(t, c), &oms.Message{Topic: "t", ID: "same", Body: []byte("a")}, &oms.Message{Topic: "t", ID: "same", Body: []byte("b")})
	got := bodies(receive(t, newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"}), 2))
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsTooLargeIsRefusedAndTheRestIsSent(t *testing.T) {
	c := open(t, pointOf(t.TempDir(), "max.message.bytes", "100000"))
	createTopic(t, c, "t", 1)
	p := newProducer(t, c)
	exact := &oms.Message{Topic: "t", Body: make([]byte, 100_000), Headers: oms.Headers{{Name: "h", Value: bytes.Repeat([]byte("v"), 40_000)}}}
	send(t, p, exact)
	for name, m := range map[string]*oms.Message{
		"body":    {Topic: "t", Body: make([]byte, 100_001)},
		"headers": {Topic: "t", Headers: oms.Headers{{Name: "h", Value: make([]byte, 60_000)}}},
		"key":     {Topic: "t", Key: make([]byte, 70_000)},
	} {
		if err := p.Send(testContext(t), m); !errors.Is(err, oms.ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrTooLarge", name, err)
		}
	}
	send(t, p, numbered("t", 0, 1)...)
	receive(t, newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"}), 2)
}
