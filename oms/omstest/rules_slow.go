package omstest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func checkRetryWhileMoving(b *bench) {
	const partitions, n = 4, 80
	topic := b.topic(partitions)
	group := b.group(topic)
	b.send(b.producer(), b.spread(topic, 0, n)...)
	first := b.seat(group, topic)
	held := first.get(n)
	if b.caps.Has(oms.Nack) { // half of them wait for another try at the driver
		b.ok("give back", first.Nack(b.ctx, held[:n/2]...))
		held = held[n/2:]
	}
	second := b.seat(group, topic)
	b.seated(partitions, group, []string{topic}, first, second)
	// Now the tries succeed; what moved is the other member's to try.
	var mu sync.Mutex
	done := make(map[string]bool)
	finish := func(s *seat, msgs []*oms.Message) error {
		for _, msg := range msgs {
			err := s.Ack(b.ctx, msg)
			if unlessStale(err) != nil {
				return err
			}
			if err == nil {
				mu.Lock()
				done[string(msg.Body)] = true
				mu.Unlock()
			}
		}
		return nil
	}
	b.ok("acknowledge what was retried", finish(first, held))
	seats := []*seat{first, second}
	b.reap(reaping{
		members: members(seats...),
		handle:  func(i int, msgs []*oms.Message) error { return finish(seats[i], msgs) },
		enough: func([]catch) bool {
			mu.Lock()
			defer mu.Unlock()
			return len(done) == n
		},
	})
}

func checkSlowMember(b *bench) {
	const partitions, n = 2, 20
	slow := time.Duration(b.h.count(5, 90)) * time.Second
	topic := b.topic(partitions)
	group := b.group(topic)
	seats := []*seat{b.seat(group, topic), b.seat(group, topic)}
	b.seated(partitions, group, []string{topic}, seats...)
	p := b.producer()
	b.send(p, b.spread(topic, 0, n)...)
	held := make([][]*oms.Message, len(seats))
	b.reap(reaping{members: members(seats...), want: numbers(0, n), handle: func(i int, msgs []*oms.Message) error {
		held[i] = append(held[i], msgs...) // by one goroutine each
		return nil
	}})
	idle := 0
	if len(held[0]) > len(held[1]) {
		idle = 1
	}
	before := changed(seats)
	msgs, err := seats[idle].Receive(b.ctx, n, slow)
	b.ok("receive beside a member that is busy", err)
	if changed(seats) != before {
		return // they were told that something is not theirs any more
	}
	if len(msgs) > 0 {
		b.fail("what a member takes long over came again: %q", tail(bodies(msgs)))
	}
	for i, s := range seats {
		b.ok("acknowledge after a long time", s.Ack(b.ctx, held[i]...))
		b.ok("flush after a long time", s.Flush(b.ctx))
		s.leave()
	}
	b.send(p, numbered(topic, n, n+1)...)
	b.exactly("what comes after all is acknowledged", b.left(group, topic, numbers(n, n+1)), numbers(n, n+1))
}

func checkFull(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	p := b.producer()
	b.send(p, numbered(topic, 0, 10)...)
	drain, err := b.h.Fill(b.ctx)
	b.ok("fill the broker", err)
	drained := sync.OnceFunc(drain)
	b.onClose(func(context.Context) error {
		drained()
		return nil
	})
	attempts := make([]*attempt, 10)
	for i := range attempts {
		attempts[i] = newAttempt(numbered(topic, 10+i*10, 20+i*10))
	}
	go func() { // it may have to wait
		for _, a := range attempts {
			a.by(b.ctx, p.SendAsync)
		}
	}()
	b.pass(10 * b.h.quiet())
	if stalled := p.Stalled(); stalled != nil && !oms.IsTemporary(stalled) {
		b.fail("a full broker is no temporary failure: %w", stalled)
	}
	drained()
	for _, a := range attempts {
		b.settle(a)
	}
	b.reap(reaping{members: []*member{m}, want: numbers(0, 110), patience: b.long()})
}

func checkRotated(b *bench) {
	topic, group := b.name("topic"), b.name("group")
	c := b.at(*b.h.Denied)
	var p *oms.Producer
	var pc *oms.PullConsumer
	open := func() (bool, error) {
		var err error
		if p == nil {
			if p, err = c.NewProducer(b.ctx, oms.SenderConfig{}); err != nil {
				return false, err
			}
			b.onClose(p.Close)
		}
		if pc == nil {
			if pc, err = c.NewPullConsumer(b.ctx, oms.ReceiverConfig{Group: group, Topics: []string{topic}}); err != nil {
				return false, err
			}
			b.onClose(pc.Close)
		}
		return true, nil
	}
	if ok, err := open(); !ok && !errors.Is(err, oms.ErrDenied) {
		b.fail("open with credentials that are refused: %w", err)
	}
	if p != nil && pc != nil {
		// What they say meanwhile is another rule's concern.
		b.outcome(b.start(p.SendAsync, numbered(topic, 0, 1)...)) //nolint:errcheck // as said
		_, _ = pc.Receive(b.ctx, 1, b.h.quiet())
	}
	b.pass(b.h.quiet())
	b.ok("mend the credentials", b.h.Mend(b.ctx))
	b.eventually("opening with good credentials", b.long(), open)
	b.eventually("making a topic with good credentials", b.long(), func() (bool, error) {
		err := c.EnsureTopic(b.ctx, oms.TopicSpec{Name: topic, Partitions: 1})
		return err == nil, err
	})
	b.cleanTopic(c, topic)
	b.eventually("sending with good credentials", b.long(), func() (bool, error) {
		err := p.Send(b.ctx, numbered(topic, 0, 1)...)
		return err == nil, err
	})
	var got []string
	b.eventually("receiving with good credentials", b.long(), func() (bool, error) {
		msgs, err := pc.Receive(b.ctx, 10, b.h.quiet())
		got = append(got, bodies(msgs)...)
		return len(got) > 0, err
	})
}
