package omstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func checkLimit(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	r := b.receiver(b.raw(), oms.ReceiverConfig{Group: group, Topics: []string{topic}})
	receive := func(limit int) int {
		ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
		defer cancel()
		msgs, err := r.Receive(ctx, limit)
		b.ok(fmt.Sprintf("receive up to %d messages where there is one", limit), err)
		if len(msgs) < 1 || len(msgs) > limit {
			b.fail("Receive returned %d messages, want 1 to %d", len(msgs), limit)
		}
		b.ok("acknowledge", r.Ack(b.ctx, msgs))
		return len(msgs)
	}
	b.send(p, numbered(topic, 0, 1)...)
	receive(100) // though there is one only
	b.send(p, numbered(topic, 1, 61)...)
	for left := 60; left > 0; {
		left -= receive(1)
		if left > 0 {
			left -= receive(7)
		}
	}
}

func checkUnackedBound(b *bench) {
	const most, n = 10, 50
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, n)...)
	m := b.memberOf(b.open(), oms.ReceiverConfig{Group: group, Topics: []string{topic}, MaxUnacked: most})
	held := m.get(1)
	fill := func() {
		for {
			msgs, err := m.Receive(b.ctx, n, b.h.quiet())
			b.ok("receive", err)
			if len(msgs) == 0 {
				return
			}
			if held = append(held, msgs...); len(held) > most {
				b.fail("%d messages are out and not acknowledged, MaxUnacked is %d", len(held), most)
			}
		}
	}
	fill()
	acked := (len(held) + 1) / 2
	m.ack(held[:acked]...)
	held = held[acked:]
	fill()
}

func checkSaturated(b *bench) {
	const most, n = 10, 100
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, n)...)
	m := b.memberOf(b.open(), oms.ReceiverConfig{Group: group, Topics: []string{topic}, MaxUnacked: most})
	var got, held []*oms.Message
	for len(got) < n {
		wait := b.h.patience()
		if len(held) > 0 {
			wait = b.h.quiet() // it may be full
		}
		msgs, err := m.Receive(b.ctx, n, wait)
		b.ok("receive", err)
		got, held = append(got, msgs...), append(held, msgs...)
		switch {
		case len(msgs) > 0:
		case len(held) == 0:
			b.fail("%d of %d messages came, and nothing more although all are acknowledged", len(got), n)
		default:
			m.ack(held...)
			held = nil
		}
	}
}

func checkPause(b *bench) {
	if !b.caps.Has(oms.ExplicitPartition) {
		b.pauseAll()
		return
	}
	topic := b.topic(2)
	group := b.group(topic)
	p, s := b.producer(), b.seat(group, topic)
	paused, open := oms.Partition{Topic: topic, Number: 0}, oms.Partition{Topic: topic, Number: 1}
	s.awaitPartitions(2)
	b.send(p, into(paused, 0, 10)...)
	b.send(p, into(open, 10, 20)...)
	first := bodies(s.get(1)) // the flow has begun
	before := changed([]*seat{s})
	b.ok("pause", s.Pause(b.ctx, paused))
	b.send(p, into(paused, 20, 30)...)
	b.send(p, into(open, 30, 40)...)
	flowing := without(append(numbers(10, 20), numbers(30, 40)...), first)
	got := b.reap(reaping{members: members(s), want: flowing, linger: b.h.quiet()})
	if changed([]*seat{s}) == before { // it is still the partition that was paused
		b.exactly("what comes beside a paused partition", caught(got), flowing)
	}
	b.ok("resume", s.Resume(b.ctx, paused))
	silent := without(append(numbers(0, 10), numbers(20, 30)...), append(first, caught(got)...))
	b.reap(reaping{members: members(s), want: silent})
}

// pauseAll is checkPause where nobody chooses partitions.
func (b *bench) pauseAll() {
	topic := b.topic(1)
	group := b.group(topic)
	p, s := b.producer(), b.seat(group, topic)
	s.awaitPartitions(1)
	b.send(p, numbered(topic, 0, 10)...)
	first := s.take(1)
	b.ok("pause", s.Pause(b.ctx, first[0].At()))
	b.send(p, numbered(topic, 10, 20)...)
	s.none("of a paused partition")
	b.ok("resume", s.Resume(b.ctx, first[0].At()))
	s.collect(numbers(1, 20))
}

// into returns numbered messages for one partition.
func into(p oms.Partition, from, to int) []*oms.Message {
	msgs := numbered(p.Topic, from, to)
	for _, m := range msgs {
		m.ToPartition = &p.Number
	}
	return msgs
}

// without returns the texts that are not among the others.
func without(texts, others []string) []string {
	return slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return slices.Contains(others, text) })
}

