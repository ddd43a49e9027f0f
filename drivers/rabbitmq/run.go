package rabbitmq

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

const (
	lookAgain    = time.Second     // for topics that are missing
	bindAgain    = 5 * time.Second // for topics that were deleted and made anew: the broker does not tell
	patientLooks = 10              // seconds, before a channel is urged to end
	enterFirst   = 100 * time.Millisecond
	enterMost    = 2 * time.Second
)

// run keeps an intake in each session until the receiver is closed.
func (r *receiver) run() {
	defer close(r.finished)
	wait := enterFirst
	for r.ctx.Err() == nil {
		s, err := r.conn.in.session(r.ctx)
		var in *intake
		if err == nil {
			in, err = r.enter(s)
		}
		if err != nil {
			r.report(err)
			r.pause(wait, r.conn.in.changed())
			wait = min(2*wait, enterMost)
			continue
		}
		r.mu.Lock()
		r.intake, r.failure = in, nil
		r.paused = make(map[string]bool) // a pause ends with the session
		r.mu.Unlock()
		in, err = r.serve(in)
		r.drop(in)
		if err == nil {
			wait = enterFirst
			continue
		}
		r.report(err)
		r.pause(wait, r.conn.in.changed())
		wait = min(2*wait, enterMost)
	}
}

// report has Receive tell of a failure, if waiting does not mend it. Nil is that
// there is none any more.
func (r *receiver) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = fail("receive", r.cfg.Group, err)
	r.failure = nil
	switch code := oms.CodeOf(err); code {
	case oms.ErrAborted, oms.ErrClosed, oms.ErrNotFound, oms.ErrHeld:
	default:
		if err != nil && !code.Temporary() {
			r.failure = err
			signal(r.data)
		}
	}
}

// pause waits for d, for news of the link, or for the end.
func (r *receiver) pause(d time.Duration, news <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-news:
	case <-r.ctx.Done():
	}
}

// serve attaches the topics that are there, and looks after them until the
// session ends or the receiver closes. It returns the intake at last, and what
// ended it if that was done here.
func (r *receiver) serve(in *intake) (*intake, error) {
	look, bind := time.NewTicker(lookAgain), time.NewTicker(bindAgain)
	defer look.Stop()
	defer bind.Stop()
	binding := false
	for {
		failed := r.tend(in, binding)
		if in.dead() || r.ctx.Err() != nil {
			return in, failed
		}
		r.report(failed)
		if in.ledger.isRetired() || r.wantsRenewal(in) && in.ledger.retire() {
			next, err := r.renew(in)
			if err != nil {
				return in, err
			}
			in = next
			continue
		}
		if in.hasSurplus() || in.starved {
			next, err := r.handOver(in)
			if err != nil {
				return in, err
			}
			in = next
			continue
		}
		binding = false
		select {
		case <-in.over:
			return in, nil
		case <-r.ctx.Done():
			return in, nil
		case <-r.work:
		case <-look.C:
			r.urge(in)
		case <-bind.C:
			binding = true
		}
	}
}

// tend has all topics be as they should. What is consumed is known before
// anything is, because queues share what may be out. An error is the first of
// those that topics have.
func (r *receiver) tend(in *intake, binding bool) (failed error) {
	attach := func(topic string) error {
		if sub := in.subjects[topic]; sub == nil || sub.ended.Load() || binding {
			return in.attach(topic)
		}
		return nil
	}
	consume := func(topic string) error {
		if sub := in.subjects[topic]; sub != nil && !r.isPaused(topic) {
			return in.consume(sub)
		}
		return nil
	}
	for _, step := range []func(string) error{attach, consume} {
		for _, topic := range r.cfg.Topics {
			if in.dead() || r.ctx.Err() != nil {
				return failed
			}
			if err := step(topic); err != nil && failed == nil {
				failed = err
			}
		}
	}
	return failed
}

