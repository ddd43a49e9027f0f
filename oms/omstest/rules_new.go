package omstest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var newRules = []Rule{
	{
		ID: "N01", Sentence: "When a batch fails in the middle of others, no later message of its key is stored before it.",
		Needs: []oms.Capability{oms.OrderPerKey, oms.MessageKey}, needs: needsMaxBody, check: checkPipeline,
	},
	{
		ID: "N02", Sentence: "Groups that are made before the first message get all of them, however late their members come.",
		Needs: []oms.Capability{oms.ManageGroups, oms.Groups}, check: checkEarlyGroups,
	},
	{
		ID: "N03", Sentence: "Messages in hand when their partition goes cannot be acknowledged afterwards: they come to the next owner.",
		Needs: []oms.Capability{oms.Partitioned}, check: checkLateAck,
	},
	{ID: "N04", Sentence: "What is taken from the broker and not acknowledged stays under its bounds in messages and bytes.", check: checkTakenBounds},
	{ID: "N05", Sentence: "Sending changes no byte of a message's key, body and headers, nor behind them.", check: checkUnchanged},
	{ID: "N06", Sentence: "A sender that is closed while it is full calls every done once.", check: checkCloseWhileFull},
	{
		ID: "N07", Sentence: "Headers that mean something to the broker arrive like any others, and steer nothing.",
		needs: needsReservedHeaders, check: checkReservedHeaders,
	},
	{
		ID: "N08", Sentence: "Topics that the broker keeps for itself are neither made nor sent to.",
		needs: needsReservedTopics, check: checkReservedTopics,
	},
	{ID: "N09", Sentence: "Two messages with one id and different bodies are two messages.", check: checkSameID},
	{
		ID: "N10", Sentence: "A group is told of messages that retention removed before it read them, and gets the next ones.",
		Needs: []oms.Capability{oms.Partitioned}, needs: needsTrim, check: checkGap,
	},
	{
		ID: "N11", Sentence: "A group whose members are killed again and again, with all in hand that they may have, loses nothing.", check: checkManyCrashes,
		fullLimit: 30 * time.Minute, // thirty members die one after another, and the broker takes its time to notice each
	},
	{ID: "N12", Sentence: "A topic takes messages as soon as it is made, and keeps them for who comes later.", check: checkNeverUnroutable},
}

func needsReservedHeaders(h *Harness) string {
	if len(h.ReservedHeaders) == 0 {
		return "the harness names no headers that mean something to the broker"
	}
	return ""
}

func needsReservedTopics(h *Harness) string {
	if len(h.ReservedTopics) == 0 {
		return "the harness names no topics that the broker keeps for itself"
	}
	return ""
}

func needsTrim(h *Harness) string {
	if h.Trim == nil {
		return "the harness cannot remove messages as retention does"
	}
	return ""
}

func checkPipeline(b *bench) {
	const batches, size, keys, bad = 30, 6, 3, 10
	topic := b.topic(2)
	m := b.reader(topic)
	s := b.sender(b.raw(), oms.SenderConfig{})
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	var attempts []*attempt
	for i := range batches {
		a := newAttempt(keyed(topic, i*size, (i+1)*size, keys))
		if i == bad {
			a.hold = hold // who learns of a failure keeps done until it sends nothing new
			a.msgs[size/2].Body = b.tooLarge(topic).Body
		}
		attempts = append(attempts, a.by(b.ctx, s.SendAsync))
		if i == bad && a.calls.Load() > 0 && !a.held {
			break // done came within SendAsync: nothing new is sent
		}
	}
	b.outcome(attempts[bad]) //nolint:errcheck // looked at below
	release()
	var again []*oms.Message
	for i, a := range attempts {
		err := b.outcome(a)
		for j, msg := range a.msgs {
			if oms.FailureOf(err, j) == nil {
				continue
			}
			if i == bad && j == size/2 {
				msg = msg.Clone()
				msg.Body = keyed(topic, i*size+j, i*size+j+1, keys)[0].Body
			}
			again = append(again, msg)
		}
	}
	b.resend("sending again what failed", func() error { // done may still be returning
		err := b.outcome(b.start(s.SendAsync, again...))
		var left []*oms.Message
		for i, msg := range again {
			if oms.FailureOf(err, i) != nil {
				left = append(left, msg)
			}
		}
		again = left
		return err
	})
	n := len(attempts) * size
	b.keysInOrder(b.reap(reaping{members: []*member{m}, enough: lastOfKeys(n, keys)}))
}

func checkEarlyGroups(b *bench) {
	topic := b.topic(2)
	groups := []string{b.group(topic), b.group(topic)}
	p := b.producer()
	b.send(p, b.spread(topic, 0, 50)...)
	b.left(groups[0], topic, numbers(0, 50))
	b.send(p, b.spread(topic, 50, 100)...)
	b.left(groups[1], topic, numbers(0, 100))
}

