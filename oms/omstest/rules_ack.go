package omstest

import (
	"slices"

	"github.com/omconnect/omconnect/oms"
)

var ackRules = []Rule{
	{ID: "A01", Sentence: "What was acknowledged before Close does not come again.", check: checkAckRemoves},
	{ID: "A02", Sentence: "What is given back comes again, and what is acknowledged beside it does not.", Needs: []oms.Capability{oms.Nack}, check: checkNack},
	{ID: "A03", Sentence: "Acknowledging twice is no error, nor is giving back what was acknowledged: it does not come again.", check: checkAckTwice},
	{ID: "A04", Sentence: "Messages acknowledged out of order do not hide those before them: they come again after a crash.", check: checkOutOfOrder},
	{
		ID: "A05", Sentence: "A delivery of an earlier session is ErrStaleDelivery: it settles nothing, and the others of the call are noted.",
		Alone: true, check: checkStale,
	},
	{
		ID: "A07", Sentence: "With members that give back every tenth message, all come again and are done with in the end.",
		Needs: []oms.Capability{oms.Nack}, check: checkManyNacks,
	},
	{
		ID: "A08", Sentence: "What was given back when the connections are lost comes again.",
		Needs: []oms.Capability{oms.Nack}, Faults: []Fault{KillConnections}, check: checkNackedAndKilled,
	},
	{
		ID: "A09", Sentence: "A message that is held back for a while before it is given back comes again then, and not before.",
		Needs: []oms.Capability{oms.Nack}, check: checkHeldBack,
	},
	{ID: "A10", Sentence: "What a member that crashes has not acknowledged comes again.", check: checkCrash},
	{ID: "A11", Sentence: "What was acknowledged and flushed does not come again after a crash, however sudden.", check: checkFlushed},
}

func checkAckRemoves(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	b.send(p, numbered(topic, 0, 20)...)
	m := b.member(group, topic)
	m.take(20)
	m.leave()
	b.send(p, numbered(topic, 20, 21)...)
	b.exactly("what comes after all before it is acknowledged", b.left(group, topic, numbers(20, 21)), numbers(20, 21))
}

func checkNack(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, 10)...)
	m := b.member(group, topic)
	msgs := m.get(10)
	b.ok("give back", m.Nack(b.ctx, msgs[4], msgs[7]))
	m.ack(slices.Delete(slices.Clone(msgs), 4, 8)...)
	m.ack(msgs[5], msgs[6])
	again := m.get(2)
	b.exactly("what was given back", bodies(again), []string{"4", "7"})
	m.ack(again...)
	m.none("after all is acknowledged")
}

func checkAckTwice(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, 10)...)
	m := b.member(group, topic)
	msgs := m.get(10)
	m.ack(msgs[:5]...)
	b.ok("acknowledge again", m.Ack(b.ctx, msgs[:5]...))
	b.ok("acknowledge twice in one call, among others", m.Ack(b.ctx, msgs[4], msgs[5], msgs[5], msgs[6]))
	b.ok("flush", m.Flush(b.ctx))
	b.ok("acknowledge again what is flushed", m.Ack(b.ctx, msgs[:7]...))
	if b.caps.Has(oms.Nack) {
		b.ok("give back what was acknowledged", m.Nack(b.ctx, msgs[:7]...))
	}
	m.none("that was acknowledged")
	b.ok("acknowledge the rest", m.Ack(b.ctx, msgs...))
	b.ok("flush", m.Flush(b.ctx))
	m.none("after all is acknowledged")
}

func checkOutOfOrder(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, 10)...)
	v := b.victim(oms.ReceiverConfig{Group: group, Topics: []string{topic}})
	for i, m := range slices.Backward(v.get(10)) {
		if i != 3 && i != 7 {
			v.ack(m)
		}
	}
	b.ok("flush", v.Flush(b.ctx))
	v.die()
	b.left(group, topic, []string{"3", "7"})
}

func checkStale(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p, m := b.producer(), b.member(group, topic)
	b.send(p, numbered(topic, 0, 6)...)
	old := m.get(6)
	if trouble := b.reconnect(); trouble {
		// Where the session outlived that, only what is new comes.
		b.send(p, numbered(topic, 6, 7)...)
	} else {
		m.leave()
		m = b.member(group, topic)
		b.send(p, numbered(topic, 6, 7)...)
	}
	got := b.reap(reaping{
		members: []*member{m}, want: numbers(6, 7), patience: b.long(),
		handle: func(int, []*oms.Message) error { return nil },
	})
	if !slices.Contains(caught(got), "2") {
		b.ok("acknowledge in the session that goes on", m.Ack(b.ctx, old...))
		return
	}
	b.composed(m)
	b.includes("what comes again in a new session", caught(got), numbers(0, 6))
	current := byBody(got)
	b.refused("acknowledge what an earlier session delivered", m.Ack(b.ctx, old[2], current["0"], current["1"]), oms.ErrStaleDelivery)
	m.ack(current["6"])
	b.ok("flush", m.Flush(b.ctx))
	m.leave()
	b.excludes("what was acknowledged beside it", b.left(group, topic, numbers(2, 6)), numbers(0, 2))
}

// reconnect has all connections made anew, if the harness can; false: it
// cannot.
func (b *bench) reconnect() bool {
	for _, f := range []Fault{KillConnections, Restart} {
		if trouble := b.h.fault(f); trouble != nil && (f != Restart || b.caps.Has(oms.Persistent)) {
			b.ok(string(f), trouble(b.ctx))
			return true
		}
	}
	return false
}

// byBody returns the last delivery of each body.
func byBody(got []catch) map[string]*oms.Message {
	msgs := make(map[string]*oms.Message, len(got))
	for _, c := range got {
		msgs[string(c.msg.Body)] = c.msg
	}
	return msgs
}
