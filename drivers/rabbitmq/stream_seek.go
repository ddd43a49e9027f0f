package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

// A request is something for the receiver's goroutine to do between other
// things.
type request struct {
	do   func(*tenure) error
	done chan error
}

var errNotAssigned = errors.New("it is not assigned to this receiver")

// Pause implements oms.Pauser: nothing is handed out any more. What the broker
// has delivered stays.
func (r *streamReceiver) Pause(_ context.Context, ps []oms.Partition) error {
	return fail("pause", r.cfg.Group, r.setPaused(ps, true))
}

// Resume implements oms.Pauser.
func (r *streamReceiver) Resume(_ context.Context, ps []oms.Partition) error {
	return fail("resume", r.cfg.Group, r.setPaused(ps, false))
}

func (r *streamReceiver) setPaused(ps []oms.Partition, paused bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.assigned(ps); err != nil {
		return err
	}
	for _, p := range ps {
		r.shelves[p].paused = paused
	}
	signal(r.data)
	return nil
}

// assigned refuses partitions that are not the receiver's. The caller holds mu.
func (r *streamReceiver) assigned(ps []oms.Partition) error {
	if r.closed {
		return &oms.Error{Code: oms.ErrClosed}
	}
	for _, p := range ps {
		if sh := r.shelves[p]; sh == nil || sh.halted {
			return &oms.Error{Code: oms.ErrNotFound, Err: fmt.Errorf("partition %v: %w", p, errNotAssigned)}
		}
	}
	return nil
}

// Seek implements oms.Seeker. Offsets that a partition does not have are
// ErrInvalid, and then nothing is moved. The positions follow with the next
// Flush, or by themselves a little later.
func (r *streamReceiver) Seek(ctx context.Context, to map[oms.Partition]int64) error {
	var ps []oms.Partition
	for p := range to {
		ps = append(ps, p)
	}
	r.mu.Lock()
	err := r.assigned(ps)
	r.mu.Unlock()
	if err != nil || len(ps) == 0 {
		return fail("seek", r.cfg.Group, err)
	}
	q := request{do: func(t *tenure) error { return t.seek(ctx, to) }, done: make(chan error, 1)}
	select {
	case r.requests <- q:
		err = <-q.done
	case <-r.closing:
		err = &oms.Error{Code: oms.ErrClosed}
	case <-ctx.Done():
		err = ctx.Err()
	}
	return fail("seek", r.cfg.Group, err)
}

// seek has partitions go on elsewhere. What was taken of them is dropped.
func (t *tenure) seek(ctx context.Context, to map[oms.Partition]int64) error {
	r := t.receiver
	var ps []oms.Partition
	for p, offset := range to {
		e, err := r.conn.edgesOf(ctx, p)
		if err != nil {
			return err
		}
		if offset < e.first || offset > e.next {
			return invalid(fmt.Sprintf("partition %v has the offsets %d to %d, %d is none of them", p, e.first, e.next, offset))
		}
		ps = append(ps, p)
	}
	r.mu.Lock()
	err := r.assigned(ps)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	moved := make([]*shelf, 0, len(ps))
	for _, p := range ps {
		r.mu.Lock()
		sh := r.shelves[p]
		r.mu.Unlock()
		r.closeFeed(t.session, sh)
		r.mu.Lock()
		sh.clear(to[p])
		r.mu.Unlock()
		moved = append(moved, sh)
	}
	return t.open(moved)
}
