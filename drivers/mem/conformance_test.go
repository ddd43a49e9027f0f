package mem_test

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestConformance(t *testing.T) {
	for name, o := range map[string]mem.Options{
		"at once": {},
		"late":    {ConfirmAfter: 5 * time.Millisecond, Partitions: 2},
	} {
		t.Run(name, func(t *testing.T) {
			omstest.RunInBubble(t, func(t *testing.T) *omstest.Harness {
				t.Helper()
				return conformanceHarness(t, o)
			})
		})
	}
}

// conformanceHarness is a harness for a broker of its own. Its troubles are
// what a driver would see of them: SetDown ends all connections, and says why
// no new ones are to be had.
func conformanceHarness(t *testing.T, o mem.Options) *omstest.Harness {
	t.Helper()
	var full atomic.Bool
	o.OnSend = func(*oms.Message) error {
		if full.Load() {
			return oms.ErrFull
		}
		return nil
	}
	d := mem.New(o)
	down := func(err error) func(context.Context) error {
		return func(context.Context) error {
			d.SetDown(err)
			return nil
		}
	}
	restart := func(context.Context) error {
		d.SetDown(oms.ErrUnavailable)
		d.SetDown(nil)
		return nil
	}
	return &omstest.Harness{
		Driver: d, AccessPoint: oms.AccessPoint{Driver: "mem", Options: oms.KeyValue{}},
		Valid: []string{"mem", "oms:mem:///"},
		Invalid: map[string]string{
			"oms:mem://somewhere/": "host", "oms:mem:///namespace": "region", "oms:mem:///?partitions=3": "partitions",
		},
		ReservedTopics:  []string{"$SYS", "$", "__internal"},
		ReservedHeaders: []string{"partition", "topic", "key"}, // none means anything to mem
		Foreign: func(ctx context.Context, topic string, body []byte, headers map[string]string) error {
			conn, err := d.Open(ctx, oms.AccessPoint{Driver: "mem"})
			if err != nil {
				return err
			}
			s, err := conn.OpenSender(ctx, oms.SenderConfig{})
			if err != nil {
				return err
			}
			m := text(topic, "")
			m.Body = body
			for name, value := range headers {
				m.Headers = m.Headers.With(name, value)
			}
			return errors.Join(outcome(s, m), conn.Close(ctx))
		},
		Stranger: func(_ context.Context, group, topic string) (string, func(context.Context) error, error) {
			leave := d.Stranger(group, "stranger", topic)
			return "stranger", func(context.Context) error { leave(); return nil }, nil
		},
		Trim: func(_ context.Context, p oms.Partition, before int64) error {
			d.Trim(p, before)
			return nil
		},
		Fill: func(context.Context) (func(), error) {
			full.Store(true)
			return func() { full.Store(false) }, nil
		},
		Broker: omstest.Broker{
			Restart: restart, Stop: down(oms.ErrUnavailable), Start: down(nil),
			Cut: down(oms.ErrTimeout), Heal: down(nil), KillConnections: restart,
		},
		Full: os.Getenv("OMCONNECT_TEST_FULL") != "",
	}
}
