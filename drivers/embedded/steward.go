package embedded

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// How often the steward looks after things that nothing wakes it for.
const (
	extendEvery  = 15 * time.Second // tells the broker that what is held is being worked on
	othersEvery  = 3 * time.Second  // asks whether members in other processes are alive
	missingEvery = 5 * time.Second  // looks for topics that were missing
	hintEvery    = 20 * time.Millisecond
	hintHolds    = time.Second // after the broker told of a change of streams
	retryEvery   = time.Second // after a failure
)

// steward keeps the receiver a member of its group until soft is done; what is
// left to do then it may do until hard is.
func (r *receiver) steward(soft, hard context.Context) {
	defer close(r.done)
	defer func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
	}()
	for soft.Err() == nil {
		s, err := r.conn.link.wait(soft)
		if err == nil {
			err = r.serve(soft, hard, s)
		}
		if soft.Err() != nil {
			return
		}
		if errors.Is(err, oms.ErrClosed) {
			return
		}
		if err != nil {
			r.trouble(err)
			_ = sleep.For(soft, max(r.conn.link.pause(), retryEvery))
		}
	}
}

// trouble tells of a failure. What passes by itself only delays messages;
// anything else, denial for one, the next Receive returns, once for each
// attempt.
func (r *receiver) trouble(err error) {
	err = r.conn.fail("receive", r.cfg.Group, err)
	r.conn.log.Warn("a receiver has to try again", "group", r.cfg.Group, "err", err)
	if oms.IsTemporary(err) {
		return
	}
	r.mu.Lock()
	r.failure = err
	r.mu.Unlock()
	r.wakeReceive()
}

// serve is a member for as long as a session lasts.
func (r *receiver) serve(soft, hard context.Context, s *session) error {
	roster, err := r.conn.rosters.of(soft, s)
	if err == nil {
		err = roster.join(soft, r)
	}
	if err != nil {
		if !s.alive() {
			return nil
		}
		return err
	}
	defer r.depart(soft, hard, roster)
	extended := time.Now()
	for {
		wait, err := r.reconcile(soft, hard, roster)
		if err == nil {
			err = r.straighten(soft)
		}
		if err != nil && s.alive() && soft.Err() == nil {
			r.trouble(err)
			wait = retryEvery
		}
		r.tellGaps()
		timer := time.NewTimer(min(wait, r.conn.pace.extend))
		select {
		case <-r.nudge:
		case <-timer.C:
		case <-s.lost:
		case <-soft.Done():
		}
		timer.Stop()
		if !s.alive() || soft.Err() != nil {
			return nil
		}
		if time.Since(extended) > r.conn.pace.extend {
			r.extend()
			extended = time.Now()
		}
	}
}

// depart gives everything up: in good order when the receiver closes, as lost
// when the session is.
func (r *receiver) depart(soft, hard context.Context, roster *roster) {
	all := r.assigned()
	if soft.Err() == nil {
		r.forfeit(hard, all)
		return
	}
	r.halt(all)
	r.hand(hard, roster, all)
	roster.leave(hard, r)
}

func (r *receiver) assigned() []*part {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.order)
}

// reconcile makes the partitions that the receiver has those that it should
// have, and tells when to look again if nothing wakes it before.
func (r *receiver) reconcile(soft, hard context.Context, roster *roster) (time.Duration, error) {
	wait := time.Hour
	if roster.sweep(soft, r.cfg.Group) {
		wait = othersEvery
	}
	want := make(map[oms.Partition]bool)
	for _, topic := range r.cfg.Topics {
		n, err := r.conn.topics.partitions(soft, topic)
		if errors.Is(err, oms.ErrNotFound) {
			wait = min(wait, r.missing())
			continue
		}
		if err != nil {
			return 0, err
		}
		for p := range n {
			at := oms.Partition{Topic: topic, Number: p}
			if roster.owner(r.cfg.Group, at) == r.id {
				want[at] = true
			}
		}
	}
	var surplus []*part
	for _, pt := range r.assigned() {
		if !want[pt.at] || pt.isBroken() {
			surplus = append(surplus, pt)
		}
		delete(want, pt.at)
	}
	if len(surplus) > 0 {
		r.revoke(soft, hard, roster, surplus)
		r.wakeSteward() // one that was broken is wanted again
	}
	if len(want) == 0 {
		return wait, nil
	}
	taken := make([]oms.Partition, 0, len(want))
	for _, at := range slices.SortedFunc(maps.Keys(want), comparePartitions) {
		ok, err := roster.acquire(soft, r, at)
		if err != nil {
			r.giveBack(hard, roster, taken)
			return 0, err
		}
		if ok {
			taken = append(taken, at)
		} else {
			wait = min(wait, retryEvery)
		}
	}
	if len(taken) == 0 {
		return wait, nil
	}
	if err := r.assign(soft, roster.session, taken); err != nil {
		r.giveBack(hard, roster, taken)
		return 0, err
	}
	return wait, nil
}

// missing is when to look again for a topic that is not there. The server tells
// of a new stream a moment before it can be found.
func (r *receiver) missing() time.Duration {
	if time.Since(time.Unix(0, r.hinted.Load())) < hintHolds {
		return hintEvery
	}
	return r.conn.pace.missing
}

func comparePartitions(a, b oms.Partition) int {
	if a.Topic != b.Topic {
		if a.Topic < b.Topic {
			return -1
		}
		return 1
	}
	return a.Number - b.Number
}

// tellGaps tells of messages that were removed before they were read; then
// what comes behind them may be handed out.
func (r *receiver) tellGaps() {
	var gaps []oms.Gap
	r.mu.Lock()
	for _, pt := range r.order {
		gaps = append(gaps, pt.gaps...)
	}
	r.mu.Unlock()
	for _, g := range gaps {
		r.conn.log.Warn("messages were removed before they were read", "partition", g.Partition.String(), "from", g.From, "to", g.To)
		if r.cfg.OnGap != nil {
			r.cfg.OnGap(g)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pt := range r.order {
		told := 0
		for _, g := range pt.gaps {
			if slices.Contains(gaps, g) {
				told++
			}
		}
		pt.gaps = pt.gaps[told:]
	}
	if len(gaps) > 0 {
		r.wakeReceive()
	}
}
