package omstest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// tooLarge returns a message that the broker refuses for its size.
func (b *bench) tooLarge(topic string) *oms.Message {
	return &oms.Message{Topic: topic, Body: make([]byte, b.caps.MaxBody+1)}
}

func checkAborts(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	s := b.sender(b.raw(), oms.SenderConfig{})
	const batches, size, bad = 20, 10, 7
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	attempts := make([]*attempt, batches)
	for i := range attempts {
		a := newAttempt(numbered(topic, i*size, (i+1)*size))
		if i == bad {
			a.msgs[size/2] = b.tooLarge(topic)
			a.hold = hold
		}
		for _, msg := range a.msgs {
			if b.caps.Has(oms.MessageKey) {
				msg.Key = []byte("one key")
			}
		}
		attempts[i] = a.by(b.ctx, s.SendAsync)
	}
	release()
	confirmed, refused := b.outcomes(attempts...)
	for i, a := range attempts {
		for j := range a.msgs {
			failure := oms.FailureOf(a.err, j)
			switch {
			case i == bad && j == size/2:
				b.refused("send a body over the limit", failure, oms.ErrTooLarge)
			case i < bad || i == bad && j < size/2:
				b.ok("send before a failure", failure)
			// What is sent once done has returned, or is just returning, may pass.
			case i == bad || failure != nil || attempts[bad].held:
				b.refused("send behind a failure whose done has not returned", failure, oms.ErrAborted)
			}
		}
	}
	stored := m.rest(s.SendAsync, topic)
	b.judge(stored, confirmed, refused)
	if b.caps.Has(oms.OrderPerKey) && !slices.IsSortedFunc(stored, byNumber) {
		b.fail("the order is lost: %q", stored)
	}
	b.once(attempts...)
}

func byNumber(x, y string) int {
	a, errA := strconv.Atoi(x)
	c, errC := strconv.Atoi(y)
	if errA != nil || errC != nil {
		return 0
	}
	return a - c
}

func checkPartialFailure(b *bench) {
	first, second, third := b.topic(1), b.topic(1), b.topic(1)
	m := b.reader(first, second, third)
	bad := map[string]*oms.Message{}
	codes := map[string]oms.Code{"missing topic": oms.ErrNotFound, "large body": oms.ErrTooLarge}
	if b.caps.Has(oms.CreateTopic) {
		bad["missing topic"] = &oms.Message{Topic: b.name("missing"), Body: []byte("?")}
	}
	if b.caps.MaxBody > 0 {
		bad["large body"] = b.tooLarge(second)
	}
	n := 0
	var confirmed, refused []string
	for name, msg := range bad {
		s := b.sender(b.raw(), oms.SenderConfig{})
		sent := numbered(second, n, n+6)
		n += len(sent)
		sent[0].Topic, sent[5].Topic = first, first
		sent[2] = msg
		sent[4].Topic = third
		a := b.start(s.SendAsync, sent...)
		err := b.outcome(a)
		b.refused("send a message with a "+name, oms.FailureOf(err, 2), codes[name])
		if failed, ok := errors.AsType[*oms.BatchError](err); ok {
			b.validIndices(failed, len(sent))
		}
		for i := range sent {
			switch failure := oms.FailureOf(err, i); {
			case i < 2:
				b.ok("send before a message with a "+name, failure)
			case i > 2 && failure != nil:
				b.refused("send behind a message with a "+name, failure, oms.ErrAborted)
			}
		}
		yes, no := b.outcomes(a)
		confirmed, refused = append(confirmed, yes...), append(refused, no...)
	}
	b.judge(m.rest(b.producer().SendAsync, first, second, third), confirmed, refused)
}

func (b *bench) validIndices(err *oms.BatchError, n int) {
	if len(err.Failed) == 0 {
		b.fail("a BatchError names no message")
	}
	for i, failure := range err.Failed {
		if i < 0 || i >= n || failure == nil {
			b.fail("a BatchError of a batch of %d has %v for message %d", n, failure, i)
		}
	}
}

func checkMissingTopic(b *bench) {
	topic := b.name("topic")
	s, p := b.sender(b.raw(), oms.SenderConfig{}), b.producer()
	b.refused("send to a missing topic by the sender", b.outcome(b.start(s.SendAsync, numbered(topic, 0, 1)...)), oms.ErrNotFound)
	b.refused("send to a missing topic by the producer", b.outcome(b.start(p.SendAsync, numbered(topic, 1, 2)...)), oms.ErrNotFound)
	infos, err := b.open().Topics(b.ctx)
	b.ok("list topics", err)
	if slices.ContainsFunc(infos, func(i oms.TopicInfo) bool { return i.Name == topic }) {
		b.fail("sending has made the topic")
	}
	b.ok("make topic", b.open().EnsureTopic(b.ctx, oms.TopicSpec{Name: topic}))
	b.cleanTopic(b.open(), topic)
	m := b.reader(topic)
	b.until("sending to a topic that was made meanwhile", func() (bool, error) {
		err := b.outcome(b.start(p.SendAsync, numbered(topic, 2, 3)...))
		return err == nil, err
	})
	b.same("what was sent", m.rest(p.SendAsync, topic), numbers(2, 3))
}

func checkTooLarge(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	n := 0
	for name, send := range b.bothSenders(oms.SenderConfig{}) {
		b.ok("send by the "+name, b.outcome(b.start(send, numbered(topic, n, n+1)...)))
		err := b.outcome(b.start(send, b.tooLarge(topic)))
		b.refused("send a body over the limit by the "+name, err, oms.ErrTooLarge)
		b.follow(send, numbered(topic, n+1, n+2)[0])
		n += 2
	}
	b.same("what was sent", m.rest(b.producer().SendAsync, topic), numbers(0, n))
}

func checkCancelledSends(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	rounds := b.h.count(50, 500)
	n := 0
	next := func() []*oms.Message {
		n += 3
		return numbered(topic, n-3, n)
	}
	var attempts []*attempt
	for _, send := range b.bothSenders(oms.SenderConfig{MaxInFlight: 2}) {
		for range rounds {
			ctx, cancel := context.WithCancel(b.ctx)
			first, second := newAttempt(next()), newAttempt(next())
			var sending sync.WaitGroup
			sending.Go(func() { first.by(ctx, send) })
			sending.Go(func() { second.by(ctx, send) })
			cancel()
			sending.Wait()
			attempts = append(attempts, first, second)
		}
	}
	p := b.producer()
	done, cancel := context.WithCancel(b.ctx)
	cancel()
	never := newAttempt(next()).by(done, p.SendAsync)
	if err := b.outcome(never); !errors.Is(err, context.Canceled) {
		b.fail("send with a context that is done: %v, want its error", err)
	}
	confirmed, refused := b.outcomes(append(attempts, never)...)
	b.judge(m.rest(p.SendAsync, topic), confirmed, refused)
	b.once(attempts...)
}
