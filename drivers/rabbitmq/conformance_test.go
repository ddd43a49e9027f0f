package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/drivers/rabbitmq"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms/omstest"
)

// The rules of drivers against a RabbitMQ of its own, behind a proxy.
func TestConformance(t *testing.T) {
	b, proxy := proxied(t)
	omstest.Run(t, harness(t, b, proxy, ""))
}

// The same rules, and more of them, of streams. Those about a broker that is
// away are about code that queues have in common with them, most of it, and take
// long.
func TestConformanceOfStreams(t *testing.T) {
	b, proxy := proxied(t)
	h := harness(t, b, proxy, "&queue.type=stream")
	if !h.Full {
		h.Broker = omstest.Broker{KillConnections: h.Broker.KillConnections}
		h.Denied, h.Mend = nil, nil
	}
	omstest.Run(t, h)
}

func proxied(t *testing.T) (*broker, *omstest.Proxy) {
	t.Helper()
	b := &broker{Server: servers.RabbitMQ(t)}
	proxy, err := omstest.NewProxy(b.Addr())
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	return b, proxy
}

// reservedTopics and reservedHeaders are what RabbitMQ or this driver keeps for
// itself, some of each kind.
var (
	reservedTopics  = []string{"amq.direct", "amq.topic", "amq.rabbitmq.trace", "AMQ.anything", "oms.members", "oms.delay:orders:0"}
	reservedHeaders = []string{
		"CC", "BCC", "user_id", "x-death", "x-first-death-queue", "x-last-death-reason", "x-delivery-count", "x-delay", "x-match",
		"x-stream-offset", "x-opt-anything", "oms-key", "oms-seq", "oms-headers", "oms-nil", "oms-h-CC", "traceparent",
	}
)

func harness(t *testing.T, b *broker, proxy *omstest.Proxy, options string) *omstest.Harness {
	t.Helper()
	address := "oms:rabbitmq://" + proxy.Addr() + "/?heartbeat.ms=1000" + options // a dead connection is noticed soon
	strangers := 0
	stranger := func() string {
		strangers++
		return fmt.Sprintf("stranger%d", strangers)
	}
	name := stranger()
	denied, dead := parse(t, "oms:rabbitmq://"+name+":right@"+proxy.Addr()+"/"), parse(t, "oms:rabbitmq://127.0.0.1:1/")
	mend := func(ctx context.Context) error { // and the next rule has another stranger
		err := b.admit(ctx, name, "right", everything)
		name = stranger()
		denied = parse(t, "oms:rabbitmq://"+name+":right@"+proxy.Addr()+"/")
		return err
	}
	return &omstest.Harness{
		Driver: rabbitmq.Driver{}, AccessPoint: parse(t, address),
		Denied: &denied, Mend: mend, Dead: &dead,
		Valid: []string{
			address, "oms:rabbitmq://one/a%2Fhost?declare=none", "oms:rabbitmq://user:secret@one,two:5673,[::1]:5672/",
			"oms:rabbitmq://one/?tls=true&tls.certificate.file=a&tls.key.file=b&sasl.mechanism=EXTERNAL",
		},
		Invalid: map[string]string{
			"oms:rabbitmq://one/?queue.type=log": "queue.type", "oms:rabbitmq://one/?retention.ms=1000": "retention.ms",
			"oms:rabbitmq:///": "host", "oms:rabbitmq://one/?declare=some": "declare", "oms:rabbitmq://one/?prefetch=5": "prefetch",
			"oms:rabbitmq://one/?tls.ca.file=a": "tls", "oms:rabbitmq://one/?sasl.mechanism=EXTERNAL": "tls.certificate.file",
			"oms:rabbitmq://one/?heartbeat.ms=5": "heartbeat.ms",
		},
		ReservedTopics: reservedTopics, ReservedHeaders: reservedHeaders,
		Foreign: func(ctx context.Context, topic string, body []byte, headers map[string]string) error {
			ch, conn, err := b.dial()
			if err != nil {
				return err
			}
			table := make(amqp.Table)
			for name, value := range headers {
				table[name] = value
			}
			return errors.Join(publish(ctx, ch, topic, "any.key", amqp.Publishing{Body: body, Headers: table}), conn.Close())
		},
		Stranger: func(_ context.Context, group, topic string) (string, func(context.Context) error, error) {
			queue := group + ":" + topic + ":0"
			ch, conn, err := b.dial()
			if err != nil {
				return "", nil, err
			}
			if _, err := ch.Consume(queue, "", false, false, false, false, nil); err != nil {
				return "", nil, errors.Join(err, conn.Close())
			}
			return queue, func(context.Context) error { return conn.Close() }, nil
		},
		Fill: func(ctx context.Context) (func(), error) {
			drain := func() {
				must(t, b.tool(context.WithoutCancel(ctx), "rabbitmqctl", "set_vm_memory_high_watermark", "absolute", "1GB"))
			}
			return drain, b.tool(ctx, "rabbitmqctl", "set_vm_memory_high_watermark", "0.0001")
		},
		Broker: omstest.Broker{
			Stop: b.Stop, Start: b.Start,
			// The broker without its process, which takes long to end. Not by kill
			// -9: it then forgets quorum queues that were made in the last second.
			Restart: func(ctx context.Context) error {
				return errors.Join(b.tool(ctx, "rabbitmqctl", "stop_app"), b.tool(ctx, "rabbitmqctl", "start_app"))
			},
			Cut:             func(context.Context) error { proxy.Cut(); return nil },
			Heal:            func(context.Context) error { proxy.Heal(); return nil },
			KillConnections: func(context.Context) error { proxy.KillConnections(); return nil },
		},
		Child:    omstest.MemberProcess(address),
		Full:     os.Getenv("OMCONNECT_TEST_FULL") != "",
		Patience: patience,
	}
}
