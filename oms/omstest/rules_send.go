package omstest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

var sendRules = []Rule{
	{ID: "S01", Sentence: "Messages arrive as they were sent.", check: checkRoundTrip},
	{
		ID: "S02", Sentence: "Behind a message that failed, everything of its partition fails untried until its done has returned; nothing is stored out of order.",
		needs: needsMaxBody, check: checkAborts,
	},
	{ID: "S04", Sentence: "A batch of any size is sent: none, one, and more than the window takes.", check: checkBatches},
	{ID: "S05", Sentence: "The error of a batch names the messages that failed, and the others are stored.", check: checkPartialFailure},
	{
		ID: "S06", Sentence: "A message to a topic that does not exist is ErrNotFound, makes no topic, and can be sent once there is one.",
		Needs: []oms.Capability{oms.CreateTopic}, check: checkMissingTopic,
	},
	{
		ID: "S07", Sentence: "A body over the limit is ErrTooLarge, and messages after it are sent.",
		needs: needsMaxBody, check: checkTooLarge,
	},
	{ID: "S08", Sentence: "A context that is done ends a send that was not let in: what fails is not stored, and what succeeds is.", check: checkCancelledSends},
	{ID: "S09", Sentence: "What a hundred goroutines send at once all arrives, in the order of each.", check: checkManySenders},
	{ID: "S10", Sentence: "When Close of a sender returns, every done has been called, and what was confirmed is stored.", check: checkCloseWhileSending},
	{
		ID: "S11", Sentence: "A producer goes on by itself after a restart of the broker, and nothing of what it sent is lost.",
		Faults: []Fault{Restart}, check: checkRestart,
	},
	{
		ID: "S12", Sentence: "Nothing is confirmed that the broker has not confirmed.",
		Alone: true, needs: needsSilence, check: checkConfirmation,
	},
}

func needsMaxBody(h *Harness) string {
	if h.Driver.Capabilities(h.AccessPoint).MaxBody == 0 {
		return "bodies have no limit"
	}
	return ""
}

func checkRoundTrip(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	p := b.producer()
	const n = 100
	sent := numbered(topic, 0, n)
	for i, msg := range sent {
		msg.ID = fmt.Sprintf("id %d", i)
		msg.Headers = oms.Headers{{Name: "number", Value: msg.Body}, {Name: "word", Value: []byte("ünïcode")}}
		if b.caps.Has(oms.MessageKey) {
			msg.Key = fmt.Appendf(nil, "key %d", i%7)
		}
	}
	b.sendCopies(p, sent[:n/2]...)
	for _, msg := range sent[n/2:] {
		b.sendCopies(p, msg)
	}
	b.sameMessages(m.take(n), sent)
	m.none("though all had come")
}

func checkBatches(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	const window, windowBytes = 10, 2000
	for name, send := range b.bothSenders(oms.SenderConfig{MaxInFlight: window, MaxInFlightBytes: windowBytes}) {
		b.ok("send no message by the "+name, b.outcome(b.start(send)))
		from := 0
		var attempts []*attempt
		for _, n := range []int{1, window, window + 1, b.h.count(250, 20_000), 1} {
			msgs := numbered(topic, from, from+n)
			from += n
			attempts = append(attempts, b.start(send, msgs...))
		}
		large := strings.Repeat("x", 2*windowBytes)
		attempts = append(attempts, b.start(send, &oms.Message{Topic: topic, Body: []byte(large)}))
		for _, a := range attempts {
			b.ok(fmt.Sprintf("send %d messages by the %s", len(a.msgs), name), b.outcome(a))
		}
		want := append(numbers(0, from), large)
		b.same("what was sent by the "+name, firsts(m.collect(want)), want)
		b.once(attempts...)
	}
}

// bothSenders returns the two ways of sending, without and with the front.
func (b *bench) bothSenders(cfg oms.SenderConfig) map[string]oms.SendFunc {
	return map[string]oms.SendFunc{
		"sender":   b.sender(b.raw(), cfg).SendAsync,
		"producer": b.producerOf(b.open(), cfg).SendAsync,
	}
}

func checkManySenders(b *bench) {
	topic := b.topic(b.partitions(4))
	m := b.reader(topic)
	p := b.producerOf(b.open(), oms.SenderConfig{MaxInFlight: 500})
	const senders, batch = 100, 10
	each := b.h.count(100, 1000)
	attempts := make([][]*attempt, senders)
	var want []string
	var sending sync.WaitGroup
	for i := range senders {
		msgs := make([]*oms.Message, each)
		for j := range msgs {
			msgs[j] = &oms.Message{Topic: topic, Body: fmt.Appendf(nil, "%d of %d", j, i)}
			if b.caps.Has(oms.MessageKey) {
				msgs[j].Key = fmt.Appendf(nil, "sender %d", i)
			}
		}
		want = append(want, bodies(msgs)...)
		sending.Go(func() {
			for j := 0; j < each; j += batch {
				attempts[i] = append(attempts[i], newAttempt(msgs[j:j+batch]).by(b.ctx, p.SendAsync))
			}
		})
	}
	got := m.collect(want)
	sending.Wait()
	for _, of := range attempts {
		for _, a := range of {
			b.ok("send", b.outcome(a))
		}
	}
	if b.caps.Has(oms.OrderPerKey) && b.caps.Has(oms.MessageKey) {
		b.inOrder(got)
	}
}

// sendCopies sends copies of messages, so that nobody can change what is
// compared later, and notes what the producer has filled in.
func (b *bench) sendCopies(p *oms.Producer, msgs ...*oms.Message) {
	copies := make([]*oms.Message, len(msgs))
	for i, m := range msgs {
		copies[i] = m.Clone()
		copies[i].Body, copies[i].Key = bytes.Clone(m.Body), bytes.Clone(m.Key)
	}
	b.send(p, copies...)
	for i, m := range msgs {
		m.ID, m.BornAt = copies[i].ID, copies[i].BornAt
	}
}

// partitions returns n, or 1 where topics have no partitions.
func (b *bench) partitions(n int) int {
	if b.caps.Has(oms.Partitioned) {
		return n
	}
	return 1
}

// inOrder fails unless the first deliveries of "number of sender" ascend by
// one for each sender.
func (b *bench) inOrder(msgs []*oms.Message) {
	next := make(map[int]int)
	for _, m := range msgs {
		var number, sender int
		_, err := fmt.Sscanf(string(m.Body), "%d of %d", &number, &sender)
		b.ok("read the body "+string(m.Body), err)
		if number > next[sender] {
			b.fail("message %d of sender %d comes before message %d", number, sender, next[sender])
		}
		next[sender] = max(next[sender], number+1)
	}
}
