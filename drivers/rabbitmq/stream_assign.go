package rabbitmq

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// assign has partitions that were occupied begin: where OnAssigned says, or at
// the group's positions. When that fails, nothing is assigned, and all of it is
// tried again.
func (t *tenure) assign(ps []oms.Partition) error {
	if len(ps) == 0 {
		return nil
	}
	r := t.receiver
	ctx, cancel := t.during()
	defer cancel()
	shelves, err := t.positions(ctx, ps)
	if err == nil {
		err = r.tellAssigned(ctx, ps, shelves)
	}
	var gaps []oms.Gap
	if err == nil {
		if gaps, err = t.within(ctx, ps, shelves); err != nil && r.ctx.Err() == nil {
			r.tellRevoked(r.ctx, ps)
		}
	}
	if err != nil {
		for _, p := range ps {
			t.vacate(p)
		}
		return err
	}
	for _, gap := range gaps {
		r.tellGap(gap)
	}
	begin := make([]*shelf, 0, len(ps))
	r.mu.Lock()
	for _, p := range ps {
		r.shelves[p] = shelves[p]
		r.turns = append(r.turns, p)
		begin = append(begin, shelves[p])
	}
	r.mu.Unlock()
	return t.open(begin)
}

// open has shelves filled from their next offsets on. One where that fails is
// tried again later, and holds up no other. An error is the first of those.
func (t *tenure) open(shelves []*shelf) (failed error) {
	prefetch := t.prefetch()
	for _, sh := range shelves {
		if err := t.receiver.openFeed(t.session, sh, prefetch); err != nil {
			t.receiver.fail(sh)
			failed = cmp.Or(failed, err)
		}
	}
	return failed
}

// fail notes that nothing comes. It is tried again.
func (r *streamReceiver) fail(sh *shelf) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sh.ended = true
}

// positions returns shelves that begin at the group's positions.
func (t *tenure) positions(ctx context.Context, ps []oms.Partition) (map[oms.Partition]*shelf, error) {
	r := t.receiver
	shelves := make(map[oms.Partition]*shelf, len(ps))
	for _, p := range ps {
		identity := t.topics[p.Topic].identity
		offset, err := r.conn.settlePosition(ctx, r.cfg.Group, p, identity, r.cfg.Start)
		if err != nil {
			return nil, err
		}
		shelves[p] = &shelf{part: p, identity: identity, next: offset, stored: offset}
	}
	return shelves, nil
}

// tellAssigned calls OnAssigned, and has partitions begin where it says.
func (r *streamReceiver) tellAssigned(ctx context.Context, ps []oms.Partition, shelves map[oms.Partition]*shelf) error {
	if r.cfg.OnAssigned == nil {
		return nil
	}
	r.calling.Lock()
	at, err := r.cfg.OnAssigned(ctx, sorted(ps))
	r.calling.Unlock()
	if err != nil {
		return err
	}
	for p, offset := range at {
		if sh := shelves[p]; sh != nil {
			sh.next = offset
		}
	}
	return nil
}

// within has shelves begin where their stream has something, and returns the
// gaps that this makes. A negative offset is the beginning. One offset is the
// broker's own at the beginning of a segment: what is in front of it may have
// been read and removed.
func (t *tenure) within(ctx context.Context, ps []oms.Partition, shelves map[oms.Partition]*shelf) (gaps []oms.Gap, err error) {
	for _, p := range ps {
		r, sh := t.receiver, shelves[p]
		r.mu.Lock()
		from := sh.next
		r.mu.Unlock()
		e, err := r.conn.edgesBehind(ctx, p, from)
		if err != nil {
			return nil, err
		}
		to := min(max(from, e.first), e.next)
		r.mu.Lock()
		if to < from { // another stream: what was taken of the former one is not in it
			sh.clear(to)
		}
		sh.next = to
		r.mu.Unlock()
		if from >= 0 && to != from && to != from+1 {
			gaps = append(gaps, oms.Gap{Partition: p, From: from, To: to})
		}
	}
	return gaps, nil
}

// prefetch is how many messages a stream may have out to us: a share of what
// the receiver may have, also of partitions that are other members' now.
func (t *tenure) prefetch() int {
	r := t.receiver
	all := 0
	for _, topic := range t.topics {
		all += topic.partitions
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.cfg.MaxUnacked, r.cfg.MaxUnackedBytes/r.scale.typical)
	return max(1, min(n/max(1, all), mostPrefetch))
}

// reopen has other consumers take over: where messages have become larger or
// much smaller than they were taken to be, with a prefetch that fits, and where
// the broker ended one, as it does when a message is in hand for long. What was
// taken stays.
func (t *tenure) reopen() error {
	r, fits := t.receiver, t.prefetch()
	var again []*shelf
	var ended []oms.Partition
	shelves := make(map[oms.Partition]*shelf)
	r.mu.Lock()
	for p, sh := range r.shelves {
		switch {
		case sh.ended && time.Since(sh.opened) >= lookAgain:
			ended, shelves[p] = append(ended, p), sh
			again = append(again, sh)
		case r.misfit && !sh.ended && (sh.full || sh.feed.prefetch != fits):
			again = append(again, sh)
		}
	}
	r.misfit = false
	r.mu.Unlock()
	for _, sh := range again {
		r.closeFeed(t.session, sh)
	}
	gaps, err := t.within(r.ctx, ended, shelves)
	if err != nil {
		for _, sh := range again {
			r.fail(sh)
		}
		return err
	}
	for _, gap := range gaps {
		r.tellGap(gap)
	}
	return t.open(again)
}

// tellRevoked calls OnRevoked.
func (r *streamReceiver) tellRevoked(ctx context.Context, ps []oms.Partition) {
	if r.cfg.OnRevoked == nil {
		return
	}
	r.calling.Lock()
	defer r.calling.Unlock()
	r.cfg.OnRevoked(ctx, sorted(ps))
}

// tellGap calls OnGap.
func (r *streamReceiver) tellGap(g oms.Gap) {
	if r.cfg.OnGap == nil {
		return
	}
	r.calling.Lock()
	defer r.calling.Unlock()
	r.cfg.OnGap(g)
}

func sorted(ps []oms.Partition) []oms.Partition {
	return slices.SortedFunc(slices.Values(ps), func(a, b oms.Partition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	})
}
