package omstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// producer returns a producer of the rule's client.
func (b *bench) producer() *oms.Producer { return b.producerOf(b.open(), oms.SenderConfig{}) }

func (b *bench) producerOf(c *oms.Client, cfg oms.SenderConfig) *oms.Producer {
	p, err := c.NewProducer(b.ctx, cfg)
	b.ok("open producer", err)
	b.onClose(p.Close)
	return p
}

// sender returns a sender without the front.
func (b *bench) sender(c oms.Conn, cfg oms.SenderConfig) oms.Sender {
	s, err := c.OpenSender(b.ctx, cfg.WithDefaults())
	b.ok("open sender", err)
	b.onClose(s.Close)
	return s
}

// send sends messages and waits until all are confirmed.
func (b *bench) send(p *oms.Producer, msgs ...*oms.Message) {
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	b.ok("send", p.Send(ctx, msgs...))
}

// numbered returns messages whose bodies are the numbers in [from, to).
func numbered(topic string, from, to int) []*oms.Message {
	msgs := make([]*oms.Message, 0, to-from)
	for i := from; i < to; i++ {
		msgs = append(msgs, &oms.Message{Topic: topic, Body: fmt.Appendf(nil, "%d", i)})
	}
	return msgs
}

// keyed is numbered with the key of each message chosen from n.
func keyed(topic string, from, to, n int) []*oms.Message {
	msgs := numbered(topic, from, to)
	for i, m := range msgs {
		m.Key = fmt.Appendf(nil, "key %d", (from+i)%n)
	}
	return msgs
}

func bodies(msgs []*oms.Message) []string {
	texts := make([]string, len(msgs))
	for i, m := range msgs {
		texts[i] = string(m.Body)
	}
	return texts
}

// A member is a consumer with helpers.
type member struct {
	*oms.PullConsumer
	b *bench
}

// member joins the group.
func (b *bench) member(group string, topics ...string) *member {
	return b.memberOf(b.open(), oms.ReceiverConfig{Group: group, Topics: topics})
}

func (b *bench) memberOf(c *oms.Client, cfg oms.ReceiverConfig) *member {
	pc, err := c.NewPullConsumer(b.ctx, cfg)
	b.ok("open consumer", err)
	b.onClose(pc.Close)
	return &member{pc, b}
}

// receiver returns a receiver without the front.
func (b *bench) receiver(c oms.Conn, cfg oms.ReceiverConfig) oms.Receiver {
	r, err := c.OpenReceiver(b.ctx, cfg.WithDefaults())
	b.ok("open receiver", err)
	b.onClose(r.Close)
	return r
}

// get receives exactly n messages, without acknowledging them.
func (m *member) get(n int) []*oms.Message {
	deadline := time.Now().Add(m.b.h.patience())
	var got []*oms.Message
	for len(got) < n {
		msgs, err := m.Receive(m.b.ctx, n-len(got), time.Until(deadline))
		m.b.ok(fmt.Sprintf("receive after %d of %d messages", len(got), n), err)
		if len(msgs) == 0 {
			m.b.fail("%d of %d messages came, the last ones were %q", len(got), n, tail(bodies(got)))
		}
		if len(msgs) > n-len(got) {
			m.b.fail("Receive returned %d messages, at most %d were asked for", len(msgs), n-len(got))
		}
		got = append(got, msgs...)
		deadline = time.Now().Add(m.b.h.patience())
	}
	return got
}

// take is get, and acknowledges.
func (m *member) take(n int) []*oms.Message {
	msgs := m.get(n)
	m.ack(msgs...)
	return msgs
}

func (m *member) ack(msgs ...*oms.Message) { m.b.ok("acknowledge", m.Ack(m.b.ctx, msgs...)) }

// none fails if a message comes within the harness's Quiet.
func (m *member) none(when string) {
	msgs, err := m.Receive(m.b.ctx, 10, m.b.h.quiet())
	m.b.ok("receive "+when, err)
	if len(msgs) > 0 {
		m.b.fail("%d messages came %s: %q", len(msgs), when, tail(bodies(msgs)))
	}
}

// collect receives and acknowledges until all of want have come at least once,
// and returns everything in the order of arrival. Repeats are allowed.
func (m *member) collect(want []string) []*oms.Message {
	missing := make(map[string]bool, len(want))
	for _, w := range want {
		missing[w] = true
	}
	deadline := time.Now().Add(m.b.h.patience())
	var got []*oms.Message
	for len(missing) > 0 {
		msgs, err := m.Receive(m.b.ctx, 500, time.Until(deadline))
		m.b.ok("receive", err)
		if len(msgs) == 0 {
			m.b.fail("%d of %d messages did not come, such as %q", len(missing), len(want), anyOf(missing))
		}
		if err := m.Ack(m.b.ctx, msgs...); err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
			m.b.fail("acknowledge: %w", err)
		}
		before := len(missing)
		for _, msg := range msgs {
			delete(missing, string(msg.Body))
		}
		if len(missing) < before {
			deadline = time.Now().Add(m.b.h.patience())
		}
		got = append(got, msgs...)
	}
	return got
}

// leave closes the consumer now.
func (m *member) leave() {
	ctx, cancel := context.WithTimeout(m.b.ctx, m.b.h.patience())
	defer cancel()
	m.b.ok("close consumer", m.Close(ctx))
}

// same fails unless got are exactly want, in order.
func (b *bench) same(what string, got, want []string) {
	if !slices.Equal(got, want) {
		b.fail("%s: got %d: %q, want %d: %q", what, len(got), tail(got), len(want), tail(want))
	}
}

// firsts returns the bodies of the messages, each at its first delivery.
func firsts(msgs []*oms.Message) []string {
	seen := make(map[string]bool, len(msgs))
	var texts []string
	for _, text := range bodies(msgs) {
		if !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	return texts
}

// numbers returns the texts of the numbers in [from, to).
func numbers(from, to int) []string { return bodies(numbered("", from, to)) }

func tail(texts []string) []string { return texts[max(0, len(texts)-10):] }

func anyOf(set map[string]bool) string {
	for s := range set {
		return s
	}
	return ""
}
