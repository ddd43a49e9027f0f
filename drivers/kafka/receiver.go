package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// A receiver is a member of a group. Its goroutine run joins the group and
// makes every callback; each claim has one that fetches; while there is a
// generation, one sends heartbeats.
type receiver struct {
	conn     *conn
	cfg      oms.ReceiverConfig
	instance string          // of a static member, else ""
	client   sarama.Client   // for fetching
	consumer sarama.Consumer // of the client
	ctx      context.Context //nolint:containedctx // of the goroutines, ends with Close
	end      context.CancelFunc
	flows    sync.WaitGroup
	work     chan struct{} // wakes run
	data     chan struct{} // wakes Receive
	closing  chan struct{}
	finished chan struct{} // closed when run has ended
	flushing chan struct{} // held by who commits

	mu           sync.Mutex
	closed       bool
	member       string // as the coordinator calls it
	generation   int32  // of the group
	claims       map[oms.Partition]*claim
	order        []*claim // the same, in one and the same order
	first        int      // the claim to begin with, so that each has its turn
	generations  int64    // how many of claims there were
	unacked      int      // fetched, and not acknowledged
	unackedBytes int
	room         chan struct{}   // closed when something has left; nil if nobody waits for it
	failure      error           // for the next Receive
	fenced       error           // for every Receive: another member has this one's name
	lost         []oms.Partition // without warning, and OnRevoked was not told
	renewed      []string        // topics that went, whose positions are of no use
	lostAcks     bool            // acknowledgements did not get through, and no Flush has said so
}

var (
	_ oms.Receiver = (*receiver)(nil)
	_ oms.Seeker   = (*receiver)(nil)
	_ oms.Pauser   = (*receiver)(nil)
)

func newReceiver(c *conn, cfg oms.ReceiverConfig, instance string) (*receiver, error) {
	cfg.Topics = slices.Clone(cfg.Topics)
	slices.Sort(cfg.Topics)
	cfg.Topics = slices.Compact(cfg.Topics)
	const fetch, least, most = 1 << 20, 16, 256
	// Each time the channel is full or empty costs as much as some messages do.
	// It is as long as the largest messages may be many.
	channel := min(max(least, cfg.MaxUnackedBytes/c.options.maxMessage), most, cfg.MaxUnacked)
	client, err := c.newClient(func(s *sarama.Config) {
		// What the client library holds of a partition is one fetch and its
		// channel. A reader that does not come is parked, others go on.
		s.Consumer.Fetch.Default = int32(min(fetch, cfg.MaxUnackedBytes)) //nolint:gosec // at most a MiB
		s.ChannelBufferSize = channel
	})
	if err != nil {
		return nil, err
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	r := &receiver{
		conn: c, cfg: cfg, instance: instance, client: client, consumer: consumer,
		work: make(chan struct{}, 1), data: make(chan struct{}, 1), closing: make(chan struct{}),
		finished: make(chan struct{}), flushing: make(chan struct{}, 1),
		claims: make(map[oms.Partition]*claim),
	}
	r.ctx, r.end = context.WithCancel(context.Background())
	go r.run()
	return r, nil
}

// Receive implements oms.Receiver.
func (r *receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	if limit < 1 {
		return nil, fail("receive", r.cfg.Group, oms.ErrInvalid, fmt.Errorf("at most %d messages is none", limit))
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		taken, n, err := r.take(limit)
		if err != nil {
			return nil, err
		}
		if n > 0 { // what is made of it needs no lock
			d, msgs := newDecoder(n), make([]*oms.Message, 0, n)
			for _, t := range taken {
				msgs = d.deliver(msgs, t)
			}
			return msgs, nil
		}
		select {
		case <-r.data:
		case <-r.closing:
		case <-ctx.Done():
		}
	}
}

// take takes up to limit messages out of the queues: n, of one or more claims.
func (r *receiver) take(limit int) (taken []delivery, n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, 0, fail("receive", r.cfg.Group, oms.ErrClosed, nil)
	}
	if r.fenced != nil {
		return nil, 0, r.fenced
	}
	if err, r.failure = r.failure, nil; err != nil {
		return nil, 0, err
	}
	begin := r.first
	for i := range r.order {
		at := (begin + i) % len(r.order)
		if some := min(r.order[at].ready(), limit-n); some > 0 {
			taken = append(taken, r.order[at].deliver(some))
			n += some
			r.first = at + 1
		}
	}
	return taken, n, nil
}

// hasRoom reports whether one more message may be out. One always may, however
// large. The caller holds mu.
func (r *receiver) hasRoom(size int) bool {
	return r.unacked == 0 || r.unacked < r.cfg.MaxUnacked && r.unackedBytes+size <= r.cfg.MaxUnackedBytes
}

// leave makes room. The caller holds mu.
func (r *receiver) leave(count, bytes int) {
	if count == 0 {
		return
	}
	r.unacked -= count
	r.unackedBytes -= bytes
	if r.room != nil {
		close(r.room)
		r.room = nil
	}
}

func (r *receiver) newGeneration() int64 {
	r.generations++
	return r.generations
}

// reorder brings the order of claims up to date. The caller holds mu.
func (r *receiver) reorder() {
	r.order = r.order[:0]
	for _, c := range r.claims {
		r.order = append(r.order, c)
	}
	slices.SortFunc(r.order, func(a, b *claim) int { return comparePartitions(a.id, b.id) })
}

// Ack implements oms.Receiver.
func (r *receiver) Ack(_ context.Context, msgs []*oms.Message) error {
	const op = "ack"
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fail(op, r.cfg.Group, oms.ErrClosed, nil)
	}
	var err error
	count, bytes := 0, 0
	defer func() { r.leave(count, bytes) }() // once: it may wake every flow
	for _, m := range msgs {
		rc, ok := m.Receipt.(*receipt)
		if !ok || rc.claim.receiver != r {
			return fail(op, m.Topic, oms.ErrInvalid, fmt.Errorf("message %q was not received here", m.ID))
		}
		c, b, ok := rc.claim.ack(rc)
		if !ok {
			err = fail(op, m.Topic, oms.ErrStaleDelivery, nil)
		}
		count, bytes = count+c, bytes+b
	}
	return err
}

// complain has a failure told by the next Receive, if waiting does not mend
// it.
func (r *receiver) complain(err error) {
	if err == nil || oms.IsTemporary(err) || errors.Is(err, oms.ErrAborted) || errors.Is(err, oms.ErrStaleDelivery) ||
		errors.Is(err, oms.ErrNotFound) && !errors.As(err, new(outOfRangeError)) {
		return
	}
	r.mu.Lock()
	r.failure = err
	r.mu.Unlock()
	signal(r.data)
}

// fence ends what the receiver may receive: whoever has its name now is not to
// lose it again.
func (r *receiver) fence() {
	r.mu.Lock()
	r.fenced = fail("receive", r.cfg.Group, oms.ErrFenced, fmt.Errorf("another member has come with the name %q: group.instance.id has to differ between gateways", r.instance))
	r.mu.Unlock()
	signal(r.data)
	<-r.ctx.Done()
}

// Close implements oms.Receiver. It tells nobody of partitions that go: whoever
// closes has settled before.
func (r *receiver) Close(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	close(r.closing)
	for _, c := range r.order {
		c.active = false
		c.stop()
	}
	r.mu.Unlock()
	err := r.flush(ctx)
	r.end()
	_ = r.client.Close() // which ends the fetching at once
	select {
	case <-r.finished:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	r.conn.forget(r, r.cfg.Group, r.instance)
	return classify("close receiver", r.cfg.Group, err)
}
