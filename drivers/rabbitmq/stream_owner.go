package rabbitmq

import (
	"context"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// occupy makes a partition the member's own, and reports whether it is: until
// another has given it up it is not.
func (t *tenure) occupy(p oms.Partition) (bool, error) {
	r := t.receiver
	name := ownerQueue(r.cfg.Group, p)
	if err := tooLong(name); err != nil {
		return false, err
	}
	if !r.conn.slots.take(name, 0) {
		return false, nil // another receiver of this connection has it
	}
	err := r.conn.hold(r.ctx, t.session, name, func() { r.conn.slots.free(name, 0) })
	if isCode(err, amqp.ResourceLocked) {
		return false, nil
	}
	return err == nil, err
}

// vacate lets another member have a partition.
func (t *tenure) vacate(p oms.Partition) {
	name := ownerQueue(t.receiver.cfg.Group, p)
	t.session.release(name)
	t.receiver.conn.slots.free(name, 0)
}

// during returns a context that ends with the session.
func (t *tenure) during() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.receiver.ctx)
	go func() {
		select {
		case <-t.session.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// release gives partitions up. The member finishes what it can in OnRevoked;
// the rest is the next one's.
func (t *tenure) release(ps []oms.Partition) {
	if len(ps) == 0 {
		return
	}
	r := t.receiver
	ctx, cancel := t.during()
	defer cancel()
	r.mu.Lock()
	for _, p := range ps {
		r.shelves[p].halted = true
	}
	r.mu.Unlock()
	r.tellRevoked(ctx, ps)
	err := r.note(ctx)
	for _, p := range ps {
		sh := r.leave(p, err != nil)
		r.closeFeed(t.session, sh)
		t.vacate(p)
	}
}

// leave takes a partition away from the receiver. Unsure is that its position
// may be lost.
func (r *streamReceiver) leave(p oms.Partition, unsure bool) *shelf {
	r.mu.Lock()
	defer r.mu.Unlock()
	sh := r.shelves[p]
	sh.closed = true
	r.lost = r.lost || unsure && sh.position() != sh.stored
	delete(r.shelves, p)
	r.turns = slices.DeleteFunc(r.turns, func(other oms.Partition) bool { return other == p })
	return sh
}

// end is for a session that has ended, or a receiver that closes. Partitions
// have gone without warning unless it is the receiver that closes.
func (t *tenure) end() {
	r := t.receiver
	r.mu.Lock()
	ps := slices.Clone(r.turns)
	r.mu.Unlock()
	for _, p := range ps {
		sh := r.leave(p, r.ctx.Err() == nil)
		r.closeFeed(t.session, sh)
		t.vacate(p)
	}
	if r.ctx.Err() == nil && len(ps) > 0 {
		r.tellRevoked(r.ctx, ps)
	}
	t.roster.end()
	r.conn.leave(t.session, r.cfg.Group, t.slot)
}
