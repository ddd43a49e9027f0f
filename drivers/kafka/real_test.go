package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// The rules of drivers against a real broker of their own, behind a proxy.
func TestConformanceOnARealBroker(t *testing.T) {
	b := &broker{servers.Kafka(t, brokerOptions()...)}
	proxy, err := omstest.NewProxy(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
	})
	omstest.Run(t, realHarness(t, b, proxy))
}

// The rules kill some thirty members, each of which is waited for as long as
// its session lasts.
const shortSession = "&session.timeout.ms=6000&heartbeat.interval.ms=300&rebalance.timeout.ms=30000&request.timeout.ms=5000"

func realHarness(t *testing.T, b *broker, proxy *omstest.Proxy) *omstest.Harness {
	t.Helper()
	address := b.point(shortSession)
	nobody := point(t, "oms:kafka://127.0.0.1:1/")
	strangers := 0
	stranger := func() oms.AccessPoint {
		strangers++
		return point(t, inPlace(address, fmt.Sprintf("stranger%d:right", strangers)))
	}
	late := stranger()
	mend := func(context.Context) error { // and the next rule has another stranger
		err := b.admit(late.User, "right")
		late = stranger()
		return err
	}
	return &omstest.Harness{
		Driver: b.by(proxy.Addr()), AccessPoint: point(t, address),
		Denied: &late, Mend: mend, Dead: &nobody,
		Valid: []string{address}, Invalid: map[string]string{address + "&tls=perhaps": "tls"},
		ReservedTopics:  []string{"__consumer_offsets", "__transaction_state", "__share_group_state", "__anything"},
		ReservedHeaders: reservedHeaders,
		Foreign: func(_ context.Context, topic string, body []byte, headers map[string]string) error {
			return b.foreign(topic, body, headers)
		},
		Stranger: func(ctx context.Context, group, topic string) (string, func(context.Context) error, error) {
			return joinAsStranger(ctx, group, topic, kgo.SeedBrokers(b.AddrOf(servers.Plain)))
		},
		Trim: func(_ context.Context, p oms.Partition, before int64) error { return b.trim(p, before) },
		Broker: omstest.Broker{
			Stop: b.Stop, Start: b.Start,
			Restart:         func(ctx context.Context) error { return errors.Join(b.Stop(ctx), b.Start(ctx)) },
			Cut:             func(context.Context) error { proxy.Cut(); return nil },
			Heal:            func(context.Context) error { proxy.Heal(); return nil },
			KillConnections: func(context.Context) error { proxy.KillConnections(); return nil },
		},
		Child:    omstest.MemberProcess(address),
		Full:     os.Getenv("OMCONNECT_TEST_FULL") != "",
		Patience: patience,
	}
}
