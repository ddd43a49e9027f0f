package embedded

import (
	"context"
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

// Seek moves the receiver within its partitions: the message at the offset, or
// the next there is, comes next. What was handed out of them is stale. When one
// of the offsets is negative or beyond the end, or a partition is not assigned,
// none is moved.
func (r *receiver) Seek(ctx context.Context, to map[oms.Partition]int64) error {
	parts := make([]*part, 0, len(to))
	for p, offset := range to {
		r.mu.Lock()
		pt := r.parts[p]
		r.mu.Unlock()
		if pt == nil {
			return r.conn.code("seek", p.String(), oms.ErrNotFound, "the partition is not assigned to this receiver")
		}
		if offset < 0 {
			return r.conn.invalid("seek", p.String(), fmt.Errorf("offset %d is negative", offset))
		}
		end, err := r.conn.offsetOf(ctx, p, oms.Start{From: oms.StartLatest})
		if err != nil {
			return r.conn.fail("seek", p.String(), err)
		}
		if offset > end {
			return r.conn.invalid("seek", p.String(), fmt.Errorf("there is no offset %d, only up to %d", offset, end))
		}
		parts = append(parts, pt)
	}
	for _, pt := range parts {
		if err := r.move(ctx, pt, to[pt.at]); err != nil {
			return r.conn.fail("seek", pt.at.String(), err)
		}
	}
	return nil
}

// move replaces a part by one at another offset. The lease stays.
func (r *receiver) move(ctx context.Context, old *part, offset int64) error {
	r.halt([]*part{old})
	pt, err := r.open(ctx, old.session, old.at, offset)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parts[old.at] != old {
		if err == nil {
			pt.unsubscribe()
		}
		return r.conn.code("seek", old.at.String(), oms.ErrStaleDelivery, "the partition was given up meanwhile")
	}
	if err != nil {
		old.broken = true // the steward starts over where the broker is
		r.wakeSteward()
		return err
	}
	old.over = true
	old.window = nil
	r.parts[pt.at] = pt
	for i, other := range r.order {
		if other == old {
			r.order[i] = pt
		}
	}
	r.wakeSteward() // there may be a gap to tell of
	r.pull()
	return nil
}