// wantsRenewal reports whether topics are consumed that are paused, queues that
// are another member's, or any with a prefetch that does not fit.
func (r *receiver) wantsRenewal(in *intake) bool {
	for topic, sub := range in.subjects {
		if len(sub.consumed) > 0 && r.isPaused(topic) {
			return true
		}
	}
	return in.isMisfit() || in.hasSurplus()
}

// urge helps a channel end whose prefetch does not fit, and which has never a
// moment in which nothing is out: now and then nothing more is handed out for a
// second. Whoever keeps what is out until more comes, where more was dropped,
// has that behind a hand-over.
func (r *receiver) urge(in *intake) {
	if in.isMisfit() {
		in.looks++
	}
	in.ledger.rest(in.isMisfit() && in.looks%patientLooks == 0)
	in.starved = in.ledger.look() >= patientLooks
	signal(r.data)
}

// renew goes on with another channel of the session. Nothing is handed out, so
// nobody notices; the broker has back, in its place, what was delivered ahead.
func (r *receiver) renew(in *intake) (*intake, error) {
	next, err := r.reopen(in)
	if err != nil {
		return nil, err
	}
	for topic, sub := range in.subjects {
		next.subjects[topic] = newSubject(topic)
		next.subjects[topic].bindings = sub.bindings
		next.ledger.know(topic)
	}
	next.queues = in.queues
	r.mu.Lock()
	for topic, paused := range r.paused {
		next.ledger.pause(topic, paused)
	}
	r.intake = next
	r.mu.Unlock()
	in.ledger.close()
	return next, nil
}

// reopen ends a channel behind its acknowledgements, and opens another in the
// session. The queues have back what was not acknowledged when it returns.
func (r *receiver) reopen(in *intake) (*intake, error) {
	if err := in.flush(); err != nil {
		r.mu.Lock()
		r.lost = true
		r.mu.Unlock()
		return nil, err
	}
	in.finish()
	next, err := r.openIntake(in.session, in.slot, in.roster)
	if err != nil {
		return nil, err
	}
	next.queues, next.unsure = in.queues, true
	if err := next.flush(); err != nil { // the queues are asked
		next.finish()
		return nil, err
	}
	next.queues = nil
	return next, nil
}

// handOver gives queues up to other members while messages are handed out. The
// receiver finishes what it can in OnRevoked; the broker has the rest back, in
// its place, before the next member gets any of it. What stays in the share is
// assigned anew: a topic is one partition here.
func (r *receiver) handOver(in *intake) (*intake, error) {
	in.ledger.halt()
	in.revoked = true
	ctx, cancel := context.WithCancel(r.ctx)
	told := make(chan struct{})
	go func() {
		defer cancel()
		select {
		case <-in.over: // nothing can be acknowledged any more
		case <-told:
		}
	}()
	r.tellRevoked(ctx, in)
	close(told)
	next, err := r.reopen(in)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.intake = next
	r.paused = make(map[string]bool) // a pause ends with the partitions
	r.mu.Unlock()
	in.ledger.close()
	return next, nil
}

// tellRevoked calls OnRevoked for all partitions of an intake.
func (r *receiver) tellRevoked(ctx context.Context, in *intake) {
	ps := in.partitions()
	slices.SortFunc(ps, func(a, b oms.Partition) int { return strings.Compare(a.Topic, b.Topic) })
	if r.cfg.OnRevoked != nil && len(ps) > 0 {
		r.cfg.OnRevoked(ctx, ps)
	}
}

// drop ends an intake. Its partitions have gone, without warning unless it is
// the receiver that closes.
func (r *receiver) drop(in *intake) {
	r.mu.Lock()
	r.intake = nil
	r.mu.Unlock()
	in.ledger.close()
	in.close()
	if r.ctx.Err() != nil {
		return
	}
	if in.isUnsure() {
		r.mu.Lock()
		r.lost = true
		r.mu.Unlock()
	}
	if !in.revoked {
		r.tellRevoked(r.ctx, in)
	}
}
