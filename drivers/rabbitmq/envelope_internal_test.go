package rabbitmq

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

var now = time.UnixMilli(1_700_000_000_123)

// delivered is a message as the broker would hand it on.
func delivered(p amqp.Publishing) *amqp.Delivery {
	d := &amqp.Delivery{
		Headers: p.Headers, MessageId: p.MessageId, CorrelationId: p.CorrelationId,
		Timestamp: p.Timestamp.Truncate(time.Second), AppId: p.AppId, Expiration: p.Expiration, Body: p.Body,
	}
	if d.Body == nil {
		d.Body = []byte{}
	}
	return d
}

func roundTrip(t *testing.T, m *oms.Message) *oms.Message {
	t.Helper()
	p, err := encode(m, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Headers.Validate(); err != nil {
		t.Fatalf("AMQP cannot carry it: %v", err)
	}
	return decode(delivered(p), m.Topic)
}

func TestEveryPartOfAMessageArrives(t *testing.T) {
	t.Parallel()
	binary := []byte{0xff, 0, 0xfe}
	for name, m := range map[string]*oms.Message{
		"nothing":            {Body: []byte{}},
		"tombstone":          {Key: []byte("k")},
		"empty key and body": {Key: []byte{}, Body: []byte{}},
		"binary key":         {Key: binary, Body: binary},
		"properties": {
			ID: "an id", CorrelationID: "a correlation", TraceParent: "00-4bf9-00f0-01", TraceState: "a=b,c=d",
			BornAt: now, ExpiresAt: now.Add(time.Hour), Body: []byte("b"),
		},
		"before 1970":   {BornAt: time.UnixMilli(-5), Body: []byte{}},
		"far expiry":    {ExpiresAt: now.AddDate(100, 0, 0), Body: []byte{}},
		"past expiry":   {ExpiresAt: now.Add(-time.Hour), Body: []byte{}},
		"long id":       {ID: strings.Repeat("i", 300), CorrelationID: strings.Repeat("c", 300), Body: []byte{}},
		"id is no text": {ID: "\xff\xfe", CorrelationID: "\x80", Body: []byte{}},
		"headers": {Body: []byte{}, Headers: oms.Headers{
			{Name: "z", Value: []byte("last comes first")},
			{Name: "a", Value: binary},
			{Name: "none"},
			{Name: "empty", Value: []byte{}},
			{Name: "z", Value: []byte("again")},
			{Name: "Z", Value: []byte("another")},
			{Name: "z"},
			{Name: "z", Value: []byte{}},
		}},
		"odd names": {Body: []byte{}, Headers: oms.Headers{
			{Name: "com,ma", Value: []byte("1")},
			{Name: "col:on", Value: []byte("2")},
			{Name: "bang!"},
			{Name: "per%2Ccent", Value: []byte("3")},
			{Name: "\xff", Value: []byte("4")},
			{Name: strings.Repeat("n", 300), Value: []byte("5")},
			{Name: "ünïcode \n", Value: []byte("6")},
		}},
		"names of ours": {Key: []byte("k"), TraceParent: "p", Body: []byte{}, Headers: oms.Headers{
			{Name: "oms-key", Value: []byte("1")},
			{Name: "oms-seq", Value: []byte("2")},
			{Name: "traceparent", Value: []byte("3")},
			{Name: "oms-headers", Value: []byte("4")},
			{Name: "oms-h-CC", Value: []byte("5")},
			{Name: "OMS-Key", Value: []byte("6")},
		}},
		"names of the broker's": {Body: []byte{}, Headers: oms.Headers{
			{Name: "CC", Value: []byte("secret")},
			{Name: "BCC", Value: []byte("secret")},
			{Name: "user_id", Value: []byte("root")},
			{Name: "x-death", Value: []byte("d")},
			{Name: "x-first-death-queue", Value: []byte("q")},
			{Name: "x-delivery-count", Value: []byte("7")},
			{Name: "CC", Value: []byte("again")},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m.Topic = "t"
			got := roundTrip(t, m)
			if diff := cmp.Diff(m, got, cmpopts.IgnoreFields(oms.Message{}, "Deliveries"), cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
				t.Errorf("(-sent +received):\n%s", diff)
			}
		})
	}
}

func TestHeadersThatSteerTheBrokerTravelUnderAnotherName(t *testing.T) {
	t.Parallel()
	names := []string{"CC", "BCC", "cc", "user_id", "x-death", "x-death-2", "x-first-death-exchange", "x-last-death-reason", "x-delivery-count", "x-delay", "x-stream-offset"}
	var hs oms.Headers
	for _, name := range names {
		hs = append(hs, oms.Header{Name: name, Value: []byte("v")})
	}
	p, err := encode(&oms.Message{Headers: hs, Body: []byte{}}, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, ok := p.Headers[name]; ok {
			t.Errorf("%s is sent as it is", name)
		}
		if _, ok := p.Headers["oms-h-"+name]; !ok {
			t.Errorf("%s is not sent as oms-h-%[1]s", name)
		}
	}
	if p.UserId != "" {
		t.Errorf("the property user-id is %q", p.UserId)
	}
}

func TestNativeProgramsReadWhatIsText(t *testing.T) {
	t.Parallel()
	p, err := encode(&oms.Message{
		ID: "i", CorrelationID: "c", Key: []byte("a key"), Body: []byte("b"), BornAt: now, ExpiresAt: now.Add(1500 * time.Millisecond),
		Headers: oms.Headers{{Name: "colour", Value: []byte("blue")}},
	}, 7, now)
	if err != nil {
		t.Fatal(err)
	}
	want := amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: "i", CorrelationId: "c", Timestamp: now, AppId: "oms/123", Expiration: "1500", Body: []byte("b"),
		Headers: amqp.Table{
			"oms-key": "a key", "oms-expires": now.UnixMilli() + 1500, "oms-seq": int64(7),
			"colour": "blue", "oms-headers": "colour",
		},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Headers cost more than properties, so a message that needs none has none.
func TestAnOrdinaryMessageHasNoHeaders(t *testing.T) {
	t.Parallel()
	p, err := encode(&oms.Message{ID: "i", CorrelationID: "c", Body: []byte("b"), BornAt: now}, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Headers) > 0 {
		t.Errorf("it has %v", p.Headers)
	}
}

func TestTheTimeOfBirthIsKnownByTheMillisecond(t *testing.T) {
	t.Parallel()
	second := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		what string
		d    amqp.Delivery
		want time.Time
	}{
		{"none", amqp.Delivery{AppId: "oms/5"}, time.Time{}},
		{"another program's", amqp.Delivery{Timestamp: second, AppId: "shop"}, second},
		{"none is told", amqp.Delivery{Timestamp: second}, second},
		{"ours", amqp.Delivery{Timestamp: second, AppId: "oms/5"}, second.Add(5 * time.Millisecond)},
		{"no number", amqp.Delivery{Timestamp: second, AppId: "oms/x"}, second},
		{"more than a second", amqp.Delivery{Timestamp: second, AppId: "oms/1000"}, second},
		{"before the second", amqp.Delivery{Timestamp: second, AppId: "oms/-1"}, second},
		{"the header", amqp.Delivery{Timestamp: second, AppId: "oms/5", Headers: amqp.Table{headerBorn: int64(7)}}, time.UnixMilli(7)},
	} {
		if got := decode(&c.d, "t").BornAt; !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestMessagesOfOtherProgramsKeepTheirHeaders(t *testing.T) {
	t.Parallel()
	m := decode(&amqp.Delivery{
		Redelivered: true, MessageId: "i", Timestamp: now, Body: []byte("b"),
		Headers: amqp.Table{
			"text": "t", "bytes": []byte{0xff}, "number": int32(-5), "long": int64(1) << 40, "yes": true, "none": nil,
			"half": 0.5, "when": now.UTC(), "list": []any{"a", int32(1)}, "table": amqp.Table{"k": "v"}, "x-delivery-count": int64(2),
		},
	}, "t")
	want := oms.Headers{
		{Name: "bytes", Value: []byte{0xff}},
		{Name: "half", Value: []byte("0.5")},
		{Name: "list", Value: []byte(`["a",1]`)},
		{Name: "long", Value: []byte("1099511627776")},
		{Name: "none"},
		{Name: "number", Value: []byte("-5")},
		{Name: "table", Value: []byte(`{"k":"v"}`)},
		{Name: "text", Value: []byte("t")},
		{Name: "when", Value: []byte("2023-11-14T22:13:20Z")},
		{Name: "yes", Value: []byte("true")},
	}
	if diff := cmp.Diff(want, m.Headers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.Deliveries != 3 || m.ID != "i" || !m.BornAt.Equal(now) || m.Key != nil || !bytes.Equal(m.Body, []byte("b")) {
		t.Errorf("the message is %+v", m)
	}
}

func TestDeliveriesAreCountedByTheBroker(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    amqp.Delivery
		want int
	}{
		{amqp.Delivery{}, 1},
		{amqp.Delivery{Redelivered: true}, 2},
		{amqp.Delivery{Redelivered: true, Headers: amqp.Table{"x-delivery-count": int64(4)}}, 5},
		{amqp.Delivery{Redelivered: true, Headers: amqp.Table{"x-delivery-count": "many"}}, 2},
		{amqp.Delivery{Headers: amqp.Table{"x-delivery-count": int64(4)}}, 1}, // the publisher's
	} {
		m := decode(&c.d, "t")
		if m.Deliveries != c.want {
			t.Errorf("%+v: %d deliveries, want %d", c.d.Headers, m.Deliveries, c.want)
		}
	}
}

func TestADamagedListOfHeadersIsPassedOver(t *testing.T) {
	t.Parallel()
	want := oms.Headers{{Name: "a", Value: []byte("b")}, {Name: "CC", Value: []byte("c")}}
	for _, list := range []string{"missing", "a,missing", "a:%", "%zz", "a,", "!", ":YQ"} {
		m := decode(&amqp.Delivery{Headers: amqp.Table{headerList: list, "a": "b", envelope.Ward + "CC": "c"}}, "t")
		if diff := cmp.Diff(want, m.Headers); diff != "" {
			t.Errorf("%q (-want +got):\n%s", list, diff)
		}
	}
}

func TestHeadersThatFillAFrameAreTooLarge(t *testing.T) {
	t.Parallel()
	for _, m := range []*oms.Message{
		{Key: make([]byte, headerRoom)},
		{Headers: oms.Headers{{Name: "h", Value: make([]byte, headerRoom)}}},
		{ID: strings.Repeat("i", headerRoom)},
		{Headers: make(oms.Headers, headerRoom)},
	} {
		if _, err := encode(m, 1, now); !errors.Is(err, oms.ErrTooLarge) {
			t.Errorf("%d bytes: %v, want %v", m.Size(), err, oms.ErrTooLarge)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("name", []byte("value"), "CC", []byte{0xff}, true)
	f.Add("oms-key", []byte{}, "oms-key", []byte("x"), false)
	f.Fuzz(func(t *testing.T, name1 string, value1 []byte, name2 string, value2 []byte, none bool) {
		if name1 == "" || name2 == "" {
			return // refused before
		}
		hs := oms.Headers{{Name: name1, Value: bytes.Clone(value1)}, {Name: name2, Value: append([]byte{}, value2...)}}
		if none {
			hs[0].Value = nil
		} else if value1 == nil {
			hs[0].Value = []byte{}
		}
		table := amqp.Table{}
		encodeHeaders(table, hs)
		if diff := cmp.Diff(hs, decodeHeaders(table)); diff != "" {
			t.Errorf("(-sent +received):\n%s", diff)
		}
	})
}
