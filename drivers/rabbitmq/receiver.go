package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A receiver is a member of a group. Its goroutine, run, keeps an intake in
// each session and calls the callbacks; Receive takes what intakes deliver, on
// its caller's.
type receiver struct {
	conn     *conn
	cfg      oms.ReceiverConfig
	ctx      context.Context //nolint:containedctx // it is the goroutine's, and ends with the receiver
	stop     context.CancelFunc
	work     chan struct{} // wakes run
	data     chan struct{} // wakes Receive
	closing  chan struct{}
	finished chan struct{} // closed when run has ended

	mu      sync.Mutex
	closed  bool
	intake  *intake // of the session that is alive; nil: none
	failure error   // why there is none, for Receive
	lost    bool    // acknowledgements of a former session were not flushed
	paused  map[string]bool
	scale   scale
}

var (
	_ oms.Receiver = (*receiver)(nil)
	_ oms.Nacker   = (*receiver)(nil)
	_ oms.Pauser   = (*receiver)(nil)
)

func newReceiver(c *conn, cfg oms.ReceiverConfig) *receiver {
	r := &receiver{
		conn: c, cfg: cfg, paused: make(map[string]bool), scale: newScale(),
		work: make(chan struct{}, 1), data: make(chan struct{}, 1),
		closing: make(chan struct{}), finished: make(chan struct{}),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	go r.run()
	return r
}

// Receive implements oms.Receiver.
func (r *receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	return receive(ctx, r.cfg.Group, limit, r.take, r.data, r.closing)
}

func (r *receiver) take(limit int) ([]*oms.Message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, &oms.Error{Code: oms.ErrClosed}
	case r.failure != nil: // one that waiting does not mend
		return nil, r.failure
	case r.intake == nil:
		return nil, nil
	}
	return r.intake.ledger.take(limit), nil
}

// Ack implements oms.Receiver.
func (r *receiver) Ack(_ context.Context, msgs []*oms.Message) error {
	in, rs, stale, err := r.receipts(msgs)
	if err != nil {
		return fail("ack", r.cfg.Group, err)
	}
	if in != nil && len(rs) > 0 {
		stale = in.ack(rs) || stale
		r.comeBack(in)
	}
	return r.stale("ack", stale)
}

// Nack implements oms.Nacker: the messages are offered again by Receive, before
// all that was delivered after them. The broker gets them back with the rest
// when the receiver closes. Returned one by one, they would come again behind
// what was prefetched, at once, and count as failed deliveries.
func (r *receiver) Nack(_ context.Context, msgs []*oms.Message) error {
	in, rs, stale, err := r.receipts(msgs)
	if err != nil {
		return fail("nack", r.cfg.Group, err)
	}
	if in != nil && len(rs) > 0 {
		stale = in.ledger.giveBack(rs) || stale
		r.comeBack(in)
	}
	return r.stale("nack", stale)
}

// comeBack wakes whoever waits for messages not to be out any more.
func (r *receiver) comeBack(in *intake) {
	signal(r.data)
	if in.ledger.isRetired() || in.ledger.isIdle() && r.isRestless(in) {
		signal(r.work)
	}
}

func (r *receiver) stale(op string, stale bool) error {
	if !stale {
		return nil
	}
	return fail(op, r.cfg.Group, &oms.Error{Code: oms.ErrStaleDelivery})
}

// receipts returns those of the session that is alive, and whether there are
// others.
func (r *receiver) receipts(msgs []*oms.Message) (in *intake, rs []receipt, stale bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, false, &oms.Error{Code: oms.ErrClosed}
	}
	rs = make([]receipt, 0, len(msgs))
	for _, m := range msgs {
		rc, ok := m.Receipt.(*receipt)
		switch {
		case !ok || rc.ledger.owner != r:
			return nil, nil, false, invalid(fmt.Sprintf("message %q was not received here", m.ID))
		case r.intake != nil && rc.ledger == r.intake.ledger: // which knows whether it is retired
			rs = append(rs, *rc)
		case !rc.ledger.isRetired(): // else it was settled before
			stale = true
		}
	}
	return r.intake, rs, stale, nil
}

// Flush implements oms.Receiver. When a session has ended with
// acknowledgements that were not flushed, one Flush is ErrUnknown: their
// messages may come again.
func (r *receiver) Flush(ctx context.Context) error {
	r.mu.Lock()
	in, lost, closed := r.intake, r.lost, r.closed
	r.lost = false
	r.mu.Unlock()
	switch {
	case closed:
		return fail("flush", r.cfg.Group, &oms.Error{Code: oms.ErrClosed})
	case lost:
		return fail("flush", r.cfg.Group, &oms.Error{Code: oms.ErrUnknown, Err: errors.New("the session ended before the broker had taken all acknowledgements")})
	case in == nil:
		return nil
	}
	return fail("flush", r.cfg.Group, r.flush(ctx, in))
}

func (r *receiver) flush(ctx context.Context, in *intake) error {
	return r.conn.wait(ctx, in.flush)
}

// Pause implements oms.Pauser: nothing is handed out any more. The broker gets
// back what was not as soon as everything that was is settled.
func (r *receiver) Pause(_ context.Context, ps []oms.Partition) error {
	return fail("pause", r.cfg.Group, r.setPaused(ps, true))
}

// Resume implements oms.Pauser.
func (r *receiver) Resume(_ context.Context, ps []oms.Partition) error {
	return fail("resume", r.cfg.Group, r.setPaused(ps, false))
}

func (r *receiver) setPaused(ps []oms.Partition, paused bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return &oms.Error{Code: oms.ErrClosed}
	}
	for _, p := range ps {
		if p.Number != 0 || r.intake == nil || !r.intake.ledger.knows(p.Topic) {
			return &oms.Error{Code: oms.ErrNotFound, Err: fmt.Errorf("partition %v is not assigned to this receiver", p)}
		}
	}
	for _, p := range ps {
		r.paused[p.Topic] = paused
		r.intake.ledger.pause(p.Topic, paused)
	}
	signal(r.work)
	signal(r.data)
	return nil
}

func (r *receiver) isPaused(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused[topic]
}

// isRestless reports whether the channel should be another: messages have other
// sizes than it allows for, or a topic is paused. Anybody may call it.
func (r *receiver) isRestless(in *intake) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, paused := range r.paused {
		if paused {
			return true
		}
	}
	return in.misfit.Load()
}

// inHand returns how many messages of a queue the receiver has.
func (r *receiver) inHand(queue string) int64 {
	r.mu.Lock()
	in := r.intake
	r.mu.Unlock()
	if in == nil {
		return 0
	}
	return in.ledger.inHand(queue)
}

// Close implements oms.Receiver.
func (r *receiver) Close(ctx context.Context) error {
	r.mu.Lock()
	in, first := r.intake, !r.closed
	r.closed = true
	if first {
		close(r.closing)
	}
	r.mu.Unlock()
	var err error
	if first && in != nil {
		err = r.flush(ctx, in)
	}
	r.stop()
	select {
	case <-r.finished:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	r.conn.forgetReceiver(r)
	return fail("close receiver", r.cfg.Group, err)
}
