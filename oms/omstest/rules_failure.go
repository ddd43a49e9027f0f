package omstest

import (
	"context"
	"errors"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var failureRules = []Rule{
	{ID: "F01", Sentence: "All that was confirmed arrives when the broker restarts twice under load.", Faults: []Fault{Restart}, check: checkRestarts},
	{
		ID: "F02", Sentence: "What is opened and sent while the broker is away works when the broker is there.",
		Faults: []Fault{Stop}, check: checkAway,
	},
	{
		ID: "F03", Sentence: "A network that swallows everything for a while, without closing a connection, loses nothing.",
		Faults: []Fault{Cut}, check: checkCut,
	},
	{ID: "F04", Sentence: "A member goes on when its connection is killed, and nothing that it held is lost.", Faults: []Fault{KillConnections}, check: checkKilled},
	{
		ID: "F05", Sentence: "What a member is retrying when its partitions move is not lost.",
		Needs: []oms.Capability{oms.Partitioned}, check: checkRetryWhileMoving,
	},
	{ID: "F06", Sentence: "A member that takes long over its messages keeps them, and may acknowledge them in the end.", check: checkSlowMember},
	{
		ID: "F07", Sentence: "A broker that is full makes senders wait: nothing fails for good, and all arrives when there is room.",
		Alone: true, needs: needsFill, check: checkFull,
	},
	{
		ID: "F08", Sentence: "Senders and receivers that were refused for their credentials work once these are good.",
		Alone: true, needs: needsDenied, check: checkRotated,
	},
}

func needsFill(h *Harness) string {
	if h.Fill == nil {
		return "the harness cannot fill the broker"
	}
	return ""
}

func checkRestarts(b *bench) {
	topic := b.topic(2)
	m := b.reader(topic)
	l := b.load(func(from, to int) []*oms.Message { return b.spread(topic, from, to) })
	b.endure(l, m, 2, b.h.Broker.Restart, func() func([]catch) bool { return l.all(true) })
}

// disturb makes a trouble that lasts until mend is called, or the rule ends.
func (b *bench) disturb(f Fault, undo func(context.Context) error) (mend func()) {
	b.ok(string(f), b.h.fault(f)(b.ctx))
	mended := false
	fix := func(ctx context.Context) error {
		if mended {
			return nil
		}
		mended = true
		return undo(ctx)
	}
	b.onClose(fix)
	return func() { b.ok("end of trouble: "+string(f), fix(b.ctx)) }
}

func checkAway(b *bench) {
	away := time.Duration(b.h.count(20, 120)) * time.Second
	topic := b.topic(1)
	group := b.group(topic)
	mend := b.disturb(Stop, b.h.Broker.Start)
	c := b.companion()
	if c == nil {
		c = b.open()
	}
	var p *oms.Producer
	var pc *oms.PullConsumer
	open := func() (err error) {
		if p == nil {
			if p, err = c.NewProducer(b.ctx, oms.SenderConfig{}); err != nil {
				return err
			}
			b.onClose(p.Close)
		}
		if pc == nil {
			if pc, err = c.NewPullConsumer(b.ctx, oms.ReceiverConfig{Group: group, Topics: []string{topic}}); err != nil {
				return err
			}
			b.onClose(pc.Close)
		}
		return nil
	}
	if err := b.bounded("opening while the broker is away", open); err != nil && !oms.IsTemporary(err) {
		b.fail("open while the broker is away: %w", err)
	}
	var early *attempt
	if p != nil {
		early = newAttempt(numbered(topic, 0, 10))
		go early.by(b.ctx, p.SendAsync)
	}
	b.pass(away)
	mend()
	b.eventually("opening once the broker is there", b.long(), func() (bool, error) {
		err := open()
		return err == nil, err
	})
	if !b.caps.Has(oms.Persistent) {
		b.ok("make topic", c.EnsureTopic(b.ctx, oms.TopicSpec{Name: topic, Partitions: 1}))
	}
	if early == nil {
		early = newAttempt(numbered(topic, 0, 10))
		go early.by(b.ctx, p.SendAsync)
	}
	b.settle(early)
	m := &member{pc, b}
	b.reap(reaping{members: []*member{m}, want: numbers(0, 10), patience: b.long()})
	b.composed(m)
}

// settle waits long for the outcome of an attempt, which is to be good.
func (b *bench) settle(a *attempt) {
	b.eventually("the outcome of what was sent", b.long(), func() (bool, error) {
		select {
		case <-a.settled:
			return true, nil
		default:
			return false, nil
		}
	})
	b.ok("send", b.outcome(a))
}

func checkCut(b *bench) {
	hold := time.Duration(b.h.count(10, 60)) * time.Second
	topic := b.topic(2)
	m := b.reader(topic)
	l := b.load(func(from, to int) []*oms.Message { return b.spread(topic, from, to) })
	b.endure(l, m, 1, func(ctx context.Context) error {
		if err := b.h.Broker.Cut(ctx); err != nil {
			return err
		}
		pause(ctx, hold)
		return b.h.Broker.Heal(context.WithoutCancel(ctx))
	}, func() func([]catch) bool { return l.all(false) })
}

func checkKilled(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p, m := b.producer(), b.member(group, topic)
	for round := range 3 {
		from := round * 30
		b.send(p, numbered(topic, from, from+20)...)
		held := m.get(20)
		b.ok("kill the connections", b.h.Broker.KillConnections(b.ctx))
		late := newAttempt(numbered(topic, from+20, from+30))
		go late.by(b.ctx, p.SendAsync)
		b.settle(late)
		got := caught(b.reap(reaping{members: []*member{m}, want: numbers(from+20, from+30), patience: b.long()}))
		if err := m.Ack(b.ctx, held...); errors.Is(err, oms.ErrStaleDelivery) {
			b.includes("what is no longer the member's", got, numbers(from, from+20))
		} else {
			b.ok("acknowledge what was received before", err)
		}
		b.composed(m)
	}
}

// composed flushes a member after trouble until that works: acknowledgements
// may have been lost, which a flush says once.
func (b *bench) composed(m *member) {
	b.eventually("a flush after trouble", b.long(), func() (bool, error) {
		err := m.Flush(b.ctx)
		if unlessStale(err) != nil && !oms.IsTemporary(err) {
			b.fail("flush after trouble: %w", err)
		}
		return err == nil, err
	})
}
