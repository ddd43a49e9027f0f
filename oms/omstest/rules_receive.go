package omstest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var receiveRules = []Rule{
	{ID: "R01", Sentence: "A group gets what was sent before its first member joined, and what is sent after.", check: checkSentBeforeAndAfter},
	{ID: "R02", Sentence: "A group gets the messages of its own topics only.", check: checkTopicsApart},
	{ID: "R03", Sentence: "The members of a group share its messages: each comes to one of them, once.", check: checkShare},
	{ID: "R04", Sentence: "Each of two groups gets every message, whatever the other one acknowledges.", Needs: []oms.Capability{oms.Groups}, check: checkTwoGroups},
	{
		ID: "R06", Sentence: "A new group begins where its Start says: at the oldest message, at those sent from now on, or at a point in time.",
		Needs: []oms.Capability{oms.Backlog}, check: checkStart,
	},
	{ID: "R07", Sentence: "A Receive that runs out of time returns no messages: the consumer's no error, the receiver's that of its context.", check: checkNothing},
	{ID: "R08", Sentence: "Receive returns as soon as there is a message, and never more than it was asked for.", check: checkLimit},
	{ID: "R09", Sentence: "No more than MaxUnacked messages are handed out that are not acknowledged.", check: checkUnackedBound},
	{ID: "R10", Sentence: "A member that has as many messages as it may gets more when it has acknowledged some.", check: checkSaturated},
	{
		ID: "R11", Sentence: "A partition that is paused is silent, the others are not, and resumed it has lost nothing.",
		Needs: []oms.Capability{oms.PauseReceive, oms.Partitioned}, check: checkPause,
	},
	{ID: "R12", Sentence: "What a handler fails on is offered again, and is the next member's when the consumer ends.", check: checkHandler},
	{
		ID: "R14", Sentence: "A member whose topic is deleted goes on when the topic is made again.",
		Needs: []oms.Capability{oms.CreateTopic, oms.DeleteTopic}, check: checkTopicReturns,
	},
	{
		ID: "R15", Sentence: "Many consumers of one client get all that is theirs, all at once.",
		Needs: []oms.Capability{oms.Groups}, check: checkManyConsumers,
	},
	{ID: "R16", Sentence: "A cancelled Receive returns at once, and what a member leaves unacknowledged goes to the next.", check: checkCancel},
}

func checkSentBeforeAndAfter(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	var want []string
	if b.caps.Has(oms.ManageGroups) || b.caps.Has(oms.Backlog) {
		b.send(p, numbered(topic, 0, 20)...)
		want = numbers(0, 20)
	}
	m := b.member(group, topic)
	b.exactly("what was sent before", caught(b.reap(reaping{members: []*member{m}, want: want})), want)
	b.send(p, numbered(topic, 20, 40)...)
	b.exactly("what was sent after", caught(b.reap(reaping{members: []*member{m}, want: numbers(20, 40)})), numbers(20, 40))
}

func checkTopicsApart(b *bench) {
	const n = 30
	first := b.topic(2)
	second := b.topicNamed(first+"-0", 1) // brokers make such names themselves
	third := b.topicNamed(first+"-x", 1)
	p := b.producer()
	groups := map[string][]string{
		b.group(first): {first}, b.group(second): {second}, b.group(second, third): {second, third},
	}
	want := make(map[string][]string)
	for i := range n {
		for _, topic := range []string{first, second, third} {
			body := fmt.Sprintf("%d of %s", i, topic)
			b.send(p, &oms.Message{Topic: topic, Body: []byte(body)})
			want[topic] = append(want[topic], body)
		}
	}
	for group, topics := range groups {
		var all []string
		for _, topic := range topics {
			all = append(all, want[topic]...)
		}
		got := b.reap(reaping{members: []*member{b.member(group, topics...)}, want: all, linger: b.h.quiet()})
		b.exactly(fmt.Sprintf("a group of %q", topics), caught(got), all)
		for _, c := range got {
			if i := len(c.msg.Body) - len(c.msg.Topic); i < 0 || string(c.msg.Body[i:]) != c.msg.Topic {
				b.fail("a message with the body %q says that its topic is %s", c.msg.Body, c.msg.Topic)
			}
		}
	}
}

// topicNamed is topic for those who choose the name.
func (b *bench) topicNamed(name string, partitions int) string {
	b.ok("make topic", b.open().EnsureTopic(b.ctx, oms.TopicSpec{Name: name, Partitions: partitions}))
	b.cleanTopic(b.open(), name)
	return name
}

// spread returns numbered messages that go to all partitions of a topic.
func (b *bench) spread(topic string, from, to int) []*oms.Message {
	if b.caps.Has(oms.MessageKey) {
		return keyed(topic, from, to, 40)
	}
	return numbered(topic, from, to)
}

