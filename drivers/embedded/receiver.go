package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/omconnect/omconnect/oms"
)

// A receiver is a member of a group. Its steward, one goroutine, joins the
// group, takes and gives up partitions and calls the callbacks; messages come
// in on the goroutines of the partitions' subscriptions; Receive and Ack run
// on their callers'. What they share is under mu.
type receiver struct {
	conn    *conn
	cfg     oms.ReceiverConfig
	id      string
	closing context.CancelFunc // soft: leave in good order
	cut     context.CancelFunc // hard: at once
	done    chan struct{}      // closed when the steward has ended
	nudge   chan struct{}      // wakes the steward
	ready   chan struct{}      // wakes Receive
	hinted  atomic.Int64       // when a topic came or went

	mu      sync.Mutex
	parts   map[oms.Partition]*part
	order   []*part // of parts, for taking turns
	leaving []*part // removed from parts, and their acknowledgements not yet flushed
	next    int     // in order
	paused  map[oms.Partition]bool
	failure error // for the next Receive
	doubt   error // for the next Flush: acknowledgements that may be lost
	closed  bool
}

var (
	_ oms.Receiver = (*receiver)(nil)
	_ oms.Nacker   = (*receiver)(nil)
	_ oms.Seeker   = (*receiver)(nil)
	_ oms.Pauser   = (*receiver)(nil)
)

// OpenReceiver returns a receiver, which joins its group in the background.
func (c *conn) OpenReceiver(_ context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	const op = "open receiver"
	cfg = cfg.WithDefaults()
	if err := checkGroup(cfg.Group); err != nil {
		return nil, c.invalid(op, cfg.Group, err)
	}
	if len(cfg.Topics) == 0 {
		return nil, c.invalid(op, cfg.Group, errors.New("a receiver needs a topic"))
	}
	for _, topic := range cfg.Topics {
		if err := checkTopic(topic); err != nil {
			return nil, c.invalid(op, cfg.Group, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, c.code(op, cfg.Group, oms.ErrClosed, "the connection is closed")
	}
	cfg.Topics = slices.Compact(slices.Sorted(slices.Values(cfg.Topics)))
	r := &receiver{
		conn: c, cfg: cfg, id: memberName(c, rand.Text()[:8]),
		done: make(chan struct{}), nudge: make(chan struct{}, 1), ready: make(chan struct{}, 1),
		parts: make(map[oms.Partition]*part), paused: make(map[oms.Partition]bool),
	}
	hard, cut := context.WithCancel(context.Background())
	soft, closing := context.WithCancel(hard)
	r.closing, r.cut = closing, cut
	go r.steward(soft, hard) //nolint:contextcheck // a receiver outlives the call that opens it
	return r, nil
}

// Receive hands out what has come in, partition by partition in turn.
func (r *receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		msgs, err := r.take(limit)
		if len(msgs) > 0 || err != nil {
			return msgs, err
		}
		select {
		case <-r.ready:
		case <-r.done:
			return nil, r.conn.code("receive", r.cfg.Group, oms.ErrClosed, "the receiver is closed")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *receiver) take(limit int) ([]*oms.Message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, r.conn.code("receive", r.cfg.Group, oms.ErrClosed, "the receiver is closed")
	}
	if err := r.failure; err != nil {
		r.failure = nil
		return nil, err
	}
	buffered := 0
	for _, pt := range r.order {
		buffered += len(pt.buffer)
	}
	msgs := make([]*oms.Message, 0, min(buffered, limit))
	for range r.order {
		if len(msgs) >= limit {
			break
		}
		r.next %= len(r.order)
		pt := r.order[r.next]
		r.next++
		if !r.paused[pt.at] {
			msgs = pt.take(msgs, limit)
		}
	}
	if len(msgs) == 0 {
		r.pull() // more room is not to be waited for: there is nothing to hand out
	}
	return msgs, nil
}

func (r *receiver) wakeReceive() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *receiver) wakeSteward() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// Ack notes messages as done with, and tells the broker without waiting.
func (r *receiver) Ack(_ context.Context, msgs []*oms.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	stale := 0
	for _, m := range msgs {
		h, ok := m.Receipt.(*held)
		if !ok || h.part.receiver != r || !h.part.ack(h) {
			stale++
		}
	}
	if stale < len(msgs) {
		r.pull()
	}
	return r.stale("acknowledge", stale)
}

func (r *receiver) stale(op string, n int) error {
	if n == 0 {
		return nil
	}
	return r.conn.code(op, r.cfg.Group, oms.ErrStaleDelivery, "the messages' partition was given up, or the connection lost, since they were received")
}

// Nack has messages delivered again, before any later one of their partition
// that was not delivered yet. They stay with this member: it has the
// partition.
func (r *receiver) Nack(_ context.Context, msgs []*oms.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	stale := 0
	for _, m := range msgs {
		h, ok := m.Receipt.(*held)
		if !ok || h.part.receiver != r || !h.part.nack(h) {
			stale++
		}
	}
	r.wakeReceive()
	return r.stale("nack", stale)
}

// Pause stops handing out messages of some partitions.
func (r *receiver) Pause(_ context.Context, ps []oms.Partition) error {
	return r.setPaused(ps, true)
}

// Resume undoes Pause.
func (r *receiver) Resume(_ context.Context, ps []oms.Partition) error {
	return r.setPaused(ps, false)
}

func (r *receiver) setPaused(ps []oms.Partition, paused bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range ps {
		if r.parts[p] == nil {
			return r.conn.code("pause", p.String(), oms.ErrNotFound, "the partition is not assigned to this receiver")
		}
	}
	for _, p := range ps {
		r.paused[p] = paused
	}
	r.pull()
	r.wakeReceive()
	return nil
}

// Close flushes and leaves the group. When ctx ends first it leaves without.
func (r *receiver) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wakeReceive()
	r.closing()
	var err error
	select {
	case <-r.done:
	case <-ctx.Done():
		err = ctx.Err()
		r.cut()
		<-r.done
	}
	r.cut()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doubt != nil && err == nil {
		err, r.doubt = r.doubt, nil
	}
	return err
}

// memberName is what a receiver of a connection is called.
func memberName(c *conn, receiver string) string { return "omconnect-" + c.instance + "-" + receiver }