func checkHandler(b *bench) {
	const n, mended = 20, 3
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, n)...)
	pc, err := b.open().NewPushConsumer(b.ctx, oms.ReceiverConfig{Group: group, Topics: []string{topic}}, oms.PushConfig{Batch: 1, Backoff: 10 * time.Millisecond})
	b.ok("open consumer", err)
	b.onClose(unlessClosed(pc.Close))
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	var mu sync.Mutex
	offers := make(map[string]int)
	stuck := make(chan struct{})
	ran := make(chan error, 1)
	go func() {
		ran <- pc.Run(ctx, func(_ context.Context, msgs []*oms.Message) error {
			mu.Lock()
			defer mu.Unlock()
			body := string(msgs[0].Body)
			offers[body]++
			switch {
			case body == "3" && offers[body] < mended, body == "7":
				if body == "7" && offers[body] == mended {
					close(stuck)
				}
				return errors.New("the handler fails")
			}
			return nil
		})
	}()
	b.ok("a handler that fails again and again", b.bounded("offering messages again", func() error {
		select {
		case <-stuck:
			return nil
		case err := <-ran:
			return errors.Join(errors.New("the consumer has ended"), err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	stop()
	b.ok("run", b.bounded("Run whose context is done", func() error { return <-ran }))
	b.ok("close", pc.Close(b.ctx))
	mu.Lock()
	if offers["3"] < mended {
		b.fail("message 3 was offered %d times before it was done with, want %d", offers["3"], mended)
	}
	mu.Unlock()
	b.left(group, topic, numbers(7, n))
}

func checkTopicReturns(b *bench) {
	topic := b.topic(2)
	group := b.group(topic)
	c := b.open()
	m := b.member(group, topic)
	b.send(b.producer(), b.spread(topic, 0, 20)...)
	b.reap(reaping{members: []*member{m}, want: numbers(0, 20)})
	b.ok("delete topic", c.DeleteTopic(b.ctx, topic))
	if _, err := m.Receive(b.ctx, 1, b.h.quiet()); err != nil && !errors.Is(err, oms.ErrNotFound) && !oms.IsTemporary(err) {
		b.fail("receive from a topic that was deleted: %w", err)
	}
	b.until("making the topic again", func() (bool, error) {
		err := c.EnsureTopic(b.ctx, oms.TopicSpec{Name: topic, Partitions: 2})
		return err == nil, err
	})
	if b.caps.Has(oms.ManageGroups) {
		groups, err := c.Groups()
		b.ok("find groups", err)
		b.ok("make group", groups.EnsureGroup(b.ctx, group, []string{topic}, oms.Start{}))
	}
	p := b.producer()
	for _, msg := range b.spread(topic, 20, 40) {
		b.until("sending to a topic that was made again", func() (bool, error) {
			err := p.Send(b.ctx, msg)
			return err == nil, err
		})
	}
	missing := numbers(20, 40)
	b.until("receiving all from a topic that was made again", func() (bool, error) {
		msgs, err := m.Receive(b.ctx, 100, b.h.quiet())
		if errors.Is(err, oms.ErrNotFound) || oms.IsTemporary(err) {
			return false, err
		}
		b.ok("receive", err)
		b.ok("acknowledge", unlessStale(m.Ack(b.ctx, msgs...)))
		missing = without(missing, bodies(msgs))
		if len(missing) > 0 {
			return false, fmt.Errorf("%q are missing", missing)
		}
		return true, nil
	})
}

func checkManyConsumers(b *bench) {
	consumers, n := b.h.count(10, 50), b.h.count(500, 5000)
	topic := b.topic(1)
	ms := make([]*member, consumers)
	for i := range ms {
		ms[i] = b.reader(topic)
	}
	p := b.producer()
	for from := 0; from < n; from += 100 {
		b.send(p, numbered(topic, from, from+100)...)
	}
	missing := make([]map[string]bool, consumers)
	for i := range missing {
		missing[i] = make(map[string]bool, n)
		for _, body := range numbers(0, n) {
			missing[i][body] = true
		}
	}
	seen, short := 0, consumers
	b.reap(reaping{members: ms, patience: b.long(), enough: func(got []catch) bool {
		for _, c := range got[seen:] {
			if left := missing[c.by]; left[string(c.msg.Body)] {
				delete(left, string(c.msg.Body))
				if len(left) == 0 {
					short--
				}
			}
		}
		seen = len(got)
		return short == 0
	}})
}

func checkCancel(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	m := b.member(group, topic)
	ctx, cancel := context.WithCancel(b.ctx)
	received := make(chan error, 1)
	go func() {
		_, err := m.Receive(ctx, 10, b.h.patience())
		received <- err
	}()
	b.pass(b.h.quiet()) // so that it waits
	cancel()
	if err := b.bounded("Receive whose context is cancelled", func() error { return <-received }); !errors.Is(err, context.Canceled) {
		b.fail("a cancelled Receive: %v, want %w", err, context.Canceled)
	}
	b.send(b.producer(), numbered(topic, 0, 20)...)
	held := m.get(10)
	m.ack(held[:3]...)
	m.leave()
	b.left(group, topic, numbers(3, 20))
}
