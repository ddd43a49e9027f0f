package rabbitmq_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// Whoever does not know where a group is says so, and begins nowhere, until
// somebody has decided that the group begins anew.
func TestAPositionThatNobodyUnderstandsIsNotGuessed(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream), b.native(t)
	const topic, group = "streams.damaged", "of-damaged-streams"
	of10(t, c, topic, group)
	queue := "oms.position:" + group + ":" + topic + ":0"
	must(t, publish(within(t), ch, "", queue, amqp.Publishing{Body: []byte("9 identity 5")}))
	w := &told{}
	r := receiver(t, c, w.config(group, topic))
	_, err := r.Receive(within(t), 1)
	want(t, "receive from a position that is damaged", err, oms.ErrFormat)
	_, err = c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
	want(t, "positions", err, oms.ErrFormat)
	_, err = c.(oms.LagReporter).Lag(within(t), group, []string{topic})
	want(t, "the lag", err, oms.ErrFormat)
	want(t, "making the group", c.(oms.GroupAdmin).EnsureGroup(within(t), group, []string{topic}, oms.Start{}), oms.ErrFormat)
	_, assigned, _ := w.all()
	equal(t, "what was assigned", assigned, []oms.Partition(nil))
	_, err = ch.QueueDelete(queue, false, false, false)
	must(t, err)
	var msgs []*oms.Message
	until(t, "beginning anew", func() bool {
		msgs, err = r.Receive(within(t), 1)
		return err == nil
	})
	equal(t, "what comes then", bodies(msgs), []string{"0"})
}

// The broker confirms what is for a queue that is missing.
func TestAPositionIsNotedThoughItsStreamWasDeleted(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream), b.native(t)
	const topic, group = "streams.forgotten", "of-forgotten-streams"
	at := of10(t, c, topic, group)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	msgs := receive(t, r, 10)
	must(t, r.Ack(within(t), msgs[:4]))
	must(t, r.Flush(within(t)))
	_, err := ch.QueueDelete("oms.position:"+group+":"+topic+":0", false, false, false)
	must(t, err)
	equal(t, "positions without their stream", positionsOf(t, c, group, topic), map[oms.Partition]int64{})
	must(t, r.Ack(within(t), msgs[4:7]))
	must(t, r.Flush(within(t)))
	equal(t, "positions behind a flush", positionsOf(t, c, group, topic), map[oms.Partition]int64{at: 7})
	must(t, r.Close(within(t)))
	equal(t, "what comes next", bodies(consume(t, c, group, topic, 3)), bodies(numbered(topic, 7, 10)))
}

// Without a Flush they are noted, too, a moment later.
func TestPositionsAreNotedByThemselves(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.noted", "of-noted-streams"
	at := of10(t, c, topic, group)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	must(t, r.Ack(within(t), receive(t, r, 6)))
	until(t, "noting", func() bool { return positionsOf(t, c, group, topic)[at] == 6 })
}

// A group that begins late has nothing of what was before, and the same place
// when it is made again.
func TestAGroupBeginsOnce(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, early, late = "streams.begun", "of-early-streams", "of-late-streams"
	at := of10(t, c, topic, early)
	join := func(group string, from oms.StartFrom) {
		t.Helper()
		must(t, c.(oms.GroupAdmin).EnsureGroup(within(t), group, []string{topic}, oms.Start{From: from}))
	}
	join(late, oms.StartLatest)
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 10, 12)...)))
	join(late, oms.StartEarliest)
	join(early, oms.StartLatest)
	equal(t, "positions of the late one", positionsOf(t, c, late, topic), map[oms.Partition]int64{at: 10})
	equal(t, "positions of the early one", positionsOf(t, c, early, topic), map[oms.Partition]int64{at: 0})
	equal(t, "what the late one gets", bodies(consume(t, c, late, topic, 2)), []string{"10", "11"})
	lag, err := c.(oms.LagReporter).Lag(within(t), early, []string{topic})
	must(t, err)
	equal(t, "the lag of the early one", lag, map[oms.Partition]int64{at: 12})
}

