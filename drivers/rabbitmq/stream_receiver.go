package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A streamReceiver is a member of a group that reads streams. Its goroutine,
// run, has partitions come and go, calls most callbacks, and notes positions;
// Receive takes what feeds deliver, on its caller's.
type streamReceiver struct {
	conn     *conn
	cfg      oms.ReceiverConfig
	ctx      context.Context //nolint:containedctx // it is the goroutine's, and ends with the receiver
	stop     context.CancelFunc
	work     chan struct{} // wakes run
	data     chan struct{} // wakes Receive
	requests chan request  // for run
	closing  chan struct{}
	finished chan struct{} // closed when run has ended
	calling  sync.Mutex    // held while a callback runs
	storing  sync.Mutex    // held while positions are noted

	mu      sync.Mutex
	closed  bool
	shelves map[oms.Partition]*shelf // that are assigned
	turns   []oms.Partition          // the order in which they are asked
	failure error                    // why nothing comes, for Receive
	lost    bool                     // acknowledgements of a former session were not noted
	scale   scale
	misfit  bool // messages have other sizes than the prefetch allows for
}

var (
	_ oms.Receiver = (*streamReceiver)(nil)
	_ oms.Nacker   = (*streamReceiver)(nil)
	_ oms.Pauser   = (*streamReceiver)(nil)
	_ oms.Seeker   = (*streamReceiver)(nil)
)

func newStreamReceiver(c *conn, cfg oms.ReceiverConfig) *streamReceiver {
	r := &streamReceiver{
		conn: c, cfg: cfg, scale: newScale(), shelves: make(map[oms.Partition]*shelf),
		work: make(chan struct{}, 1), data: make(chan struct{}, 1), requests: make(chan request),
		closing: make(chan struct{}), finished: make(chan struct{}),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	go r.run()
	return r
}

// Receive implements oms.Receiver.
func (r *streamReceiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	return receive(ctx, r.cfg.Group, limit, r.take, r.data, r.closing)
}

// take hands out at most limit messages, within the bounds, of one partition
// after the other. One may be out always, however large.
func (r *streamReceiver) take(limit int) (msgs []*oms.Message, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, &oms.Error{Code: oms.ErrClosed}
	case r.failure != nil: // one that waiting does not mend
		return nil, r.failure
	}
	var out, outBytes int
	for _, sh := range r.shelves {
		out, outBytes = out+sh.out, outBytes+sh.outBytes
	}
	fits := func(size int) bool {
		return out == 0 || out < r.cfg.MaxUnacked && outBytes+size <= r.cfg.MaxUnackedBytes
	}
	for turn := range r.turns {
		sh := r.shelves[r.turns[turn]]
		for len(msgs) < limit {
			i := sh.take(fits)
			if i == nil {
				break
			}
			out, outBytes = out+1, outBytes+i.size
			m := i.msg.Clone()
			m.Receipt = streamReceipt{owner: r, shelf: sh, item: i, attempt: i.attempt}
			msgs = append(msgs, m)
		}
	}
	if len(r.turns) > 1 {
		r.turns = append(r.turns[1:], r.turns[0])
	}
	return msgs, nil
}

// Ack implements oms.Receiver.
func (r *streamReceiver) Ack(_ context.Context, msgs []*oms.Message) error {
	tags := make(map[*feed][]uint64)
	stale, err := r.each(msgs, func(sh *shelf, i *item) {
		sh.settle(i)
		tags[i.feed] = append(tags[i.feed], i.tag)
	})
	for f, settled := range tags {
		f.ack(settled)
	}
	return r.settled("ack", stale, err)
}

// Nack implements oms.Nacker: the messages are offered again by Receive, before
// all that follow them. Other members get them when the partition goes.
func (r *streamReceiver) Nack(_ context.Context, msgs []*oms.Message) error {
	stale, err := r.each(msgs, (*shelf).giveBack)
	return r.settled("nack", stale, err)
}

func (r *streamReceiver) settled(op string, stale bool, err error) error {
	signal(r.data)
	if err == nil && stale {
		err = &oms.Error{Code: oms.ErrStaleDelivery}
	}
	return fail(op, r.cfg.Group, err)
}

// each calls f for the messages that are handed out, and reports whether there
// are some of partitions that have gone, or that were given back or left behind
// by a seek.
func (r *streamReceiver) each(msgs []*oms.Message, f func(*shelf, *item)) (stale bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, &oms.Error{Code: oms.ErrClosed}
	}
	for _, m := range msgs {
		if rc, ok := m.Receipt.(streamReceipt); !ok || rc.owner != r {
			return false, invalid(fmt.Sprintf("message %q was not received here", m.ID))
		}
	}
	for _, m := range msgs {
		rc := m.Receipt.(streamReceipt) //nolint:forcetypeassert // looked at above
		switch i := rc.item; {
		case i.settled: // before
		case rc.shelf.closed, i.dropped, !i.out, i.attempt != rc.attempt:
			stale = true
		default:
			f(rc.shelf, i)
		}
	}
	return stale, nil
}

// Flush implements oms.Receiver. When a session has ended with
// acknowledgements that were not noted, one Flush is ErrUnknown: their
// messages may come again.
func (r *streamReceiver) Flush(ctx context.Context) error {
	r.mu.Lock()
	lost, closed := r.lost, r.closed
	r.lost = false
	r.mu.Unlock()
	switch {
	case closed:
		return fail("flush", r.cfg.Group, &oms.Error{Code: oms.ErrClosed})
	case lost:
		return fail("flush", r.cfg.Group, &oms.Error{Code: oms.ErrUnknown, Err: errors.New("the session ended before the positions were noted")})
	}
	return fail("flush", r.cfg.Group, r.note(ctx))
}

// note has the broker keep how far the group has come in all partitions that
// are assigned.
func (r *streamReceiver) note(ctx context.Context) error {
	return r.conn.wait(ctx, func() error {
		r.storing.Lock()
		defer r.storing.Unlock()
		var errs []error
		for sh, offset := range r.unstored() {
			err := r.conn.store(r.ctx, r.cfg.Group, sh.part, position{sh.identity, offset})
			r.mu.Lock()
			if err == nil {
				sh.stored = offset
			}
			r.mu.Unlock()
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// unstored returns the positions that the broker does not have.
func (r *streamReceiver) unstored() map[*shelf]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[*shelf]int64)
	for _, sh := range r.shelves {
		if offset := sh.position(); offset != sh.stored {
			all[sh] = offset
		}
	}
	return all
}

// positionOf returns how far the group has come in a partition that is
// assigned.
func (r *streamReceiver) positionOf(p oms.Partition) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sh, ok := r.shelves[p]
	if !ok {
		return 0, false
	}
	return sh.position(), true
}

// Close implements oms.Receiver.
func (r *streamReceiver) Close(ctx context.Context) error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	if first {
		close(r.closing)
	}
	r.mu.Unlock()
	var err error
	if first {
		err = r.note(ctx)
	}
	r.stop()
	select {
	case <-r.finished:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	r.conn.forgetStream(r)
	return fail("close receiver", r.cfg.Group, err)
}
