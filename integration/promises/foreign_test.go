package promises

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// takesForeign has a program of the broker's own client library send messages
// with everything in them that it can have.
func takesForeign(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	in.put("ours, before")
	g.create(source, in.config(topic).with("topic.creation.default.partitions", "1"))
	g.create(out.name, out.config(topic))
	g.sent(source, 1)
	var err error
	switch b.name {
	case "embedded":
		err = foreignNATS(g, topic)
	case "kafka":
		err = foreignKafka(t.Context(), b.first(t).Addr(), topic)
	case "rabbitmq":
		err = foreignAMQP(t.Context(), b.first(t).Addr(), topic)
	case "rocketmq":
		err = foreignRocketMQ(t.Context(), b.first(t).Addr(), topic)
	}
	if err != nil {
		t.Fatal(err)
	}
	in.put("ours, behind")
	g.gets(out, []string{"\x00\xff odd", "damaged", "ours, before", "ours, behind", "plain"})
	for _, m := range out.all() {
		has := slices.ContainsFunc(m.Headers, func(h oms.Header) bool { return h.Name == "text" && string(h.Value) == "a value" })
		if strings.HasSuffix(string(m.Body), "odd") && !has {
			t.Errorf("the odd message has come with the headers %v, want text among them", m.Headers)
		}
	}
}

// natsOf connects to the server of an embedded broker.
func natsOf(g *gateway) (*nats.Conn, error) {
	endpoint, err := embedded.Endpoint(filepath.Join(g.data, "broker"))
	if err != nil {
		return nil, err
	}
	ap, err := oms.ParseAccessPoint(endpoint)
	if err != nil {
		return nil, err
	}
	return nats.Connect("nats://"+ap.Hosts[0], nats.UserInfo(ap.User, ap.Password.Reveal()))
}

func foreignNATS(g *gateway, topic string) error {
	nc, err := natsOf(g)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		return err
	}
	for _, m := range []*nats.Msg{
		{Data: []byte("\x00\xff odd"), Header: nats.Header{"text": {"a value", "another"}, "empty": {""}, "UPPER": {"x"}}},
		{Data: []byte("damaged"), Header: nats.Header{"Oms": {"id=%zz,key=!,born=soon"}}},
		{Data: []byte("plain")},
	} {
		m.Subject = topic + ".0"
		if _, err := js.PublishMsg(m); err != nil {
			return err
		}
	}
	return nil
}

func foreignKafka(ctx context.Context, addr, topic string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		return err
	}
	defer c.Close()
	header := func(name, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: name, Value: []byte(value)} }
	return c.ProduceSync(ctx,
		&kgo.Record{
			Topic: topic, Key: []byte{0, 0xff}, Value: []byte("\x00\xff odd"), Timestamp: time.UnixMilli(1),
			Headers: []kgo.RecordHeader{header("text", "a value"), header("text", "another"), {Key: "null"}, header("", "no name"), header("\xff", "\xff")},
		},
		&kgo.Record{Topic: topic, Value: []byte("damaged"), Headers: []kgo.RecordHeader{
			header("oms-expires", "soon"), header("oms-born", "\x00"), header("oms-id", "\xff"), header("traceparent", ""),
		}},
		&kgo.Record{Topic: topic, Value: []byte("plain")},
	).FirstErr()
}

func foreignAMQP(ctx context.Context, addr, topic string) error {
	conn, err := amqp.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	for _, m := range []amqp.Publishing{
		{
			Body: []byte("\x00\xff odd"), ContentType: "application/\xff", ContentEncoding: "gzip", Priority: 200, CorrelationId: "\xfe",
			MessageId: "\xff", ReplyTo: "nobody", Type: "t", AppId: "a", Timestamp: time.Unix(1, 0), DeliveryMode: amqp.Persistent,
			Headers: amqp.Table{
				"text": "a value", "bytes": []byte{0, 0xff}, "true": true, "byte": byte(1), "int8": int8(-1), "int16": int16(-2), "int32": int32(-3),
				"int64": int64(math.MinInt64), "float32": float32(1.5), "float64": math.MaxFloat64, "nil": nil, "time": time.Unix(2, 0),
				"decimal": amqp.Decimal{Scale: 2, Value: 314}, "table": amqp.Table{"in": amqp.Table{"deeper": int32(1)}},
				"list": []any{"a", int32(1), nil, []any{}, amqp.Table{}}, "": "no name", "x-death": []any{amqp.Table{"count": int64(7)}},
			},
		},
		{Body: []byte("damaged"), Headers: amqp.Table{
			"oms-headers": int32(3), "oms-key": amqp.Table{}, "oms-born": "soon", "oms-nil": int64(0), "oms-seq": "x",
		}},
		{Body: []byte("plain")},
	} {
		// A topic of one partition takes any routing key.
		if err := ch.PublishWithContext(ctx, topic, "any.key", true, false, m); err != nil {
			return err
		}
	}
	return ch.Close() // which the broker answers once it has all of them
}

func foreignRocketMQ(ctx context.Context, addr, topic string) error {
	p, err := producer.NewDefaultProducer(
		producer.WithNameServer(primitive.NamesrvAddr{addr}), producer.WithInstanceName(topic), producer.WithGroupName("foreign-"+topic),
		producer.WithCompressMsgBodyOverHowmuch(math.MaxInt),
	)
	if err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return err
	}
	odd := primitive.NewMessage(topic, []byte("\x00\xff odd")).WithTag("a || b").WithKeys([]string{"one", "two"})
	odd.WithProperties(map[string]string{"text": "a value", "snow ☃": "☃"})
	damaged := primitive.NewMessage(topic, []byte("damaged"))
	damaged.WithProperty("OMS", "id=%zz,key=!,born=soon")
	_, err = p.SendSync(ctx, odd, damaged, primitive.NewMessage(topic, []byte("plain")))
	if serr := p.Shutdown(); err == nil {
		err = serr
	}
	return err
}
