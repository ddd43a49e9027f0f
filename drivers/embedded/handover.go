package embedded

import (
	"context"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// assign opens partitions and starts them, once OnAssigned has said where.
func (r *receiver) assign(ctx context.Context, s *session, ps []oms.Partition) error {
	var at map[oms.Partition]int64
	if r.cfg.OnAssigned != nil {
		var err error
		if at, err = r.cfg.OnAssigned(ctx, ps); err != nil {
			return err
		}
	}
	opened := make([]*part, 0, len(ps))
	for _, p := range ps {
		seek := int64(-1)
		if offset, ok := at[p]; ok {
			seek = max(offset, 0) // below all is the beginning
		}
		pt, err := r.open(ctx, s, p, seek)
		if err != nil {
			for _, pt := range opened {
				pt.unsubscribe()
			}
			return err
		}
		opened = append(opened, pt)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// Those that were alone before asked for more than their share is now.
	for _, pt := range r.order {
		pt.withdraw()
	}
	for _, pt := range opened {
		r.parts[pt.at] = pt
		r.order = append(r.order, pt)
	}
	r.pull()
	return nil
}

// revoke gives partitions up to another member: nothing new is handed out of
// them, OnRevoked may finish what is, acknowledgements are flushed, and only
// then the lease goes.
func (r *receiver) revoke(soft, hard context.Context, roster *roster, parts []*part) {
	r.halt(parts)
	if r.cfg.OnRevoked != nil {
		r.cfg.OnRevoked(soft, partitionsIn(parts))
	}
	r.hand(hard, roster, parts)
}

// halt ends what is coming in for the partitions. What was not handed out is
// dropped: it stays the broker's.
func (r *receiver) halt(parts []*part) {
	for _, pt := range parts {
		pt.unsubscribe()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pt := range parts {
		pt.halted = true
		pt.buffer = nil
	}
}

// hand ends the partitions here and lets others have them.
func (r *receiver) hand(hard context.Context, roster *roster, parts []*part) {
	r.mu.Lock()
	r.leaving = parts
	r.mu.Unlock()
	r.remove(parts)
	err := r.flush(hard, parts)
	r.mu.Lock()
	r.leaving = nil
	if err != nil {
		r.doubt = r.conn.fail("flush", r.cfg.Group, err)
	}
	r.mu.Unlock()
	r.giveBack(hard, roster, partitionsIn(parts))
}

// forfeit drops partitions whose session is lost.
func (r *receiver) forfeit(ctx context.Context, parts []*part) {
	if len(parts) == 0 {
		return
	}
	r.halt(parts)
	if r.cfg.OnRevoked != nil {
		r.cfg.OnRevoked(ctx, partitionsIn(parts))
	}
	defer r.remove(parts) // a Flush meanwhile finds them, or the doubt
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pt := range parts {
		if pt.dirty != nil {
			r.doubt = r.conn.code("flush", r.cfg.Group, oms.ErrStaleDelivery, "the connection was lost before the broker had all acknowledgements; what it does not have is delivered again")
		}
	}
}

// remove makes everything handed out of the partitions stale.
func (r *receiver) remove(parts []*part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pt := range parts {
		pt.over = true
		pt.window = nil
		delete(r.parts, pt.at)
		delete(r.paused, pt.at)
	}
	r.order = slices.DeleteFunc(r.order, func(pt *part) bool { return pt.over })
	r.pull()
}

func (r *receiver) giveBack(hard context.Context, roster *roster, ps []oms.Partition) {
	for _, p := range ps {
		if err := roster.release(hard, r, p); err != nil && roster.session.alive() {
			r.conn.log.Warn("a partition could not be given back", "partition", p.String(), "err", err)
		}
	}
}

func partitionsIn(parts []*part) []oms.Partition {
	ps := make([]oms.Partition, 0, len(parts))
	for _, pt := range parts {
		ps = append(ps, pt.at)
	}
	return ps
}
