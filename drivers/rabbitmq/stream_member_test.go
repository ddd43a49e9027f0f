package rabbitmq_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// A told is what a member's callbacks were told.
type told struct {
	mu                sync.Mutex
	gaps              []oms.Gap
	assigned, revoked []oms.Partition
	at                map[oms.Partition]int64 // what OnAssigned returns
	err               error                   // the same, once
}

func (w *told) config(group, topic string) oms.ReceiverConfig {
	return oms.ReceiverConfig{
		Topics: []string{topic}, Group: group,
		OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if err := w.err; err != nil {
				w.err = nil
				return nil, err
			}
			w.assigned = append(w.assigned, ps...)
			return w.at, nil
		},
		OnRevoked: func(_ context.Context, ps []oms.Partition) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.revoked = append(w.revoked, ps...)
		},
		OnGap: func(g oms.Gap) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.gaps = append(w.gaps, g)
		},
	}
}

func (w *told) all() (gaps []oms.Gap, assigned, revoked []oms.Partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gaps, w.assigned, w.revoked
}

// of10 makes a topic with ten messages, and a group that begins at the first.
func of10(t *testing.T, c oms.Conn, topic, group string) oms.Partition {
	t.Helper()
	begin(t, c, group, topic)
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 10)...)))
	return oms.Partition{Topic: topic}
}

func TestOnAssignedSaysWhereAMemberOfStreamsBegins(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.assigned", "of-assigned-streams"
	at := of10(t, c, topic, group)
	for _, begin := range []struct {
		offset int64
		want   string
		gaps   []oms.Gap
	}{
		{7, "7", nil},
		{-1, "0", nil},
		{50, "new", []oms.Gap{{Partition: at, From: 50, To: 10}}},
	} {
		w := &told{at: map[oms.Partition]int64{at: begin.offset, {Topic: "another"}: 3}}
		r := receiver(t, c, w.config(group, topic))
		if begin.want == "new" {
			until(t, "a gap", func() bool { gaps, _, _ := w.all(); return len(gaps) > 0 })
			must(t, outcome(t, start(t, sender(t, c), &oms.Message{Topic: topic, Body: []byte("new")})))
		}
		equal(t, "what comes first", bodies(receive(t, r, 1)), []string{begin.want})
		gaps, assigned, _ := w.all()
		equal(t, "the gaps", gaps, begin.gaps)
		equal(t, "what was assigned", assigned, []oms.Partition{at})
		must(t, r.Close(within(t)))
	}
}

func TestAFailedOnAssignedOfStreamsIsCalledAgain(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.unassigned", "of-unassigned-streams"
	at := of10(t, c, topic, group)
	broken := &oms.Error{Op: "assign", Code: oms.ErrFormat, Err: errors.New("the positions are damaged")}
	w := &told{err: broken}
	r := receiver(t, c, w.config(group, topic))
	_, err := r.Receive(within(t), 1)
	want(t, "receive", err, oms.ErrFormat)
	var msgs []*oms.Message
	until(t, "the assignment", func() bool {
		msgs, err = r.Receive(within(t), 1)
		return err == nil
	})
	equal(t, "what comes first", bodies(msgs), []string{"0"})
	_, assigned, revoked := w.all()
	equal(t, "what was assigned", assigned, []oms.Partition{at})
	if len(revoked) > 0 {
		t.Errorf("%v was revoked, and never assigned before", revoked)
	}
}

