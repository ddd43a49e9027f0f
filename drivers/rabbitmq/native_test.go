package rabbitmq_test

import (
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// The tests in this file hold the table of the package comment to what
// programs see that know nothing of this driver.

// born is a time with milliseconds, which AMQP does not have.
var born = time.Date(2026, 3, 1, 12, 30, 15, 250e6, time.UTC)

// nativeQueue makes a queue as a native program does, bound to a topic.
func nativeQueue(t *testing.T, ch *amqp.Channel, topic string) string {
	t.Helper()
	q, err := ch.QueueDeclare(topic+" natively", true, false, false, false, nil)
	must(t, err)
	must(t, ch.QueueBind(q.Name, "#", topic, false, nil))
	return q.Name
}

// get returns the next message of a queue as a native program sees it.
func get(t *testing.T, ch *amqp.Channel, queue string) amqp.Delivery {
	t.Helper()
	var d amqp.Delivery
	until(t, "a message in "+queue, func() bool {
		var ok bool
		var err error
		d, ok, err = ch.Get(queue, true)
		must(t, err)
		return ok
	})
	return d
}

func TestNativeProgramsSeeWhatIsSent(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic = "seen.natively"
	makeTopic(t, c, topic, 1)
	queue := nativeQueue(t, ch, topic)
	must(t, outcome(t, start(t, sender(t, c), &oms.Message{
		Topic: topic, ID: "id-1", CorrelationID: "question 7", Key: []byte("customer-9"), Body: []byte(`{"a":1}`), BornAt: born,
		ExpiresAt:   time.Now().Add(time.Hour),
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "a=b",
		Headers: oms.Headers{
			{Name: "content", Value: []byte("für alle")},
			{Name: "binary", Value: []byte{0xff, 0}},
			{Name: "empty", Value: []byte{}},
			{Name: "twice", Value: []byte("1")},
			{Name: "none"},
			{Name: "twice", Value: []byte("2")},
			{Name: "CC", Value: []byte("elsewhere")},
		},
	})))
	d := get(t, ch, queue)
	equal(t, "body", string(d.Body), `{"a":1}`)
	equal(t, "message-id", d.MessageId, "id-1")
	equal(t, "correlation-id", d.CorrelationId, "question 7")
	equal(t, "timestamp", d.Timestamp.UTC(), born.Truncate(time.Second))
	equal(t, "app-id", d.AppId, fmt.Sprintf("oms/%d", born.UnixMilli()%1000))
	equal(t, "delivery mode", d.DeliveryMode, amqp.Persistent)
	equal(t, "routing key", d.RoutingKey, "0")
	equal(t, "exchange", d.Exchange, topic)
	if d.Expiration < "3500000" || d.Expiration > "3600000" {
		t.Errorf("the expiration is %s, want what is left of an hour in milliseconds", d.Expiration)
	}
	expires, _ := d.Headers["oms-expires"].(int64)
	delete(d.Headers, "oms-expires")
	if left := time.Until(time.UnixMilli(expires)); left < 30*time.Minute || left > time.Hour {
		t.Errorf("oms-expires is %v away, want an hour", left)
	}
	equal(t, "headers", d.Headers, amqp.Table{
		"content": "für alle", "binary": []byte{0xff, 0}, "empty": "", "twice": "1", "oms-h-CC": "elsewhere",
		"oms-key":     "customer-9",
		"oms-headers": "content,binary,empty,twice,none!,twice:Mg,CC",
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b",
	})
}

func TestNativeProgramsSeeTombstonesAndBinaryKeys(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic = "tombstones.natively"
	makeTopic(t, c, topic, 1)
	queue := nativeQueue(t, ch, topic)
	key, long := []byte{0, 0xfe}, string(make([]byte, 300))
	must(t, outcome(t, start(t, sender(t, c),
		&oms.Message{Topic: topic, ID: "gone", Key: key}, &oms.Message{Topic: topic, ID: long, Key: []byte{}, Body: []byte{}, CorrelationID: "\xff"},
	)))
	gone, empty := get(t, ch, queue), get(t, ch, queue)
	equal(t, "a tombstone", gone.Headers, amqp.Table{"oms-key": key, "oms-nil": true})
	equal(t, "an empty body", empty.Headers, amqp.Table{
		"oms-key": "", "oms-id": []byte(long), "oms-correlation-id": []byte("\xff"), "oms-seq": int64(1),
	})
	if len(gone.Body) != 0 || len(empty.Body) != 0 || empty.MessageId != "" || empty.CorrelationId != "" {
		t.Errorf("bodies %q and %q, ids %q and %q: want nothing", gone.Body, empty.Body, empty.MessageId, empty.CorrelationId)
	}
}

func TestWhatNativeProgramsSendIsReceived(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group = "sent.natively", "of-natives"
	ensure(t, c, group, topic)
	must(t, publish(within(t), ch, topic, "orders.eu.created", amqp.Publishing{
		MessageId: "m1", CorrelationId: "c1", Timestamp: born, Body: []byte("text"), DeliveryMode: amqp.Transient,
		ContentType: "text/plain", AppId: "shop", Type: "created", ReplyTo: "answers", UserId: "guest", Priority: 3,
		Headers: amqp.Table{
			"text": "ä", "bytes": []byte{0xff, 0}, "nothing": nil, "yes": true, "small": int8(-1), "int": int32(7), "big": int64(1) << 62,
			"float": 1.5, "time": born.Truncate(time.Second), "list": []any{"a", int32(1)}, "table": amqp.Table{"x": "y"},
			"oms-key": "the key", "traceparent": "00-1", "x-delivery-count": int64(40), "x-death": "made up",
		},
	}))
	must(t, publish(within(t), ch, topic, "", amqp.Publishing{}))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	msgs := receive(t, r, 2)
	got, bare := msgs[0], msgs[1]
	got.Receipt, bare.Receipt = nil, nil
	got.BornAt = got.BornAt.UTC()
	equal(t, "a message with everything", got, &oms.Message{
		ID: "m1", CorrelationID: "c1", Topic: topic, Key: []byte("the key"), Body: []byte("text"), BornAt: born.Truncate(time.Second),
		TraceParent: "00-1", Deliveries: 1,
		Headers: oms.Headers{
			{Name: "big", Value: []byte("4611686018427387904")},
			{Name: "bytes", Value: []byte{0xff, 0}},
			{Name: "float", Value: []byte("1.5")},
			{Name: "int", Value: []byte("7")},
			{Name: "list", Value: []byte(`["a",1]`)},
			{Name: "nothing"},
			{Name: "small", Value: []byte("-1")},
			{Name: "table", Value: []byte(`{"x":"y"}`)},
			{Name: "text", Value: []byte("ä")},
			{Name: "time", Value: []byte("2026-03-01T12:30:15Z")},
			{Name: "x-death", Value: []byte("made up")},
			{Name: "yes", Value: []byte("true")},
		},
	})
	equal(t, "a message with nothing", bare, &oms.Message{Topic: topic, Body: []byte{}, Deliveries: 1})
}

// A header that steers the broker in a native program's hands does not when it
// is sent on, and has its name again at the other end.
func TestHeadersThatWouldSteerTheBrokerSteerNothing(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, secret = "steering", "steered", "steering secret"
	ensure(t, c, group, topic)
	_, err := ch.QueueDeclare(secret, true, false, false, false, nil)
	must(t, err)
	must(t, publish(within(t), ch, topic, "k", amqp.Publishing{Body: []byte("native"), Headers: amqp.Table{"CC": []any{"nobody"}}}))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	native := receive(t, r, 1)[0]
	equal(t, "headers of a native message", native.Headers, oms.Headers{{Name: "CC", Value: []byte(`["nobody"]`)}})
	var headers oms.Headers
	for _, name := range reservedHeaders {
		headers = headers.With(name, secret)
	}
	on := native.Clone()
	on.Headers = append(on.Headers, headers...)
	s := sender(t, c)
	must(t, outcome(t, start(t, s, on)))
	must(t, outcome(t, start(t, s, &oms.Message{Topic: topic, Body: []byte("behind"), Headers: oms.Headers{{Name: "BCC", Value: []byte(secret)}}})))
	msgs := receive(t, r, 2)
	equal(t, "headers of what was sent on", msgs[0].Headers, on.Headers)
	equal(t, "bodies", bodies(msgs), []string{"native", "behind"})
	q, err := ch.QueueDeclarePassive(secret, true, false, false, false, nil)
	must(t, err)
	equal(t, "messages where nobody sent any", q.Messages, 0)
}

// A list of headers that does not fit the message was damaged on its way, or
// is a foreign program's: it holds up nobody, and nothing is lost for it.
func TestAMessageWithADamagedListOfHeadersIsReceived(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group = "damaged", "readers-of-damaged"
	ensure(t, c, group, topic)
	lists := []any{"missing", "a:!!", "%zz", int32(3), []any{"a"}, nil}
	for _, list := range lists {
		must(t, publish(within(t), ch, topic, "k", amqp.Publishing{Body: []byte("body"), Headers: amqp.Table{"oms-headers": list, "a": "b"}}))
	}
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	for i, m := range receive(t, r, len(lists)) {
		equal(t, fmt.Sprintf("headers beside the list %v", lists[i]), m.Headers, oms.Headers{{Name: "a", Value: []byte("b")}})
	}
}
