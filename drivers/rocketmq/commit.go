package rocketmq

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// commitEvery is how often positions are committed that nobody flushes: a
// member that is killed repeats no more than that, and the lag comes to 0.
const commitEvery = time.Second

// commits commits what is acknowledged, until the receiver closes. It has a
// goroutine of its own: a commit may wait for its answer, and neither messages
// nor the renewal of locks may wait for that.
func (r *receiver) commits(ctx context.Context) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
			r.conn.log.Debug("commit; it is tried again", "group", r.cfg.Group, "error", err)
		}
	}
}

// Flush implements oms.Receiver.
func (r *receiver) Flush(ctx context.Context) error {
	r.mu.Lock()
	all := r.sorted()
	r.mu.Unlock()
	var errs []error
	for _, p := range all {
		if err := r.commit(ctx, p); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// commit tells the broker how far the partition is done. A later position is
// never overtaken by an earlier one.
func (r *receiver) commit(ctx context.Context, p *part) error {
	p.committing.Lock()
	defer p.committing.Unlock()
	position, open := r.uncommitted(p)
	if !open {
		return nil
	}
	if r.isRobbed(p) { // it is not ours to move
		return r.conn.code("flush", p.id.String(), oms.ErrStaleDelivery, "another member took the partition before its acknowledgements were committed: their messages come again")
	}
	fields := map[string]string{
		"topic": p.native, "queueId": strconv.Itoa(p.queue.id), "bname": p.queue.broker,
		"consumerGroup": r.conn.options.native(r.cfg.Group), "commitOffset": strconv.FormatInt(position, 10),
	}
	// On the session's connection: with that the partition is lost.
	if _, err := p.peer.ask(ctx, r.peers.command(reqUpdateOffset, fields, nil), r.conn.options.timeout); err != nil {
		return classify("flush", p.id.String(), unsure(p, position, err))
	}
	p.committed = position
	return nil
}

// uncommitted is how far the partition is done, if the broker was not told. The
// caller holds committing.
func (r *receiver) uncommitted(p *part) (position int64, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	position = p.position()
	return position, p.begun && !p.gone && position != p.committed
}

func (r *receiver) isRobbed(p *part) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.robbed
}
