package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A receiver is a member of a group. The goroutine run joins, takes partitions
// and gives them up, and makes every callback; keep renews what is held;
// commits tells the brokers what is acknowledged; each partition has one that
// pulls.
type receiver struct {
	conn   *conn
	cfg    oms.ReceiverConfig
	name   string
	peers  *peers // its own: brokers know members by their connections
	work   chan struct{}
	data   chan struct{}
	ending chan struct{}
	stop   context.CancelFunc
	tasks  sync.WaitGroup
	closer sync.Once

	locking sync.Mutex // held while locks are renewed or given back; before mu

	mu           sync.Mutex
	closed       bool
	parts        map[oms.Partition]*part
	turn         int
	unacked      int
	unackedBytes int
	lost         []oms.Partition
	failure      error // that the next Receive returns
	roster       []string
	late         map[string]bool // topics that were not there when the receiver came, or have gone since

	greeted map[string]*peer // by address, that know the receiver; of the goroutine run
}

var (
	_ oms.Receiver = (*receiver)(nil)
	_ oms.Nacker   = (*receiver)(nil)
	_ oms.Seeker   = (*receiver)(nil)
	_ oms.Pauser   = (*receiver)(nil)
)

// OpenReceiver returns a receiver. It does not dial: the member joins in the
// background.
func (c *conn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	const op = "open receiver"
	if err := c.options.checkGroup(cfg.Group); err != nil {
		return nil, invalid(op, cfg.Group, err)
	}
	if len(cfg.Topics) == 0 {
		return nil, invalid(op, cfg.Group, errors.New("a receiver names at least one topic"))
	}
	cfg.Topics = slices.Compact(slices.Sorted(slices.Values(cfg.Topics)))
	for _, topic := range cfg.Topics {
		if err := c.options.checkTopic(topic); err != nil {
			return nil, invalid(op, topic, err)
		}
	}
	c.mu.Lock()
	c.members++
	number := c.members
	c.mu.Unlock()
	r := &receiver{
		conn: c, cfg: cfg.WithDefaults(), name: memberName(c.instance, number, cfg.Topics),
		work: make(chan struct{}, 1), data: make(chan struct{}, 1), ending: make(chan struct{}),
		parts: make(map[oms.Partition]*part), late: make(map[string]bool), greeted: make(map[string]*peer),
	}
	r.peers = newPeers(&c.options, func(code int) {
		if code == reqMembersChanged {
			signal(r.work)
		}
	})
	if err := c.keep(op, r); err != nil {
		return nil, err
	}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.tasks.Go(func() { r.run(ctx) })
	r.tasks.Go(func() { r.keep(ctx) })
	r.tasks.Go(func() { r.commits(ctx) })
	return r, nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Receive implements oms.Receiver.
func (r *receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	if limit < 1 {
		return nil, invalid("receive", r.cfg.Group, fmt.Errorf("at most %d messages is none", limit))
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		msgs, err := r.hand(limit)
		if len(msgs) > 0 || err != nil {
			return msgs, err
		}
		select {
		case <-r.data:
		case <-r.ending:
		case <-ctx.Done():
		}
	}
}

// hand returns what is ready. Partitions take turns.
func (r *receiver) hand(limit int) (msgs []*oms.Message, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, r.conn.code("receive", r.cfg.Group, oms.ErrClosed, "the receiver is closed")
	}
	if err, r.failure = r.failure, nil; err != nil {
		return nil, err
	}
	all := r.sorted()
	r.turn++
	for i := range all {
		p := all[(i+r.turn)%len(all)]
		if !p.active || p.paused || p.gap != nil {
			continue
		}
		n := min(limit-len(msgs), len(p.ready))
		msgs = append(msgs, p.ready[:n]...)
		p.ready = p.ready[n:]
	}
	return msgs, nil
}

// sorted returns the partitions that are held. The lock must be held.
func (r *receiver) sorted() []*part {
	return slices.SortedFunc(maps.Values(r.parts), func(a, b *part) int {
		if a.id.Topic != b.id.Topic {
			if a.id.Topic < b.id.Topic {
				return -1
			}
			return 1
		}
		return a.id.Number - b.id.Number
	})
}

// Ack implements oms.Receiver.
func (r *receiver) Ack(_ context.Context, msgs []*oms.Message) error {
	return r.eachDelivery("acknowledge", msgs, func(p *part, m *oms.Message) {
		records, bytes := p.settle(m.Offset)
		r.free(records, bytes)
	})
}

// Nack implements oms.Nacker.
func (r *receiver) Nack(_ context.Context, msgs []*oms.Message) error {
	return r.eachDelivery("give back", msgs, func(p *part, m *oms.Message) {
		p.giveBack(m)
		signal(r.data)
	})
}

// eachDelivery calls f for the messages that are still this receiver's.
func (r *receiver) eachDelivery(op string, msgs []*oms.Message, f func(*part, *oms.Message)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return r.conn.code(op, r.cfg.Group, oms.ErrClosed, "the receiver is closed")
	}
	var stale error
	for _, m := range msgs {
		rc, ok := m.Receipt.(receipt)
		if !ok || r.parts[rc.part.id] != rc.part || rc.part.gone || rc.generation != rc.part.generation || rc.offset != m.Offset {
			stale = r.conn.code(op, m.At().String(), oms.ErrStaleDelivery, "the partition is held anew, or by another member")
			continue
		}
		f(rc.part, m)
	}
	return stale
}

// free makes room for more. The lock must be held.
func (r *receiver) free(records, bytes int) {
	if records == 0 {
		return
	}
	r.unacked -= records
	r.unackedBytes -= bytes
	for _, p := range r.parts {
		p.full = false
		signal(p.kick)
	}
}