func checkUnchanged(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	const behind = "behind"
	roomy := func(text string) []byte { return append([]byte(text), behind...)[:len(text)] }
	whole := func(bs []byte) []byte { return bs[:len(bs)+len(behind)] }
	var msgs []*oms.Message
	for i := range 50 {
		msg := &oms.Message{Topic: topic, Body: roomy(fmt.Sprintf("body %d %s", i, bytes.Repeat([]byte("again "), i*10)))}
		if b.caps.Has(oms.MessageKey) {
			msg.Key = roomy(fmt.Sprintf("key %d", i))
		}
		msg.Headers = append(make(oms.Headers, 0, 8), oms.Header{Name: "name", Value: roomy(fmt.Sprintf("value %d", i))})
		msgs = append(msgs, msg)
	}
	type copied struct{ body, key, value []byte }
	var want []copied
	for _, msg := range msgs {
		c := copied{body: bytes.Clone(whole(msg.Body)), value: bytes.Clone(whole(msg.Headers[0].Value))}
		if msg.Key != nil {
			c.key = bytes.Clone(whole(msg.Key))
		}
		want = append(want, c)
	}
	b.send(b.producer(), msgs...)
	m.take(len(msgs))
	for i, msg := range msgs {
		value := msg.Headers[0].Value
		switch {
		case !bytes.Equal(whole(msg.Body), want[i].body):
			b.fail("a body has become %q, it was %q", whole(msg.Body), want[i].body)
		case msg.Key != nil && !bytes.Equal(whole(msg.Key), want[i].key):
			b.fail("a key has become %q, it was %q", whole(msg.Key), want[i].key)
		case len(msg.Headers) != 1 || msg.Headers[0].Name != "name" || !bytes.Equal(whole(value), want[i].value):
			b.fail("the headers have become %q", msg.Headers)
		}
		if more := msg.Headers[:cap(msg.Headers)]; slices.ContainsFunc(more[1:], func(h oms.Header) bool { return h.Name != "" }) {
			b.fail("there are new headers behind those of the message: %q", more)
		}
	}
}

func checkCloseWhileFull(b *bench) {
	topic := b.topic(1)
	gaveUp, giveUp := context.WithCancel(b.ctx)
	giveUp()
	for _, ctx := range []context.Context{b.ctx, gaveUp} {
		s := b.sender(b.raw(), oms.SenderConfig{MaxInFlight: 5})
		c := &crowd{send: s.SendAsync, topic: topic, closed: make(chan struct{}), news: make(chan struct{}, 1)}
		c.start(b.ctx, 50)
		b.ok("send", b.bounded("sending", func() error {
			for range 100 {
				select {
				case <-c.news:
				case <-b.ctx.Done():
					return b.ctx.Err()
				}
			}
			return nil
		}))
		before := c.sent()
		err := b.bounded("Close of a full sender", func() error { return s.Close(ctx) })
		if err != nil && ctx.Err() == nil {
			b.fail("close: %w", err)
		}
		b.closed(before...)
		close(c.closed)
		b.ok("send", b.bounded("SendAsync of a closed sender", func() error {
			c.sending.Wait()
			return nil
		}))
		for _, a := range c.sent() {
			b.outcome(a) //nolint:errcheck // whatever it is, it comes
		}
	}
}

// A crowd is many who send at once, until the sender is closed.
type crowd struct {
	send    oms.SendFunc
	topic   string
	closed  chan struct{}
	news    chan struct{} // there was an outcome
	sending sync.WaitGroup

	mu       sync.Mutex
	attempts []*attempt // of which SendAsync has returned
}

func (c *crowd) start(ctx context.Context, n int) {
	for i := range n {
		c.sending.Go(func() {
			for !c.last(newAttempt(numbered(c.topic, i, i+3)).by(ctx, c.send)) {
			}
		})
	}
}

// last waits for an outcome, and reports whether there is to be no other.
func (c *crowd) last(a *attempt) bool {
	c.mu.Lock()
	c.attempts = append(c.attempts, a)
	c.mu.Unlock()
	select {
	case <-a.settled:
	case <-c.closed:
		return true
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
	return oms.CodeOf(a.err) == oms.ErrClosed
}

// sent returns the attempts of which SendAsync has returned.
func (c *crowd) sent() []*attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.attempts)
}

func checkSameID(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	p := b.producer()
	named := func(n int) *oms.Message {
		msg := numbered(topic, n, n+1)[0]
		msg.ID = "one id"
		return msg
	}
	b.send(p, named(0), named(1))
	b.send(p, named(2))
	b.send(b.producer(), named(3))
	b.exactly("messages with one id", caught(b.reap(reaping{members: []*member{m}, want: numbers(0, 4), linger: b.h.quiet()})), numbers(0, 4))
}
