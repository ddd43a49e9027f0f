package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// The driver nats against a server in a process of its own, behind a proxy.
func TestConformanceOfAnExternalServer(t *testing.T) {
	s := startExternal(t)
	proxy, err := omstest.NewProxy(s.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
	})
	omstest.Run(t, externalHarness(t, s, proxy))
}

func externalHarness(t *testing.T, s *externalServer, proxy *omstest.Proxy) *omstest.Harness {
	t.Helper()
	const dead = "oms:nats://user:right@127.0.0.1:1/"
	address := fmt.Sprintf("oms:nats://user:right@%s/", proxy.Addr())
	strangers := 0
	stranger := func() oms.AccessPoint {
		strangers++
		return point(t, fmt.Sprintf("oms:nats://stranger%d:right@%s/", strangers, proxy.Addr()))
	}
	late, nobody := stranger(), point(t, dead)
	mend := func(context.Context) error { // and the next rule has another stranger
		err := s.admit(late.User)
		late = stranger()
		return err
	}
	start := func(context.Context) error {
		err := s.start()
		proxy.Retarget(s.addr())
		return err
	}
	stop := func(context.Context) error { return s.stop() }
	return &omstest.Harness{
		Driver: embedded.Driver{External: true}, AccessPoint: point(t, address),
		Denied: &late, Mend: mend, Dead: &nobody,
		Valid: []string{address, address + "?retention.ms=60000&replication.factor=1", "oms:nats://one,two:4222,[::1]:4222/"},
		Invalid: map[string]string{
			"oms:nats:///": "host", address + "region": "region", address + "?replication.factor=9": "replication.factor",
			address + "?tls=perhaps": "tls", address + "?dir=somewhere": "dir",
		},
		ReservedTopics:  reservedTopics,
		ReservedHeaders: reservedHeaders,
		Foreign: func(ctx context.Context, topic string, body []byte, headers map[string]string) error {
			return foreign(ctx, s.addr(), nats.UserInfo("user", "right"), topic, body, headers)
		},
		Trim: func(ctx context.Context, p oms.Partition, before int64) error {
			return trim(ctx, s.addr(), nats.UserInfo("user", "right"), p, before)
		},
		Fill: func(context.Context) (func(), error) {
			return func() {
				if err := s.tell("drain"); err != nil {
					t.Errorf("make room: %v", err)
				}
			}, s.tell("fill")
		},
		Broker: omstest.Broker{
			Stop: stop, Start: start,
			Restart:         func(ctx context.Context) error { return errors.Join(stop(ctx), start(ctx)) },
			Cut:             func(context.Context) error { proxy.Cut(); return nil },
			Heal:            func(context.Context) error { proxy.Heal(); return nil },
			KillConnections: func(context.Context) error { proxy.KillConnections(); return nil },
		},
		Child:    omstest.MemberProcess(address),
		Full:     os.Getenv("OMCONNECT_TEST_FULL") != "",
		Patience: patience,
	}
}

// patience is how long a rule waits for what must happen. A driver finds out
// about a dead connection within 30 s, and the machine may be busy.
const patience = 90 * time.Second

// What NATS keeps for itself, some of each kind.
var (
	reservedTopics  = []string{"$SYS", "$JS.API.INFO", "__internal", "_INBOX.a", "KV_state", "OBJ_files", "MQTT_messages"}
	reservedHeaders = []string{
		"Nats-Msg-Id", "Nats-Expected-Stream", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Msg-Id",
		"Nats-Expected-Last-Subject-Sequence", "Nats-Rollup", "Nats-TTL", "Nats-Incr", "Nats-Batch-Id", "Nats-Batch-Sequence",
		"Nats-Schedule", "Nats-Schedule-Target", "Nats-Marker-Reason", "Nats-Trace-Dest", "Nats-Trace-Only", "Nats-Required-Api-Level",
		"Nats-Request-Info", "Nats-Stream-Source", "Status", "Description", "Oms",
	}
)

func point(t *testing.T, text string) oms.AccessPoint {
	t.Helper()
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return ap
}

// natively has f work on a server as NATS programs do.
func natively(address string, user nats.Option, f func(jetstream.JetStream) error) error {
	nc, err := nats.Connect("nats://"+address, user)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return f(js)
}

// foreign publishes to the first partition of a topic.
func foreign(ctx context.Context, address string, user nats.Option, topic string, body []byte, headers map[string]string) error {
	m := nats.NewMsg(topic + ".0")
	m.Data = body
	for name, value := range headers {
		m.Header[name] = []string{value}
	}
	return natively(address, user, func(js jetstream.JetStream) error {
		_, err := js.PublishMsg(ctx, m)
		return err
	})
}

// trim removes the beginning of a partition's stream, one message after the
// other as age does: a purge would move the group's position as well.
func trim(ctx context.Context, address string, user nats.Option, p oms.Partition, before int64) error {
	return natively(address, user, func(js jetstream.JetStream) error {
		stream, err := js.Stream(ctx, fmt.Sprintf("%s-%d", p.Topic, p.Number))
		if err != nil {
			return err
		}
		for seq := stream.CachedInfo().State.FirstSeq; seq < uint64(before); seq++ {
			if err := stream.DeleteMsg(ctx, seq); err != nil {
				return err
			}
		}
		return nil
	})
}
