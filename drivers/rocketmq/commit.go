package rocketmq

import (
	"context"
	"errors"
	"strconv"
	"time"
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
	r.mu.Lock()
	position, mine := p.position(), p.begun && !p.gone
	r.mu.Unlock()
	if !mine || position == p.committed {
		return nil
	}
	fields := map[string]string{
		"topic": p.native, "queueId": strconv.Itoa(p.queue.id), "bname": p.queue.broker,
		"consumerGroup": r.conn.options.native(r.cfg.Group), "commitOffset": strconv.FormatInt(position, 10),
	}
	// On the session's connection: with that the partition is lost.
	if _, err := p.peer.ask(ctx, r.peers.command(reqUpdateOffset, fields, nil), r.conn.options.timeout); err != nil {
		return classify("flush", p.id.String(), err)
	}
	p.committed = position
	return nil
}
