package rocketmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

var errNotAssigned = errors.New("the partition is not assigned to this receiver")

// assigned returns the parts of partitions that messages may come from. With
// one that is not assigned the whole call fails. The lock must be held.
func (r *receiver) assigned(op string, ps []oms.Partition) ([]*part, error) {
	if r.closed {
		return nil, r.conn.code(op, r.cfg.Group, oms.ErrClosed, "the receiver is closed")
	}
	parts := make([]*part, len(ps))
	for i, id := range ps {
		p := r.parts[id]
		if p == nil || !p.active {
			return nil, &oms.Error{Op: op, Driver: Name, Target: id.String(), Code: oms.ErrNotFound, Err: errNotAssigned}
		}
		parts[i] = p
	}
	return parts, nil
}

// Pause implements oms.Pauser. A pause ends with the assignment.
func (r *receiver) Pause(_ context.Context, ps []oms.Partition) error { return r.setPaused(ps, true) }

// Resume implements oms.Pauser.
func (r *receiver) Resume(_ context.Context, ps []oms.Partition) error {
	return r.setPaused(ps, false)
}

func (r *receiver) setPaused(ps []oms.Partition, paused bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	parts, err := r.assigned("pause or resume", ps)
	if err != nil {
		return err
	}
	for _, p := range parts {
		p.paused = paused
		if paused {
			// What waits here takes no room from other partitions.
			r.free(p.putBack())
			if p.abort != nil {
				p.abort()
			}
		}
		signal(p.kick)
	}
	signal(r.data)
	return nil
}

// Seek implements oms.Seeker. Offsets go up to the end, where the next message
// will be stored. What was received before cannot be acknowledged any more.
func (r *receiver) Seek(ctx context.Context, to map[oms.Partition]int64) error {
	const op = "seek"
	ps := make([]oms.Partition, 0, len(to))
	for id := range to {
		ps = append(ps, id)
	}
	r.mu.Lock()
	_, err := r.assigned(op, ps)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	for id, offset := range to {
		route, err := r.conn.routes.of(ctx, id.Topic)
		if err != nil {
			return classify(op, id.String(), err)
		}
		q, err := route.at(id.Topic, id.Number)
		if err != nil {
			return classify(op, id.String(), err)
		}
		_, next, err := r.conn.bounds(ctx, route, q)
		if err != nil {
			return classify(op, id.String(), err)
		}
		if offset > next {
			return invalid(op, id.String(), fmt.Errorf("offset %d is behind the end, which is %d", offset, next))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	parts, err := r.assigned(op, ps) // they may have gone meanwhile
	if err != nil {
		return err
	}
	for _, p := range parts {
		r.free(p.drain())
		p.next = max(to[p.id], 0)
		p.gap = nil
		if p.abort != nil {
			p.abort() // a pull that waits where nobody is any more
		}
		signal(p.kick)
	}
	return nil
}
