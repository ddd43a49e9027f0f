package kafka_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// Each rule has a cluster of its own in this process, behind a proxy.
func TestConformance(t *testing.T) { omstest.RunApart(t, harness) }

// patience is how long a rule waits for what must happen. A client finds out
// about a dead connection within seconds, and the machine may be busy.
const patience = 90 * time.Second

func harness(t *testing.T) *omstest.Harness {
	t.Helper()
	c := startCluster(t)
	nobody := point(t, "oms:kafka://127.0.0.1:1/")
	late := point(t, inPlace(c.point(), "late:right"))
	mend := func(context.Context) error { return c.admit(t, "late", "right") }
	start := func(context.Context) error { return c.start() }
	stop := func(context.Context) error { c.stop(); return nil }
	return &omstest.Harness{
		Driver: c.driver(), AccessPoint: point(t, c.point()), Dead: &nobody,
		Valid: []string{"oms:kafka://one/", "oms:kafka://user:secret@one,two:9093,[::1]:9092/?sasl.mechanism=scram-sha-512&tls=true", c.point()},
		Invalid: map[string]string{
			"oms:kafka:///": "host", "oms:kafka://one/region": "region", "oms:kafka://one/?tls=perhaps": "tls",
			"oms:kafka://one/?version=0.8.2.0": "version", "oms:kafka://one/?sasl.mechanism=plain": "user",
			"oms:kafka://one/?heartbeat.interval.ms=40000": "heartbeat.interval.ms", "oms:kafka://one/?dir=somewhere": "dir",
		},
		ReservedTopics:  []string{"__consumer_offsets", "__transaction_state", "__anything"},
		ReservedHeaders: reservedHeaders,
		Foreign: func(_ context.Context, topic string, body []byte, headers map[string]string) error {
			return foreign(c.addr(), c.config(), topic, body, headers)
		},
		Stranger: func(ctx context.Context, group, topic string) (string, func(context.Context) error, error) {
			return joinAsStranger(ctx, group, topic, kgo.SeedBrokers(c.addr()), kgo.SASL(scram.Auth{User: "admin", Pass: "admin"}.AsSha256Mechanism()))
		},
		Denied: &late, Mend: mend,
		Fill: func(context.Context) (func(), error) {
			full := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError, Count: -1})
			return full.Remove, nil
		},
		Trim: func(_ context.Context, p oms.Partition, before int64) error {
			return c.fake.DeleteRecords(p.Topic, int32(p.Number), before)
		},
		Broker: omstest.Broker{
			Stop: stop, Start: start,
			Restart:         func(ctx context.Context) error { return errors.Join(stop(ctx), start(ctx)) },
			Cut:             func(context.Context) error { c.proxy.Cut(); return nil },
			Heal:            func(context.Context) error { c.proxy.Heal(); return nil },
			KillConnections: func(context.Context) error { c.proxy.KillConnections(); return nil },
		},
		Full:     os.Getenv("OMCONNECT_TEST_FULL") != "",
		Patience: patience,
	}
}

// reservedHeaders are the names under which the driver's own headers travel.
var reservedHeaders = []string{"oms-id", "oms-born", "oms-expires", "oms-correlation-id", "oms-h-oms-id", "oms-h-", "oms-", "traceparent", "tracestate"}

func point(t *testing.T, text string) oms.AccessPoint {
	t.Helper()
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return ap
}