func TestASeekOfAStreamLeavesBehindWhatWasTaken(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.sought", "of-sought-streams"
	at := of10(t, c, topic, group)
	r := receiver(t, c, (&told{}).config(group, topic))
	seeker := r.(oms.Seeker)
	msgs := receive(t, r, 10)
	must(t, r.Ack(within(t), msgs[:3]))
	must(t, seeker.Seek(within(t), map[oms.Partition]int64{at: 5}))
	want(t, "acknowledge what a seek left behind", r.Ack(within(t), msgs[3:4]), oms.ErrStaleDelivery)
	must(t, r.Ack(within(t), msgs[:3])) // settled before
	again := receive(t, r, 5)
	equal(t, "what comes from offset 5", bodies(again), bodies(numbered(topic, 5, 10)))
	for _, offset := range []int64{-1, 11} {
		want(t, "seek to where nothing is", seeker.Seek(within(t), map[oms.Partition]int64{at: offset}), oms.ErrInvalid)
	}
	must(t, r.Ack(within(t), again)) // they are still the member's
	want(t, "seek in a partition of others", seeker.Seek(within(t), map[oms.Partition]int64{{Topic: topic, Number: 3}: 0}), oms.ErrNotFound)
	must(t, seeker.Seek(within(t), nil))
	must(t, seeker.Seek(within(t), map[oms.Partition]int64{at: 10}))
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 10, 11)...)))
	last := receive(t, r, 1)
	equal(t, "what comes from the end", bodies(last), []string{"10"})
	must(t, seeker.Seek(within(t), map[oms.Partition]int64{at: 2}))
	must(t, r.Flush(within(t)))
	positions, err := c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
	must(t, err)
	equal(t, "positions behind a seek", positions, map[oms.Partition]int64{at: 2})
	must(t, r.Close(within(t)))
	want(t, "seek with a closed receiver", seeker.Seek(within(t), map[oms.Partition]int64{at: 0}), oms.ErrClosed)
}

func TestAPausedStreamIsSilent(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.paused", "of-paused-streams"
	at := of10(t, c, topic, group)
	r := receiver(t, c, (&told{}).config(group, topic))
	pauser := r.(oms.Pauser)
	must(t, r.Ack(within(t), receive(t, r, 1)))
	must(t, pauser.Pause(within(t), []oms.Partition{at}))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if msgs, err := r.Receive(ctx, 10); len(msgs) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a paused partition %q come, and %v", bodies(msgs), err)
	}
	must(t, pauser.Resume(within(t), []oms.Partition{at}))
	equal(t, "what comes when it goes on", bodies(receive(t, r, 9)), bodies(numbered(topic, 1, 10)))
	want(t, "pause a partition of others", pauser.Pause(within(t), []oms.Partition{{Topic: "another"}}), oms.ErrNotFound)
}

func TestReceiptsOfStreamsAreLookedAt(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.receipts", "of-receipts-of-streams"
	of10(t, c, topic, group)
	r := receiver(t, c, (&told{}).config(group, topic))
	_, err := r.Receive(within(t), 0)
	want(t, "receive no messages", err, oms.ErrInvalid)
	msgs := receive(t, r, 10)
	must(t, r.(oms.Nacker).Nack(within(t), []*oms.Message{msgs[6], msgs[2]}))
	again := receive(t, r, 2)
	equal(t, "what was given back", bodies(again), []string{"2", "6"})
	want(t, "acknowledge what was given back", r.Ack(within(t), []*oms.Message{msgs[2], msgs[0]}), oms.ErrStaleDelivery)
	want(t, "acknowledge what was not received", r.Ack(within(t), []*oms.Message{{Topic: topic}}), oms.ErrInvalid)
	must(t, r.Ack(within(t), append(again, msgs[0], msgs[1])))
	must(t, r.Flush(within(t)))
	positions, err := c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
	must(t, err)
	equal(t, "positions", positions, map[oms.Partition]int64{{Topic: topic}: 3})
	must(t, r.Close(within(t)))
	want(t, "acknowledge with a closed receiver", r.Ack(within(t), msgs[3:4]), oms.ErrClosed)
	want(t, "flush a closed receiver", r.Flush(within(t)), oms.ErrClosed)
	_, err = r.Receive(within(t), 1)
	want(t, "receive from a closed receiver", err, oms.ErrClosed)
}

