package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// Seek implements oms.Seeker. The group's position moves too. What is out of
// these partitions can no longer be acknowledged. An offset that is removed is
// a gap; one behind the end is ErrInvalid, and then no partition is moved.
func (r *receiver) Seek(ctx context.Context, to map[oms.Partition]int64) error {
	const op = "seek"
	ps := slices.Collect(maps.Keys(to))
	if err := r.each(op, ps, nil); err != nil {
		return err
	}
	ends, err := r.conn.offsetsOf(ctx, ps, sarama.OffsetNewest)
	if err != nil {
		return classify(op, r.cfg.Group, err)
	}
	for p, offset := range to {
		if offset < 0 || offset > ends[p] {
			return fail(op, p.String(), oms.ErrInvalid, fmt.Errorf("there is no offset %d, only up to %d", offset, ends[p]))
		}
	}
	return r.each(op, ps, func(c *claim) { //nolint:contextcheck // what flows outlives the call
		c.moveTo(to[c.id])
		c.start()
	})
}

// Pause implements oms.Pauser. What was fetched and not delivered is dropped,
// and fetched again when the partition is resumed. A pause ends with the
// assignment.
func (r *receiver) Pause(_ context.Context, ps []oms.Partition) error {
	return r.each("pause", ps, func(c *claim) {
		c.paused = true
		c.stop()
	})
}

// Resume implements oms.Pauser.
func (r *receiver) Resume(_ context.Context, ps []oms.Partition) error {
	return r.each("resume", ps, func(c *claim) {
		if c.paused {
			c.paused = false
			c.start()
		}
	})
}

// each does something with each of the partitions, or with none when one of
// them is not assigned to the receiver.
func (r *receiver) each(op string, ps []oms.Partition, do func(*claim)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fail(op, r.cfg.Group, oms.ErrClosed, nil)
	}
	for _, p := range ps {
		if c := r.claims[p]; c == nil || !c.active {
			return fail(op, p.String(), oms.ErrNotFound, errors.New("the partition is not assigned to this receiver"))
		}
	}
	if do != nil {
		for _, p := range ps {
			do(r.claims[p])
		}
		signal(r.data)
	}
	return nil
}