func checkShare(b *bench) {
	const partitions, n, tries = 4, 200, 5
	topic := b.topic(partitions)
	group := b.group(topic)
	seats := []*seat{b.seat(group, topic), b.seat(group, topic), b.seat(group, topic)}
	p := b.producer()
	for try := range tries {
		b.seated(partitions, group, []string{topic}, seats...)
		before := changed(seats)
		from, to := try*n, (try+1)*n
		b.send(p, b.spread(topic, from, to)...)
		got := b.reap(reaping{members: members(seats...), want: numbers(from, to), linger: b.h.quiet()})
		if changed(seats) == before || try == tries-1 { // the group was at rest
			b.exactly("what the members got together", caught(got), numbers(from, to))
			return
		}
	}
}

func checkTwoGroups(b *bench) {
	const n = 100
	topic := b.topic(2)
	groups := []string{b.group(topic), b.group(topic)}
	ms := []*member{b.member(groups[0], topic), b.member(groups[1], topic)}
	if !b.caps.Has(oms.Backlog) && !b.caps.Has(oms.ManageGroups) {
		b.pass(b.h.quiet()) // until they are there
	}
	b.send(b.producer(), b.spread(topic, 0, n)...)
	for _, m := range ms {
		b.reap(reaping{members: []*member{m}, want: numbers(0, n)})
		b.ok("flush", m.Flush(b.ctx))
	}
}

func checkStart(b *bench) {
	topic := b.topic(1)
	p := b.producer()
	b.send(p, numbered(topic, 0, 5)...)
	at := b.apart()
	b.send(p, numbered(topic, 5, 10)...)
	begins := []struct {
		name  string
		start oms.Start
		first int
	}{
		{"the oldest message", oms.Start{From: oms.StartEarliest}, 0},
		{"a point in time", oms.Start{From: oms.StartAtTime, At: at}, 5},
		{"messages sent from now on", oms.Start{From: oms.StartLatest}, 10},
	}
	groups := make([]string, len(begins))
	seats := make([]*seat, len(begins))
	for i, begin := range begins {
		groups[i] = b.groupAt(begin.start, topic)
		if !b.caps.Has(oms.ManageGroups) {
			seats[i] = b.seatOf(b.open(), oms.ReceiverConfig{Group: groups[i], Topics: []string{topic}, Start: begin.start})
			seats[i].awaitPartitions(1)
		}
	}
	b.send(p, numbered(topic, 10, 15)...)
	for i, begin := range begins {
		if seats[i] == nil {
			seats[i] = b.seatOf(b.open(), oms.ReceiverConfig{Group: groups[i], Topics: []string{topic}, Start: begin.start})
		}
		want := numbers(begin.first, 15)
		b.exactly("a group that begins at "+begin.name, caught(b.reap(reaping{members: members(seats[i]), want: want, linger: b.h.quiet()})), want)
	}
}

// groupAt is group with a start.
func (b *bench) groupAt(start oms.Start, topics ...string) string {
	name := b.name("group")
	if !b.caps.Has(oms.ManageGroups) {
		return name
	}
	groups, err := b.open().Groups()
	b.ok("find groups", err)
	b.ok("make group", groups.EnsureGroup(b.ctx, name, topics, start))
	b.onClose(func(ctx context.Context) error {
		if err := groups.DeleteGroup(ctx, name, topics); err != nil && !gone(err) {
			return fmt.Errorf("delete group: %w", err)
		}
		return nil
	})
	return name
}

// apart returns a point in time that by any clock lies between what was sent
// before and what will be.
func (b *bench) apart() time.Time {
	const margin = 300 * time.Millisecond
	b.pass(margin)
	at := time.Now()
	b.pass(margin)
	return at
}

func checkNothing(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p, m := b.producer(), b.member(group, topic)
	b.ok("a consumer's Receive", b.bounded("a consumer's Receive", func() error {
		msgs, err := m.Receive(b.ctx, 10, b.h.quiet())
		if len(msgs) > 0 || err != nil {
			return fmt.Errorf("%d messages and the error %v, want neither", len(msgs), err)
		}
		return nil
	}))
	m.leave()
	r := b.receiver(b.raw(), oms.ReceiverConfig{Group: group, Topics: []string{topic}})
	short, cancel := context.WithTimeout(b.ctx, b.h.quiet())
	defer cancel()
	b.ended(short, r, context.DeadlineExceeded)
	done, end := context.WithCancel(b.ctx)
	end()
	b.ended(done, r, context.Canceled)
	b.send(p, numbered(topic, 0, 1)...)
	long, cancelLong := context.WithTimeout(b.ctx, b.h.patience())
	defer cancelLong()
	msgs, err := r.Receive(long, 10)
	b.ok("receive after that", err)
	b.same("what was sent", bodies(msgs), numbers(0, 1))
}

// ended fails unless a Receive of nothing ends with the context's error.
func (b *bench) ended(ctx context.Context, r oms.Receiver, want error) {
	b.ok("a receiver's Receive", b.bounded("a receiver's Receive whose context ends", func() error {
		if msgs, err := r.Receive(ctx, 10); len(msgs) > 0 || !errors.Is(err, want) {
			return fmt.Errorf("%d messages and %v, want none and %w", len(msgs), err, want)
		}
		return nil
	}))
}
