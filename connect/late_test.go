package connect_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A lateDriver tells of revoked partitions some time after a receiver was
// closed, as one may that was closed in haste.
type lateDriver struct {
	oms.Driver
	told *atomic.Int64 // how often
}

func (d *lateDriver) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	c, err := d.Driver.Open(ctx, ap)
	return &lateConn{c.(admin), d.told}, err
}

type lateConn struct {
	admin
	told *atomic.Int64
}

func (c *lateConn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	r, err := c.admin.OpenReceiver(ctx, cfg)
	return &lateReceiver{r, cfg, c.told}, err
}

type lateReceiver struct {
	oms.Receiver
	cfg  oms.ReceiverConfig
	told *atomic.Int64
}

func (r *lateReceiver) Close(ctx context.Context) error {
	time.AfterFunc(10*time.Millisecond, func() {
		r.cfg.OnRevoked(context.Background(), []oms.Partition{{Topic: "t"}})
		r.told.Add(1)
	})
	return r.Receiver.Close(ctx)
}

// What a sink has not flushed when its consumer is closed comes again: no hook
// is called for it when the driver tells late that its partition goes.
func TestNoHookIsCalledForPartitionsThatGoAfterTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		told := new(atomic.Int64)
		w.wrap = func(d oms.Driver) oms.Driver { return &lateDriver{d, told} }
		w.sink.flush = true
		w.sink.onCall = func(_ context.Context, _ connect.Env, hook, _ string) error {
			switch hook {
			case "Flush":
				return errors.New("the disk is full")
			case "OnFailed":
				time.Sleep(100 * time.Millisecond) // the driver tells meanwhile
			}
			return nil
		}
		w.start()
		w.create("out", "test-sink", "restart.max.attempts=1")
		w.create("in", "test-source", "last=5", "every.ms=10")
		w.eventually(time.Minute, "the driver tells of revoked partitions twice", func() bool { return told.Load() > 1 })
		w.wait(time.Minute) // what is illegal is seen at the end
	})
}
