package omstest

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func checkExpiry(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	now := time.Now()
	soon := now.Add(2 * b.h.quiet())
	sent := numbered(topic, 0, 6)
	for i, at := range map[int]time.Time{
		0: now.Add(-time.Hour),
		1: now.Add(time.Hour),
		2: soon,
		3: now.Add(-time.Millisecond),
		5: soon,
	} {
		sent[i].ExpiresAt = at
	}
	b.sendCopies(p, sent...)
	b.pass(time.Until(soon) + b.h.quiet())
	m := b.member(group, topic)
	got := m.take(2)
	b.sameMessages(got, []*oms.Message{sent[1], sent[4]})
	m.none("though it had expired")
	b.ok("flush", m.Flush(b.ctx))
	if b.caps.Has(oms.ReportLag) {
		b.until("a lag of 0 behind messages that have expired", func() (bool, error) {
			lag, err := b.open().Lag(b.ctx, group, []string{topic})
			return lag == 0, err
		})
	}
}

func checkDelay(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	p := b.producer()
	const rounding = 20 * time.Millisecond
	sent := numbered(topic, 0, 3)
	sent[0].Delay, sent[1].Delay = 2*time.Second, time.Second
	before := time.Now()
	b.send(p, sent...)
	for range sent {
		got := m.take(1)[0]
		delay := sent[number(b, got)].Delay
		if early := time.Until(before.Add(delay)); early > rounding {
			b.fail("a message with a delay of %v came %v too early", delay, early)
		}
		if got.Delay != 0 {
			b.fail("a message arrives with a delay of %v, which is over", got.Delay)
		}
	}
}

func checkPriority(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	const low = 20
	sent := numbered(topic, 0, low+1)
	for _, msg := range sent {
		msg.Priority = 1
	}
	sent[low].Priority = 10
	b.send(p, sent...)
	m := b.memberOf(b.open(), oms.ReceiverConfig{Group: group, Topics: []string{topic}, MaxUnacked: 1})
	var got []string
	for range sent {
		msg := m.take(1)[0]
		b.sameMessage(msg, sent[number(b, msg)])
		got = append(got, string(msg.Body))
	}
	// Brokers may let some of the others through, so that they do not starve.
	if at := slices.Index(got, string(sent[low].Body)); at >= low/2 {
		b.fail("the message of high priority came behind %d of low priority that had waited with it", at)
	}
}

func checkDeliveryCount(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, 1)...)
	m := b.member(group, topic)
	last := 0
	for i := range 4 {
		msg := m.get(1)[0]
		if i == 0 && msg.Deliveries != 1 {
			b.fail("a message that is delivered first has %d deliveries", msg.Deliveries)
		}
		if msg.Deliveries <= last {
			b.fail("delivery %d of a message says %d, the one before said %d", i+1, msg.Deliveries, last)
		}
		last = msg.Deliveries
		if b.caps.Has(oms.Nack) {
			b.ok("give back", m.Nack(b.ctx, msg))
			continue
		}
		m.leave()
		m = b.member(group, topic)
	}
}

func needsForeign(h *Harness) string {
	if h.Foreign == nil {
		return "the harness cannot send as a program of the broker's own"
	}
	return ""
}

func checkForeign(b *bench) {
	from, to := b.topic(1), b.topic(1)
	m := b.reader(from, to)
	headers := map[string]string{"Plain": "value", "x-trace": "abc 123", "Empty": ""}
	body := pattern(300)
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	b.ok("send as a foreign program", b.h.Foreign(ctx, from, body, headers))
	check := func(got *oms.Message) {
		if !bytes.Equal(got.Body, body) {
			b.fail("the body of a foreign message is %d bytes, it had %d", len(got.Body), len(body))
		}
		for name, value := range headers {
			if v, ok := got.Headers.Get(name); !ok || string(v) != value {
				b.fail("the header %s of a foreign message is %q (there: %t), it was %q", name, v, ok, value)
			}
		}
	}
	got := m.take(1)[0]
	check(got)
	on := got.Clone()
	on.Topic = to
	b.send(b.producer(), on)
	again := m.take(1)[0]
	check(again)
	if len(again.Headers) != len(got.Headers) {
		b.fail("a foreign message that was sent on has %d headers, it had %d", len(again.Headers), len(got.Headers))
	}
}

func checkSendingOn(b *bench) {
	from, to := b.topic(1), b.topic(1)
	first, second := b.reader(from), b.reader(to)
	p := b.producer()
	full := &oms.Message{
		ID: "full", Topic: from, Body: pattern(1000),
		Headers: oms.Headers{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}, {Name: "A", Value: []byte("3")}},
		BornAt:  time.Now().Add(-time.Hour), CorrelationID: "c", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "a=b",
	}
	for c, set := range map[oms.Capability]func(){
		oms.MessageKey:        func() { full.Key = []byte{0, 0xff, 'k'} },
		oms.BinaryHeaders:     func() { full.Headers = append(full.Headers, oms.Header{Name: "bin", Value: []byte{0xff, 0}}) },
		oms.RepeatedHeaders:   func() { full.Headers = append(full.Headers, oms.Header{Name: "a", Value: []byte("4")}) },
		oms.NilHeaders:        func() { full.Headers = append(full.Headers, oms.Header{Name: "nil"}) },
		oms.Expiry:            func() { full.ExpiresAt = time.Now().Add(time.Hour) },
		oms.Delay:             func() { full.Delay = time.Millisecond },
		oms.Priority:          func() { full.Priority = 7 },
		oms.ExplicitPartition: func() { full.ToPartition = new(int) },
	} {
		if b.caps.Has(c) {
			set()
		}
	}
	bare := &oms.Message{ID: "bare", Topic: from, Body: []byte("x")}
	for _, msg := range []*oms.Message{full, bare} {
		b.sendCopies(p, msg)
		got := first.take(1)[0]
		b.sameMessage(got, msg)
		on := got.Clone()
		on.Topic = to
		b.sendCopies(p, on)
		b.sameMessage(second.take(1)[0], on)
	}
}

// number returns the number that is a message's body.
func number(b *bench, m *oms.Message) int {
	n := slices.Index(numbers(0, 1000), string(m.Body))
	if n < 0 {
		b.fail("the body %q is none of those sent", short(string(m.Body)))
	}
	return n
}
