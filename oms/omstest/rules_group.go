package omstest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

func checkAssignment(b *bench) {
	const partitions, n = 4, 80
	topic := b.topic(partitions)
	group := b.group(topic)
	p := b.producer()
	first := b.seat(group, topic)
	first.awaitPartitions(partitions)
	second := b.seat(group, topic)
	b.seated(partitions, group, []string{topic}, first, second)
	seats := []*seat{first, second}
	b.send(p, b.spread(topic, 0, n)...)
	b.reap(reaping{members: members(seats...), want: numbers(0, n), handle: func(i int, msgs []*oms.Message) error {
		for _, m := range msgs {
			if !seats[i].everOwned(m.At()) {
				return fmt.Errorf("a message of partition %v came to a member that was not told of it", m.At())
			}
		}
		return unlessStale(seats[i].Ack(b.ctx, msgs...))
	}})
	second.leave()
	first.awaitPartitions(partitions)
}

// A revocation is partitions going away from a member that settles a part of
// what it has of them.
type revocation struct {
	b    *bench
	seat *seat
	held []*oms.Message

	mu     sync.Mutex
	going  map[oms.Partition]bool // OnRevoked has been called and has not returned
	acked  map[string]bool
	wrongs []error
}

// settle is the member's OnRevoked: it acknowledges the first half of what it
// holds of each partition, and gives the other member time to be too early.
func (r *revocation) settle(ctx context.Context, ps []oms.Partition) {
	r.mu.Lock()
	for _, p := range ps {
		r.going[p] = true
	}
	r.mu.Unlock()
	for _, p := range ps {
		mine := of(r.held, p)
		half := mine[:len(mine)/2]
		err := r.seat.Ack(ctx, half...)
		r.mu.Lock()
		if err != nil {
			r.wrongs = append(r.wrongs, fmt.Errorf("acknowledge in OnRevoked: %w", err))
		} else {
			for _, m := range half {
				r.acked[string(m.Body)] = true
			}
		}
		r.mu.Unlock()
	}
	pause(ctx, r.b.h.quiet())
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.going)
}

// of returns the messages of a partition.
func of(msgs []*oms.Message, p oms.Partition) []*oms.Message {
	var out []*oms.Message
	for _, m := range msgs {
		if m.At() == p {
			out = append(out, m)
		}
	}
	return out
}

func checkRevocation(b *bench) {
	const partitions, n = 4, 80
	topic := b.topic(partitions)
	group := b.group(topic)
	b.send(b.producer(), b.spread(topic, 0, n)...)
	first := b.seat(group, topic)
	r := &revocation{b: b, seat: first, going: make(map[oms.Partition]bool), acked: make(map[string]bool)}
	r.held = first.get(n)
	first.beforeRevoked(r.settle)
	second := b.seat(group, topic)
	got := b.reap(reaping{
		members: members(second), linger: b.h.quiet(),
		handle: func(_ int, msgs []*oms.Message) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, m := range msgs {
				if r.going[m.At()] {
					return fmt.Errorf("message %q came to the next owner before OnRevoked of the one before had returned", m.Body)
				}
			}
			return nil
		},
		enough: func(got []catch) bool {
			has := second.owned()
			came := byBody(got)
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, m := range r.held {
				if has[m.At()] && !r.acked[string(m.Body)] && came[string(m.Body)] == nil {
					return false
				}
			}
			return len(has) > 0
		},
	})
	first.beforeRevoked(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	b.ok("revocation", errors.Join(r.wrongs...))
	for _, c := range got {
		if r.acked[string(c.msg.Body)] {
			b.fail("message %q was acknowledged in OnRevoked and came to the next owner", c.msg.Body)
		}
	}
}