// What two connections make of a group, with a topic of three partitions.
func TestMembersOfStreamsShareThemAndTakeOver(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, other := b.open(t, asStream), b.open(t, asStream)
	const topic, group, n = "streams.moving", "of-moving-streams", 60
	makeTopic(t, c, topic, 3)
	begin(t, c, group, topic)
	s := sender(t, c)
	for i := range n { // one call each: to one partition after the other
		must(t, outcome(t, start(t, s, numbered(topic, i, i+1)...)))
	}
	first, second := &told{}, &told{}
	one := receiver(t, c, first.config(group, topic))
	until(t, "having all partitions", func() bool { _, assigned, _ := first.all(); return len(assigned) == 3 })
	held := receive(t, one, n)
	must(t, one.Ack(within(t), held[:n/2]))
	two := receiver(t, other, second.config(group, topic))
	moved := make(map[oms.Partition]bool)
	until(t, "that the other has what this one gave up", func() bool { // perhaps one after the other
		_, _, gone := first.all()
		_, got, _ := second.all()
		clear(moved)
		for _, p := range got {
			moved[p] = true
		}
		return len(gone) > 0 && len(got) == len(gone) && !slices.ContainsFunc(gone, func(p oms.Partition) bool { return !moved[p] })
	})
	var due []string
	for i, m := range held {
		switch err := one.Ack(within(t), []*oms.Message{m}); {
		case i < n/2: // settled before
			must(t, err)
		case moved[m.At()]:
			want(t, "acknowledge what has moved", err, oms.ErrStaleDelivery)
			due = append(due, string(m.Body))
		default:
			must(t, err)
		}
	}
	for _, body := range take(t, two, len(due)) {
		due = slices.DeleteFunc(due, func(other string) bool { return other == body })
	}
	if len(due) > 0 {
		t.Errorf("what did not move with its partition: %q", due)
	}
	must(t, two.Close(within(t)))
	until(t, "having all partitions again", func() bool { _, assigned, revoked := first.all(); return len(assigned)-len(revoked) == 3 })
	must(t, one.Flush(within(t)))
	lag, err := other.(oms.LagReporter).Lag(within(t), group, []string{topic})
	must(t, err)
	for p, n := range lag {
		if n != 0 {
			t.Errorf("the lag of %v is %d behind all", p, n)
		}
	}
}

func TestOffsetsOfAStreamAtAPointInTime(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream), b.native(t)
	const topic = "streams.timed"
	makeTopic(t, c, topic, 1)
	at := oms.Partition{Topic: topic}
	offset := func(when time.Time) int64 {
		offsets, err := c.(oms.OffsetFinder).Offsets(within(t), []string{topic}, oms.Start{From: oms.StartAtTime, At: when})
		must(t, err)
		return offsets[at]
	}
	equal(t, "the offset of an empty stream", offset(time.Now()), int64(0))
	now := time.Now()
	second := now.Truncate(time.Second)
	for _, born := range []time.Time{second.Add(time.Millisecond), second.Add(2 * time.Millisecond), now.Add(-time.Hour), {}} {
		if born.IsZero() {
			must(t, publish(within(t), ch, topic, "k", amqp.Publishing{Body: []byte("native")}))
			continue
		}
		must(t, outcome(t, start(t, sender(t, c), &oms.Message{Topic: topic, Body: []byte("x"), BornAt: born})))
	}
	equal(t, "the offset an hour ago", offset(now.Add(-time.Hour)), int64(0))
	equal(t, "the offset of the first", offset(second.Add(time.Millisecond)), int64(0))
	equal(t, "the offset of the second", offset(second.Add(2*time.Millisecond)), int64(1))
	equal(t, "the offset behind them: of one that was sent on", offset(second.Add(3*time.Millisecond)), int64(2))
	equal(t, "the offset in an hour", offset(now.Add(time.Hour)), int64(4))
}
