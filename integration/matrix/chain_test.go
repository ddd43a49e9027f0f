package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/integration/internal/gateways"
	"github.com/omconnect/omconnect/oms"
)

// TestTheChainKeepsKeysAndHeaders sends messages to Kafka, has one gateway take
// them to RabbitMQ, to RocketMQ and into a file, and looks at what has come: in
// the file, and to the last byte in RocketMQ.
func TestTheChainKeepsKeysAndHeaders(t *testing.T) {
	total := integration.Count(5_000, 100_000)
	kafka, rabbitmq, rocketmq := brokers[1].accessPoint(t), brokers[2].accessPoint(t), brokers[3].accessPoint(t)
	topic := func(name string) string { return "chain-" + name + "-" + unique }
	name := func(role string) string { return "chain-" + role + "-" + unique }
	config, err := json.Marshal(map[string]any{
		"broker":  rabbitmq,
		"brokers": map[string]any{"first": kafka, "last": rocketmq},
		"connectors": map[string]any{
			name("kafka-to-rabbitmq"): map[string]any{
				"connector.class": "broker-source", "source.broker": "first", "source.topics": topic("a"), "topic": topic("b"),
				"topic.creation.default.partitions": 4,
			},
			name("rabbitmq-to-rocketmq"): map[string]any{
				"connector.class": "broker-sink", "topics": topic("b"), "sink.broker": "last", "sink.topic": topic("c"),
				"topic.creation.default.partitions": 4,
			},
			name("rocketmq-to-file"): map[string]any{
				"connector.class": "file-sink", "broker": "last", "topics": topic("c"), "file": "chain.jsonl",
				"transforms": "show", "transforms.show.type": "Expression",
				"transforms.show.value": `{"key": key, "number": value.number, "kind": headers["kind"], "text": headers["text"]}`,
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, "-c", "gateway.yaml")
	if err := os.WriteFile(g.Path("gateway.yaml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	sendLinks(t, kafka, topic("a"), total)
	g.Start()
	out := &lines{path: g.Path("chain.jsonl")}
	l := ledger{sink: "the file", ordered: true}
	for number := 1; number <= total; number++ {
		l.records = append(l.records, record{key: string(link(number).Key), text: shown(number), must: true, when: "before the start"})
	}
	g.UntilBy("all messages in the file", func() bool {
		more, err := out.more()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range more {
			d.text = sorted(d.text)
			l.deliveries = append(l.deliveries, d)
		}
		return len(l.deliveries) >= total
	}, func() int { return len(l.deliveries) })
	g.Term()
	if err := l.check(); err != nil {
		t.Error(err)
	}
	g.wantQuiet()
	compareLinks(t, receiveLinks(t, rocketmq, topic("c"), total))
}

// link returns a message with a key and headers of its own. Its body is JSON,
// for the file.
func link(number int) *oms.Message {
	m := &oms.Message{
		ID:            fmt.Sprintf("id-%d", number),
		Key:           []byte(keyOf(number)),
		Body:          fmt.Appendf(nil, `{"number":%d,"pad":%q}`, number, padOf(number)),
		BornAt:        time.UnixMilli(1_700_000_000_000 + int64(number)),
		CorrelationID: fmt.Sprintf("answer-%d", number),
		Headers: oms.Headers{
			{Name: "kind", Value: fmt.Appendf(nil, "kind-%d", number%7)},
			{Name: "text", Value: []byte("snow ☃, " + strings.Repeat("y", number%31))},
		},
	}
	switch number % 5 {
	case 0:
		m.Headers = append(m.Headers, oms.Header{Name: "binary", Value: []byte{0, 0xff, byte(number), 0xfe}})
	case 1:
		m.Headers = append(m.Headers, oms.Header{Name: "again", Value: []byte("first")}, oms.Header{Name: "again", Value: []byte("second")})
	case 2:
		m.Headers = append(m.Headers, oms.Header{Name: "nil"}, oms.Header{Name: "empty", Value: []byte{}})
	case 3: // names that would steer one of the brokers
		m.Headers = append(m.Headers, oms.Header{Name: "CC", Value: []byte("elsewhere")}, oms.Header{Name: "DELAY", Value: []byte("3")})
	}
	return m
}

// shown is what the file has of a message.
func shown(number int) string {
	m := link(number)
	return fmt.Sprintf(`{"key":%q,"kind":%q,"number":%d,"text":%q}`, m.Key, m.Headers[0].Value, number, m.Headers[1].Value)
}

// sorted returns a JSON object with its fields in the order of their names.
func sorted(object string) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &fields); err != nil {
		return object
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(fields) // what was decoded
	return strings.TrimSpace(b.String())
}

func sendLinks(t *testing.T, at, topic string, total int) {
	t.Helper()
	client := openClient(t, at)
	if err := client.EnsureTopic(t.Context(), oms.TopicSpec{Name: topic, Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	producer, err := client.NewProducer(t.Context(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for from := 1; from <= total; from += 500 {
		var msgs []*oms.Message
		for number := from; number < from+500 && number <= total; number++ {
			m := link(number)
			m.Topic = topic
			msgs = append(msgs, m)
		}
		if err := producer.Send(t.Context(), msgs...); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// receiveLinks reads a topic from its beginning, as a group of its own.
func receiveLinks(t *testing.T, at, topic string, total int) (all []*oms.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gateways.Patience)
	defer cancel()
	consumer, err := openClient(t, at).NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{topic}, Group: topic + "-look"})
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close(context.WithoutCancel(ctx))
	for len(all) < total {
		msgs, err := consumer.Receive(ctx, 500, time.Second)
		if err == nil {
			err = consumer.Ack(ctx, msgs...)
		}
		if err != nil {
			t.Fatalf("%d of %d messages: %v", len(all), total, err)
		}
		all = append(all, msgs...)
	}
	return all
}

func openClient(t *testing.T, at string) *oms.Client {
	t.Helper()
	client, err := oms.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return client
}

// compareLinks compares messages with those that were sent, in everything that
// travels with a message.
func compareLinks(t *testing.T, msgs []*oms.Message) {
	t.Helper()
	slices.SortFunc(msgs, func(a, b *oms.Message) int { return a.BornAt.Compare(b.BornAt) })
	wrong := 0
	for i, m := range msgs {
		got := &oms.Message{
			ID: m.ID, Key: m.Key, Body: m.Body, BornAt: m.BornAt, CorrelationID: m.CorrelationID,
			Headers: slices.DeleteFunc(slices.Clone(m.Headers), func(h oms.Header) bool { return h.Name == "oms-hops" }), // the bridges' own
		}
		want := link(i + 1)
		if diff := cmp.Diff(described(want), described(got)); diff != "" {
			wrong++
			if wrong <= 3 {
				t.Errorf("message %d: -sent +received\n%s", i+1, diff)
			}
		}
	}
	if wrong > 3 {
		t.Errorf("%d messages differ", wrong)
	}
}

// described returns a message as text in which nil differs from empty.
func described(m *oms.Message) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "id %s\nkey %#v\nbody %s\nborn %d\ncorrelation %s\n", m.ID, m.Key, m.Body, m.BornAt.UnixMilli(), m.CorrelationID)
	for _, h := range m.Headers {
		fmt.Fprintf(&b, "header %s %#v\n", h.Name, h.Value)
	}
	return b.String()
}
