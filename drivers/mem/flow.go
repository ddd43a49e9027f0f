package mem

import (
	"context"
	"maps"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// Seek implements oms.Seeker. The group's position moves too. What is out of
// these partitions can no longer be acknowledged. An offset before the start
// of what is retained is a gap; one behind the end is ErrInvalid, and then no
// partition is moved.
func (r *receiver) Seek(ctx context.Context, to map[oms.Partition]int64) error {
	const op = "seek"
	return r.eachOwned(ctx, op, slices.Collect(maps.Keys(to)), func(c *cursor) error {
		if offset := to[c.id]; offset < 0 || offset > c.log.end() {
			return invalid(op, c.id.String(), "there is no offset %d, only up to %d", offset, c.log.end())
		}
		return nil
	}, func(c *cursor) {
		c.moveTo(to[c.id])
		c.generation = r.broker.nextGeneration()
	})
}

// Pause implements oms.Pauser. A partition that moves is no longer paused.
func (r *receiver) Pause(ctx context.Context, ps []oms.Partition) error {
	return r.eachOwned(ctx, "pause", ps, nil, func(c *cursor) { c.paused = true })
}

// Resume implements oms.Pauser.
func (r *receiver) Resume(ctx context.Context, ps []oms.Partition) error {
	return r.eachOwned(ctx, "resume", ps, nil, func(c *cursor) { c.paused = false })
}

// eachOwned does something with each of the partitions, or with none when one
// of them is not assigned to the receiver or does not pass the check.
func (r *receiver) eachOwned(ctx context.Context, op string, ps []oms.Partition, check func(*cursor) error, do func(*cursor)) error {
	if err := r.Flush(ctx); err != nil { // which is to say: reach the broker
		return err
	}
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	cs := make([]*cursor, 0, len(ps))
	for _, id := range ps {
		c := r.group.cursors[id]
		if c == nil || c.owner != r || !c.active {
			return failure(op, id.String(), oms.ErrNotFound, errNotAssigned)
		}
		if check != nil {
			if err := check(c); err != nil {
				return err
			}
		}
		cs = append(cs, c)
	}
	for _, c := range cs {
		do(c)
	}
	signal(r.data)
	return nil
}
