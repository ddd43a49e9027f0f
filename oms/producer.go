package oms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// A Producer sends messages and resends those whose failure is temporary, in
// order, until it is closed. It is safe for concurrent use.
//
// A message that fails for good ends its batch with a *BatchError. Messages
// behind it that the driver gave up untried are failed with ErrAborted, so
// that the caller decides whether they may overtake it.
type Producer struct {
	client    *Client
	send      SendFunc
	unclaimed []feature
	out       *outbox
}

func newProducer(c *Client, s Sender) *Producer {
	p := &Producer{client: c, out: newOutbox(s)}
	for _, f := range features {
		if !c.caps.Has(f.capability) {
			p.unclaimed = append(p.unclaimed, f)
		}
	}
	p.send = p.out.send
	for _, wrap := range slices.Backward(c.send) {
		p.send = wrap(p.send)
	}
	return p
}

// Send sends messages and waits until all are confirmed. It returns nil, a
// *BatchError, or ctx's error: then the messages may still be sent.
func (p *Producer) Send(ctx context.Context, msgs ...*Message) error {
	outcome := make(chan error, 1)
	p.SendAsync(ctx, msgs, func(err error) { outcome <- err })
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SendAsync sends messages and calls done once when their outcome is certain,
// on any goroutine, possibly before it returns. It blocks while the window is
// full or earlier messages are being resent; ctx bounds that and nothing
// else. When a message cannot be sent at all (no broker takes it, or it needs
// a capability that the driver does not claim) nothing of the batch is sent.
func (p *Producer) SendAsync(ctx context.Context, msgs []*Message, done func(error)) {
	if len(msgs) == 0 {
		done(nil)
		return
	}
	failed := make(map[int]error)
	for i, m := range msgs {
		if err := p.check(m); err != nil {
			failed[i] = err
			continue
		}
		if m.ID == "" {
			m.ID = rand.Text()
		}
		if m.BornAt.IsZero() {
			m.BornAt = time.Now()
		}
	}
	if len(failed) == 0 {
		p.send(ctx, msgs, done)
		return
	}
	for i, m := range msgs {
		if failed[i] == nil {
			failed[i] = p.fail(m, ErrAborted, errors.New("another message of its batch cannot be sent"))
		}
	}
	done(&BatchError{Failed: failed})
}

// Stalled returns the failure because of which messages are being resent, or
// nil.
func (p *Producer) Stalled() error { return p.out.stalledBy() }

// Close waits for the outcome of everything sent, as long as ctx allows, and
// gives up the rest. When it returns, every done has been called.
func (p *Producer) Close(ctx context.Context) error { return p.out.close(ctx) }

// A feature is what a message can ask of a broker.
type feature struct {
	capability Capability
	used       func(*Message) bool
}

var features = []feature{
	{MessageKey, func(m *Message) bool { return m.Key != nil }},
	{Tombstones, func(m *Message) bool { return m.Body == nil }},
	{Delay, func(m *Message) bool { return m.Delay > 0 }},
	{Expiry, func(m *Message) bool { return !m.ExpiresAt.IsZero() }},
	{Priority, func(m *Message) bool { return m.Priority > 0 }},
	{ExplicitPartition, func(m *Message) bool { return m.ToPartition != nil }},
	{BinaryHeaders, func(m *Message) bool {
		return slices.ContainsFunc(m.Headers, func(h Header) bool { return !utf8.Valid(h.Value) })
	}},
	{RepeatedHeaders, func(m *Message) bool {
		for i, h := range m.Headers {
			for _, other := range m.Headers[:i] {
				if other.Name == h.Name {
					return true
				}
			}
		}
		return false
	}},
	{NilHeaders, func(m *Message) bool {
		for _, h := range m.Headers {
			if h.Value == nil {
				return true
			}
		}
		return false
	}},
}

// check tells what keeps a message from being sent.
func (p *Producer) check(m *Message) error {
	if err := ValidTopic(m.Topic); err != nil {
		return p.fail(m, ErrInvalid, err)
	}
	if limit := p.client.caps.MaxBody; limit > 0 && len(m.Body) > limit {
		return p.fail(m, ErrTooLarge, fmt.Errorf("the body has %d bytes, at most %d are allowed", len(m.Body), limit))
	}
	for _, f := range p.unclaimed {
		if f.used(m) {
			return p.client.caps.Check(p.client.ap.Driver, []Need{{Capability: f.capability}})
		}
	}
	for _, h := range m.Headers {
		if h.Name == "" {
			return p.fail(m, ErrFormat, errors.New("a header has no name"))
		}
	}
	if m.Delay < 0 || m.Priority < 0 || m.Priority > 10 {
		return p.fail(m, ErrInvalid, fmt.Errorf("delay %v or priority %d is out of range", m.Delay, m.Priority))
	}
	return nil
}

func (p *Producer) fail(m *Message, code Code, err error) error {
	return p.client.fail("send", m.Topic, code, err)
}
