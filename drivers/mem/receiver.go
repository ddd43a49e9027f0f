package mem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A receiver is a member of a group. Receive takes messages on its caller's
// goroutine; callbacks are called on the receiver's own, run. The broker's
// mutex guards what changes.
type receiver struct {
	conn     *conn
	broker   *broker
	cfg      oms.ReceiverConfig
	topics   []string
	name     string
	foreign  bool // it is a stranger, and nobody calls it
	group    *group
	work     chan struct{} // wakes run
	data     chan struct{} // wakes Receive
	closing  chan struct{}
	finished chan struct{} // closed when run has ended
	stop     context.CancelFunc

	closed       bool
	owned        []*cursor
	first        int // the owned cursor to begin with, so that each has its turn
	unacked      int
	unackedBytes int
	lost         []oms.Partition // taken away, and OnRevoked was not yet told
	assignErr    error           // of OnAssigned, for the next Receive
	assignAt     time.Time       // when to try again
	backoff      time.Duration
}

var (
	_ oms.Receiver = (*receiver)(nil)
	_ oms.Nacker   = (*receiver)(nil)
	_ oms.Seeker   = (*receiver)(nil)
	_ oms.Pauser   = (*receiver)(nil)
)

func newReceiver(ctx context.Context, c *conn, cfg oms.ReceiverConfig) *receiver {
	r := &receiver{
		conn: c, broker: c.broker, cfg: cfg, topics: cfg.Topics,
		work: make(chan struct{}, 1), data: make(chan struct{}, 1),
		closing: make(chan struct{}), finished: make(chan struct{}),
	}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.joined++
	r.name = fmt.Sprintf("mem-%d", b.joined)
	r.join()
	go r.run(ctx)
	return r
}

// join makes the receiver a member of its group. The caller holds the broker's
// mutex.
func (r *receiver) join() {
	r.group = r.broker.group(r.cfg.Group, r.cfg.Topics, r.cfg.Start)
	r.group.members = append(r.group.members, r)
	r.group.rebalance()
}

// Receive implements oms.Receiver.
func (r *receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	if limit < 1 {
		return nil, invalid("receive", r.cfg.Group, "at most %d messages is none", limit)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		msgs, due, err := r.take(limit)
		if len(msgs) > 0 || err != nil {
			return msgs, err
		}
		r.wait(ctx, due)
	}
}

// wait returns when there may be something new: after a signal, or when a
// delayed message is due.
func (r *receiver) wait(ctx context.Context, due time.Time) {
	var delayed <-chan time.Time
	if !due.IsZero() {
		t := time.NewTimer(time.Until(due))
		defer t.Stop()
		delayed = t.C
	}
	select {
	case <-r.data:
	case <-delayed:
	case <-r.closing:
	case <-ctx.Done():
	}
}

// take returns what can be delivered now, and else when the next delayed
// message is due.
func (r *receiver) take(limit int) (msgs []*oms.Message, due time.Time, err error) {
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	switch down := r.broker.down; {
	case r.closed:
		return nil, due, failure("receive", r.cfg.Group, oms.ErrClosed, nil)
	case down != nil && oms.CodeOf(down) != "" && !oms.IsTemporary(down):
		return nil, due, coded("receive", r.cfg.Group, down)
	case r.assignErr != nil:
		err, r.assignErr = r.assignErr, nil
		return nil, due, err
	}
	now, begin := time.Now(), r.first
	for i := range r.owned {
		at := (begin + i) % len(r.owned)
		c := r.owned[at]
		for len(msgs) < limit {
			offset, ok := c.peek(now)
			if !ok {
				break
			}
			if !r.hasRoom(c.log.at(offset).size) {
				r.first = at // a large message is not overtaken for ever
				return msgs, time.Time{}, nil
			}
			msgs = append(msgs, c.deliver(offset))
			r.first = at + 1
		}
		if next := c.log.nextDue(); !next.IsZero() && (due.IsZero() || next.Before(due)) {
			due = next
		}
	}
	return msgs, due, nil
}

// hasRoom reports whether one more message may be out. One always may, however
// large.
func (r *receiver) hasRoom(size int) bool {
	return r.unacked == 0 ||
		r.unacked < r.cfg.MaxUnacked && r.unackedBytes+size <= r.cfg.MaxUnackedBytes
}

// Ack implements oms.Receiver.
func (r *receiver) Ack(_ context.Context, msgs []*oms.Message) error {
	if r.broker.opts.OnAck == nil {
		return r.settle("ack", msgs, (*cursor).ack)
	}
	var errs []error
	var rest []*oms.Message
	for _, m := range msgs {
		if err := r.broker.opts.OnAck(m); err != nil {
			errs = append(errs, coded("ack", m.Topic, err))
			continue
		}
		rest = append(rest, m)
	}
	return errors.Join(append(errs, r.settle("ack", rest, (*cursor).ack))...)
}

// Nack implements oms.Nacker.
func (r *receiver) Nack(_ context.Context, msgs []*oms.Message) error {
	return r.settle("nack", msgs, (*cursor).giveBack)
}

// settle settles each message by itself: those of others do not stand in the
// way of the rest.
func (r *receiver) settle(op string, msgs []*oms.Message, how func(*cursor, *receiver, receipt) bool) error {
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	if r.closed {
		return failure(op, r.cfg.Group, oms.ErrClosed, nil)
	}
	var err error
	for _, m := range msgs {
		rc, ours := m.Receipt.(receipt)
		switch {
		case !ours:
			return invalid(op, m.Topic, "message %q was not received here", m.ID)
		case !how(rc.cursor, r, rc):
			err = failure(op, m.Topic, oms.ErrStaleDelivery, nil)
		}
	}
	signal(r.data)
	return err
}

// Flush implements oms.Receiver. Acknowledgements are as durable as they get
// when Ack returns; what is left is the round trip.
func (r *receiver) Flush(ctx context.Context) error {
	r.broker.mu.Lock()
	closed := r.closed
	r.broker.mu.Unlock()
	if closed {
		return failure("flush", r.cfg.Group, oms.ErrClosed, nil)
	}
	return r.conn.reach(ctx, "flush", r.cfg.Group)
}

// Close implements oms.Receiver. It waits for a callback that is running, as
// long as ctx allows.
func (r *receiver) Close(ctx context.Context) error {
	r.leave()
	r.stop()
	r.conn.forget(r)
	select {
	case <-r.finished:
		return nil
	case <-ctx.Done():
		return interrupted("close receiver", r.cfg.Group, ctx.Err())
	}
}
