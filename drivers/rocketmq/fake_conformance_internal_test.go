package rocketmq

import (
	"context"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

func fakePoint(t *testing.T, f *fake) oms.AccessPoint {
	t.Helper()
	ap, err := oms.ParseAccessPoint("oms:rocketmq://" + f.addr() + "/?topic.partitions=2")
	if err != nil {
		t.Fatal(err)
	}
	return ap
}

// The rules against a broker in this process that keeps the protocol. What
// real brokers add to that is tested with a real one.
func TestConformanceOfTheProtocol(t *testing.T) {
	f := startFake(t)
	ap := fakePoint(t, f)
	omstest.Run(t, &omstest.Harness{
		Driver: Driver{}, AccessPoint: ap,
		Valid: []string{"oms:rocketmq://one,two:9877,[::1]/", "oms:rocketmq://ak:sk@one/space?tls=true&tls.insecure=true"},
		Invalid: map[string]string{
			"oms:rocketmq:///": "host", "oms:rocketmq://one/?tls=true": "tls", "oms:rocketmq://one/?durability=maybe": "durability",
			"oms:rocketmq://ak@one/": "user", "oms:rocketmq://one/a.b": "region", "oms:rocketmq://one/?topic.partitions=0": "topic.partitions",
		},
		ReservedTopics:  []string{"TBW102", "SCHEDULE_TOPIC_XXXX", "%RETRY%group", "%DLQ%group", "RMQ_SYS_TRACE_TOPIC", "OFFSET_MOVED_EVENT", "rmq_sys_wheel_timer"},
		ReservedHeaders: reservedHeaders(),
		Stranger: func(ctx context.Context, group, _ string) (string, func(context.Context) error, error) {
			return f.stranger(ctx, connTo(t, f), group)
		},
		Trim: func(_ context.Context, p oms.Partition, before int64) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			topic := f.topics[encode(p.Topic)]
			n := before - topic.first[p.Number]
			topic.queues[p.Number] = topic.queues[p.Number][n:]
			topic.first[p.Number] = before
			return nil
		},
		Broker: omstest.Broker{
			KillConnections: func(context.Context) error { f.killConnections(); return nil },
		},
		Patience: 60 * time.Second,
	})
}

func reservedHeaders() []string {
	names := []string{"timer_out_ms", "__STARTDELIVERTIME"}
	for name := range steering {
		names = append(names, name)
	}
	return names
}
