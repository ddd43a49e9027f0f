package omstest_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// A broken driver is drivers/mem, of which some methods are replaced. Methods
// are fields; who breaks a driver keeps the old one and calls it.
type broken struct {
	broker, dead *mem.Driver   // dead is never there
	full, mended *atomic.Bool  // the broker has no room; it lets everybody in
	sessions     atomic.Int64  // how often all connections were lost
	over         chan struct{} // closed when the bubble ends: what was leaked or hangs ends then

	open         func(context.Context, oms.AccessPoint) (oms.Conn, error)
	capabilities func(oms.AccessPoint) oms.Capabilities
	onConn       func(*brokenConn)
	onSender     func(*brokenSender)
	onReceiver   func(*brokenReceiver)

	mu   sync.Mutex
	kept map[any]any // what a broken driver remembers across its connections
}

// The access points of a broken driver.
var (
	livePoint   = oms.AccessPoint{Driver: "broken", Options: oms.KeyValue{}}
	deadPoint   = oms.AccessPoint{Driver: "broken", Hosts: []string{"dead"}, Options: oms.KeyValue{}}
	deniedPoint = oms.AccessPoint{Driver: "broken", Hosts: []string{"strict"}, Options: oms.KeyValue{}}
)

// newBroken returns a driver in which nothing is broken yet.
func newBroken() *broken {
	full, mended := new(atomic.Bool), new(atomic.Bool)
	o := mem.Options{ConfirmAfter: time.Millisecond, OnSend: func(*oms.Message) error {
		if full.Load() {
			return oms.ErrFull
		}
		return nil
	}}
	d := &broken{
		full: full, mended: mended,
		broker: mem.New(o), dead: mem.New(o), over: make(chan struct{}), kept: make(map[any]any),
		onConn: func(*brokenConn) {}, onSender: func(*brokenSender) {}, onReceiver: func(*brokenReceiver) {},
	}
	d.dead.SetDown(oms.ErrUnavailable)
	d.open = d.dial
	d.capabilities = d.broker.Capabilities
	return d
}

// Open implements oms.Driver.
func (d *broken) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	return d.open(ctx, ap)
}

// Capabilities implements oms.Driver.
func (d *broken) Capabilities(ap oms.AccessPoint) oms.Capabilities { return d.capabilities(ap) }

// dial is what Open does when nothing is broken.
func (d *broken) dial(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	broker, denied := d.broker, false
	if len(ap.Hosts) == 1 {
		switch ap.Hosts[0] {
		case "dead":
			broker, ap.Hosts = d.dead, nil
		case "strict":
			denied, ap.Hosts = true, nil
		}
	}
	conn, err := broker.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	c := newBrokenConn(d, conn.(memConn))
	if denied {
		c.deny()
	}
	d.onConn(c)
	return c, nil
}

// wait waits for that long, or until the bubble ends.
func (d *broken) wait(howLong time.Duration) {
	select {
	case <-time.After(howLong):
	case <-d.over:
	}
}
