package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// settleAgain is how long Close waits before it commits again what a broker
// did not confirm.
const settleAgain = 200 * time.Millisecond

// Close implements oms.Receiver. A commit that fails is tried again for as long
// as ctx allows; what is not committed then is told, and comes again.
func (r *receiver) Close(ctx context.Context) error {
	var err error
	r.closer.Do(func() {
		r.mu.Lock()
		r.closed = true
		close(r.ending)
		r.mu.Unlock()
		r.stop()
		r.tasks.Wait()
		// Nobody gives partitions up any more whose session is lost.
		err = r.settle(ctx)
		r.mu.Lock()
		all := r.sorted()
		r.mu.Unlock()
		r.leave(ctx, all)
		r.peers.close()
		r.conn.forget(r)
	})
	return err
}

// settle commits what is acknowledged, for as long as ctx allows: a broker that
// is slow to answer, or away for a moment, is asked again.
func (r *receiver) settle(ctx context.Context) error {
	r.mu.Lock()
	open := r.sorted()
	r.mu.Unlock()
	var failed []error
	for {
		var again []*part
		var unsure []error
		for _, p := range open {
			err := r.settlePart(ctx, p)
			switch {
			case err == nil:
			case oms.IsTemporary(err):
				again, unsure = append(again, p), append(unsure, err)
			default:
				failed = append(failed, err)
			}
		}
		if len(again) == 0 || sleep.For(ctx, settleAgain) != nil {
			return errors.Join(append(failed, unsure...)...)
		}
		open = again
	}
}

func (r *receiver) settlePart(ctx context.Context, p *part) error {
	p.committing.Lock()
	position, open := r.uncommitted(p)
	p.committing.Unlock()
	if !open {
		return nil
	}
	if err := r.regain(ctx, p, position); err != nil {
		return err
	}
	return r.commit(ctx, p)
}

// regain takes up a partition again whose session or lock is lost. The broker
// gives the lock to one member at a time: with it, nobody else reads the
// partition. Somebody may have done so in between, and be further; what is
// acknowledged here is not put in the place of that.
func (r *receiver) regain(ctx context.Context, p *part, position int64) error {
	const op = "flush"
	if p.peer.alive() && !r.isRobbed(p) {
		return nil
	}
	session, err := r.peers.to(ctx, p.peer.address)
	if err != nil {
		return classify(op, p.id.String(), unsure(p, position, err))
	}
	got, err := r.lock(ctx, session, []*part{p})
	if err != nil {
		return classify(op, p.id.String(), unsure(p, position, err))
	}
	fields := map[string]string{
		"topic": p.native, "queueId": strconv.Itoa(p.queue.id), "bname": p.queue.broker,
		"consumerGroup": r.conn.options.native(r.cfg.Group), "setZeroIfNotFound": "false",
	}
	a, err := session.ask(ctx, r.peers.command(reqQueryOffset, fields, nil), r.conn.options.timeout)
	stored := int64(-1)
	if err == nil {
		stored, err = fieldOffset(a, "offset")
	}
	if err != nil && codeOf(err) != oms.ErrNotFound {
		return classify(op, p.id.String(), unsure(p, position, err))
	}
	if stored == position { // it came through, and its answer did not
		p.committing.Lock()
		p.committed = position
		p.committing.Unlock()
		return nil
	}
	if len(got) == 0 || stored > position && stored != p.committed {
		return r.conn.code(op, p.id.String(), oms.ErrStaleDelivery, fmt.Sprintf(
			"another member took the partition before offset %d was committed, and goes on at %d: messages from there come again", position, max(stored, 0)))
	}
	r.mu.Lock()
	p.robbed = false
	r.mu.Unlock()
	p.peer = session
	return nil
}

// unsure says what is not known after a commit that failed: it may have been
// done all the same.
func unsure(p *part, position int64, err error) error {
	return fmt.Errorf("offset %d may not be committed, and messages from offset %d on may come again: %w", position, max(p.committed, 0), err)
}
