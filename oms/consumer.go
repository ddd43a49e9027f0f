package oms

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// A PullConsumer hands out messages to whoever asks. Receive is called by one
// goroutine at a time, everything else from any.
type PullConsumer struct {
	client   *Client
	receiver Receiver
	receive  ReceiveFunc

	mu   sync.Mutex
	eras map[Partition]era
}

// An era is a time during which a partition is this consumer's, or nobody's
// that it knows of.
type era struct {
	number int // how often the partition has gone away
	ours   bool
}

// open opens the receiver, and has it tell c of partitions that come and go.
func (c *PullConsumer) open(ctx context.Context, cfg ReceiverConfig) error {
	assigned, revoked := cfg.OnAssigned, cfg.OnRevoked
	cfg.OnAssigned = func(ctx context.Context, ps []Partition) (map[Partition]int64, error) {
		c.mu.Lock()
		for _, p := range ps {
			c.eras[p] = era{number: c.eras[p].number, ours: true}
		}
		c.mu.Unlock()
		if assigned == nil {
			return nil, nil
		}
		return assigned(ctx, ps)
	}
	cfg.OnRevoked = func(ctx context.Context, ps []Partition) {
		c.mu.Lock()
		for _, p := range ps {
			c.eras[p] = era{number: c.eras[p].number + 1}
		}
		c.mu.Unlock()
		if revoked != nil {
			revoked(ctx, ps)
		}
	}
	r, err := c.client.conn.OpenReceiver(ctx, cfg.WithDefaults())
	if err != nil {
		return err
	}
	c.receiver, c.receive = r, c.stamp
	for _, wrap := range slices.Backward(c.client.receive) {
		c.receive = wrap(c.receive)
	}
	return nil
}

// stamp receives messages and has them remember the era of their partition.
//
// A partition may go away while the driver is being asked. Its messages are
// left out then. If it has come back meanwhile as well, nobody can tell which
// era they are of, and they are given back.
func (c *PullConsumer) stamp(ctx context.Context, limit int) ([]*Message, error) {
	c.mu.Lock()
	before := maps.Clone(c.eras)
	c.mu.Unlock()
	msgs, err := c.receiver.Receive(ctx, limit)
	var unclear []*Message
	c.mu.Lock()
	kept := msgs[:0:len(msgs)]
	var at Partition // of the message before: they come in runs
	var now, then era
	for i, m := range msgs {
		if p := m.At(); i == 0 || p != at {
			at, now, then = p, c.eras[p], before[p]
		}
		m.era = now.number
		switch {
		case now.number == then.number:
			kept = append(kept, m)
		case now.ours:
			unclear = append(unclear, m)
		}
	}
	c.mu.Unlock()
	if len(unclear) == 0 {
		return kept, err
	}
	if nerr := c.Nack(ctx, unclear...); nerr != nil && !errors.Is(nerr, ErrStaleDelivery) {
		return append(kept, unclear...), err // better handled twice than never
	}
	return kept, err
}

// Owned returns those of the received messages whose partition has not gone to
// another member since: that one gets the others again, and they must not be
// handled here any more.
func (c *PullConsumer) Owned(msgs []*Message) []*Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var at Partition // as in stamp
	now := -1
	return slices.DeleteFunc(slices.Clone(msgs), func(m *Message) bool {
		if p := m.At(); now < 0 || p != at {
			at, now = p, c.eras[p].number
		}
		return m.era != now
	})
}

// Receive waits for at least one message and returns at most limit of them.
// When none came within wait it returns none and nil. Messages that have
// expired are acknowledged and left out.
func (c *PullConsumer) Receive(ctx context.Context, limit int, wait time.Duration) ([]*Message, error) {
	timed, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		msgs, err := c.receive(timed, limit)
		if err != nil {
			if timed.Err() != nil && ctx.Err() == nil && errors.Is(err, timed.Err()) {
				return nil, nil
			}
			return nil, err
		}
		if msgs, err = c.live(ctx, msgs); len(msgs) > 0 || err != nil {
			return msgs, err
		}
	}
}

// live acknowledges the expired messages and returns the others.
func (c *PullConsumer) live(ctx context.Context, msgs []*Message) ([]*Message, error) {
	now := time.Now()
	var expired []*Message
	for _, m := range msgs {
		if m.Expired(now) {
			expired = append(expired, m)
		}
	}
	if expired == nil {
		return msgs, nil
	}
	live := make([]*Message, 0, len(msgs)-len(expired))
	for _, m := range msgs {
		if !m.Expired(now) {
			live = append(live, m)
		}
	}
	return live, c.receiver.Ack(ctx, expired)
}

// Ack notes that messages are done with, in any order. Messages of an earlier
// session give ErrStaleDelivery: they come again, to whoever has their
// partition now.
func (c *PullConsumer) Ack(ctx context.Context, msgs ...*Message) error {
	return c.receiver.Ack(ctx, msgs)
}

// Flush returns when every Ack so far is durable at the broker.
func (c *PullConsumer) Flush(ctx context.Context) error { return c.receiver.Flush(ctx) }

// Nack gives messages back, to be delivered again to whoever is next.
func (c *PullConsumer) Nack(ctx context.Context, msgs ...*Message) error {
	n, err := optional[Nacker](c.client, c.receiver, Nack)
	if err != nil {
		return err
	}
	return n.Nack(ctx, msgs)
}

// Seek moves the consumer within its assigned partitions.
func (c *PullConsumer) Seek(ctx context.Context, to map[Partition]int64) error {
	s, err := optional[Seeker](c.client, c.receiver, Seek)
	if err != nil {
		return err
	}
	return s.Seek(ctx, to)
}

// Pause stops the flow of some of the assigned partitions.
func (c *PullConsumer) Pause(ctx context.Context, ps ...Partition) error {
	p, err := optional[Pauser](c.client, c.receiver, PauseReceive)
	if err != nil {
		return err
	}
	return p.Pause(ctx, ps)
}

// Resume undoes Pause.
func (c *PullConsumer) Resume(ctx context.Context, ps ...Partition) error {
	p, err := optional[Pauser](c.client, c.receiver, PauseReceive)
	if err != nil {
		return err
	}
	return p.Resume(ctx, ps)
}

// Close flushes the acknowledgements and leaves the group.
func (c *PullConsumer) Close(ctx context.Context) error { return c.receiver.Close(ctx) }