// A program that has the queue by which members know of each other keeps them
// out, and lets them in when it goes.
func TestAPartitionThatIsOccupiedIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream), b.native(t)
	const topic, group = "streams.occupied", "of-occupied-streams"
	at := of10(t, c, topic, group)
	queue := "oms.owner:" + group + ":" + topic + ":0"
	_, err := ch.QueueDeclare(queue, false, false, true, false, nil)
	must(t, err)
	w := &told{}
	r := receiver(t, c, w.config(group, topic))
	until(t, "being a member", func() bool {
		members, err := c.(oms.GroupAdmin).Members(within(t), group, []string{topic})
		must(t, err)
		return len(members) == 1
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if msgs, err := r.Receive(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a partition that is another's %q come, and %v", bodies(msgs), err)
	}
	_, err = ch.QueueDelete(queue, false, false, false)
	must(t, err)
	equal(t, "what comes when it is free", bodies(receive(t, r, 10)), bodies(numbered(topic, 0, 10)))
	_, assigned, _ := w.all()
	equal(t, "what was assigned", assigned, []oms.Partition{at})
}

// Two of the members have one connection, which the broker takes for one.
func TestAStreamHasOneReaderOfAGroupAtATime(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, other := b.open(t, asStream), b.open(t, asStream)
	const topic, group, members = "streams.single", "of-single-streams", 3
	begin(t, c, group, topic)
	s, crew, sent := sender(t, c), newCrew(t), 0
	all := func() bool {
		must(t, outcome(t, start(t, s, numbered(topic, sent, sent+10)...)))
		sent += 10
		until(t, "that nothing is left", func() bool { return crew.count() == sent })
		return true
	}
	var receivers []oms.Receiver
	for n := range members {
		of := c
		if n == 1 {
			of = other
		}
		receivers = append(receivers, receiver(t, of, oms.ReceiverConfig{Topics: []string{topic}, Group: group}))
		crew.hire(n, 1, receivers[n])
		all()
	}
	for _, r := range receivers {
		all()
		must(t, r.Close(within(t)))
	}
	crew.running.Wait()
	equal(t, "what is not in order", crew.disorder, []string(nil))
	equal(t, "positions", positionsOf(t, c, group, topic), map[oms.Partition]int64{{Topic: topic}: int64(sent)})
}

// A member waits for a topic that is made later, and for all of its partitions.
func TestAMemberOfStreamsWaitsForItsTopic(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group, n = "streams.late", "of-streams-to-come", 12
	w := &told{}
	r := receiver(t, c, w.config(group, topic))
	until(t, "being a member", func() bool {
		members, err := c.(oms.GroupAdmin).Members(within(t), group, []string{topic})
		must(t, err)
		return len(members) == 1
	})
	makeTopic(t, c, topic, 3)
	s := sender(t, c)
	for i := range n { // one call each: to one partition after the other
		must(t, outcome(t, start(t, s, numbered(topic, i, i+1)...)))
	}
	seen := make(map[string]bool)
	for _, body := range take(t, r, n) {
		seen[body] = true
	}
	equal(t, "how many messages come", len(seen), n)
	must(t, r.Flush(within(t)))
	var behind int64
	for _, offset := range positionsOf(t, c, group, topic) {
		behind += offset
	}
	equal(t, "all positions together", behind, int64(n))
	_, assigned, _ := w.all()
	equal(t, "how many partitions were assigned", len(assigned), 3)
}

// A broker that is busy takes its time until it gives what a stream has.
func TestAPositionIsNotOverlooked(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const topic, group, readers, looks = "streams.kept", "of-kept-streams", 8, 40
	c := b.open(t, asStream)
	at := of10(t, c, topic, group)
	r := receiver(t, c, oms.ReceiverConfig{Group: group, Topics: []string{topic}})
	must(t, r.Ack(within(t), receive(t, r, 10)))
	must(t, r.Close(within(t)))
	var reading sync.WaitGroup
	for range readers {
		other := b.open(t, asStream).(oms.GroupPositioner)
		reading.Go(func() {
			for range looks {
				got, err := other.Positions(within(t), group, []string{topic})
				if offset, ok := got[at]; err != nil || !ok || offset != 10 {
					t.Errorf("the positions are %v, %v, want 10", got, err)
				}
			}
		})
	}
	reading.Wait()
}

// Whoever gives up while a stream is looked at is not told that it is empty.
func TestALookThatIsGivenUpIsAnError(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic = "streams.unlooked"
	makeTopic(t, c, topic, 1)
	for wait := time.Millisecond; wait < 100*time.Millisecond; wait += 2 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		got, err := c.(oms.OffsetFinder).Offsets(ctx, []string{topic}, oms.Start{})
		if err == nil {
			t.Errorf("the offsets within %v, in which no stream can be seen to be empty: %v", wait, got)
		}
		cancel()
	}
}
