package omstest

import (
	"context"
	"errors"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// needsSilence asks for a way to keep the broker from confirming.
func needsSilence(h *Harness) string {
	if h.fault(Stop) == nil && h.fault(Cut) == nil {
		return "the harness can neither stop the broker nor cut the network"
	}
	return ""
}

func checkCloseWhileSending(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	gaveUp, giveUp := context.WithCancel(b.ctx)
	giveUp()
	const batches, size = 40, 25
	n := 0
	closeWhileSending := func(ctx context.Context, send oms.SendFunc, closing func(context.Context) error) []*attempt {
		var attempts []*attempt
		for range batches {
			attempts = append(attempts, b.start(send, numbered(topic, n, n+size)...))
			n += size
		}
		if err := closing(ctx); err != nil && ctx.Err() == nil {
			b.fail("close: %w", err)
		}
		b.closed(attempts...)
		return attempts
	}
	s, hasty := b.sender(b.raw(), oms.SenderConfig{}), b.sender(b.raw(), oms.SenderConfig{})
	p, hastyP := b.producer(), b.producer()
	patient := closeWhileSending(b.ctx, s.SendAsync, s.Close)
	patient = append(patient, closeWhileSending(b.ctx, p.SendAsync, p.Close)...)
	for i, a := range patient {
		b.ok("send the batch "+numbers(i, i+1)[0]+" that Close waited for", b.outcome(a))
	}
	given := closeWhileSending(gaveUp, hasty.SendAsync, hasty.Close)
	confirmed, refused := b.outcomes(append(patient, given...)...)
	given = closeWhileSending(gaveUp, hastyP.SendAsync, hastyP.Close)
	more, _ := b.outcomes(given...) // the producer may have tried before
	b.judge(m.rest(b.producer().SendAsync, topic), append(confirmed, more...), refused)
	b.once(patient...)
	b.once(given...)
}

func checkRestart(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	b.send(p, numbered(topic, 0, 10)...)
	b.same("what was sent before", bodies(b.takeAndLeave(group, topic, 10)), numbers(0, 10))

	restarted := make(chan error, 1)
	go func() { restarted <- b.h.Broker.Restart(b.ctx) }()
	var attempts []*attempt
	n := 10
	for under := true; under; n++ {
		attempts = append(attempts, newAttempt(numbered(topic, n, n+1)).by(b.ctx, p.SendAsync))
		select {
		case err := <-restarted:
			b.ok("restart the broker", err)
			under = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	attempts = append(attempts, newAttempt(numbered(topic, n, n+10)).by(b.ctx, p.SendAsync))
	n += 10
	for _, a := range attempts {
		b.ok("send over a restart", b.outcomeWithin(a, b.long()))
	}
	got := firsts(b.member(group, topic).collect(numbers(10, n)))
	if b.caps.Has(oms.OrderPerKey) {
		b.same("what was sent over a restart", got, numbers(10, n))
	}
}

// takeAndLeave receives and acknowledges n messages as a member of its own.
func (b *bench) takeAndLeave(group, topic string, n int) []*oms.Message {
	m := b.member(group, topic)
	msgs := m.take(n)
	b.ok("flush", m.Flush(b.ctx))
	m.leave()
	return msgs
}

func checkConfirmation(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	b.member(group, topic).leave() // the group is there, then
	p := b.producer()
	n := 0
	for _, trouble := range []struct {
		make, mend func(context.Context) error
	}{
		{b.h.fault(Stop), b.h.Broker.Start},
		{b.h.fault(Cut), b.h.Broker.Heal},
	} {
		if trouble.make == nil {
			continue
		}
		b.send(p, numbered(topic, n, n+1)...)
		b.ok("silence the broker", trouble.make(b.ctx))
		a := newAttempt(numbered(topic, n+1, n+2))
		go a.by(b.ctx, p.SendAsync) // which may wait for the broker
		b.pass(b.h.quiet())
		err := errors.New("not yet")
		select {
		case <-a.settled:
			err = a.err
		default:
		}
		b.ok("mend the broker", trouble.mend(b.ctx))
		if err == nil {
			b.fail("a message is confirmed that the broker cannot have seen")
		}
		b.ok("send to a broker that comes back", b.outcomeWithin(a, b.long()))
		n += 2
	}
	b.member(group, topic).collect(numbers(0, n))
}
