package omstest_test

import (
	"context"
	"errors"
	"sync"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// harness returns a harness for a driver. Where mem cannot make a trouble as it
// is, it makes what a driver would see of it.
func (d *broken) harness() *omstest.Harness {
	down := func(err error) func(context.Context) error {
		return func(context.Context) error {
			if err != nil {
				d.sessions.Add(1)
			}
			d.broker.SetDown(err)
			return nil
		}
	}
	restart := func(context.Context) error {
		d.sessions.Add(1)
		d.broker.SetDown(oms.ErrUnavailable)
		d.broker.SetDown(nil)
		return nil
	}
	return &omstest.Harness{
		Driver: d, AccessPoint: livePoint, Dead: &deadPoint, Denied: &deniedPoint,
		Mend: func(context.Context) error {
			d.mended.Store(true)
			return nil
		},
		Valid:           []string{"broken", "oms:broken:///"},
		Invalid:         map[string]string{"oms:broken://somewhere/": "host", "oms:broken:///namespace": "region", "oms:broken:///?partitions=3": "partitions"},
		ReservedTopics:  []string{"$SYS", "__internal"},
		ReservedHeaders: []string{"broken-topic", "broken-partition", "broken-id"},
		Foreign:         d.foreign,
		Stranger: func(_ context.Context, group, topic string) (string, func(context.Context) error, error) {
			leave := d.broker.Stranger(group, "stranger", topic)
			return "stranger", func(context.Context) error { leave(); return nil }, nil
		},
		Trim: func(_ context.Context, p oms.Partition, before int64) error {
			d.broker.Trim(p, before)
			return nil
		},
		Fill: func(context.Context) (func(), error) {
			d.full.Store(true)
			return func() { d.full.Store(false) }, nil
		},
		Broker: omstest.Broker{
			Restart: restart, Stop: down(oms.ErrUnavailable), Start: down(nil),
			Cut: down(oms.ErrTimeout), Heal: down(nil), KillConnections: restart,
		},
		Child: func(ctx context.Context, topic, group string, acks int) (omstest.Child, error) {
			return d.child(ctx, topic, group, acks)
		},
	}
}

// foreign sends with mem itself, and none of what this API adds.
func (d *broken) foreign(ctx context.Context, topic string, body []byte, headers map[string]string) error {
	conn, err := d.broker.Open(ctx, oms.AccessPoint{Driver: "mem"})
	if err != nil {
		return err
	}
	m := &oms.Message{Topic: topic, Body: body}
	for name, value := range headers {
		m.Headers = m.Headers.With(name, value)
	}
	return errors.Join(sendAlone(ctx, conn, m), conn.Close(ctx))
}

// drivers makes drivers that are broken in the same way, one for each rule,
// and ends what they have left running.
type drivers struct {
	spoil func(*broken)

	mu   sync.Mutex
	made []*broken
}

func (ds *drivers) harness() *omstest.Harness {
	d := newBroken()
	if ds.spoil != nil {
		ds.spoil(d)
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.made = append(ds.made, d)
	return d.harness()
}

func (ds *drivers) end() {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for _, d := range ds.made {
		close(d.over)
	}
}
