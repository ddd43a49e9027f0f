package oms

import (
	"context"
	"slices"
)

// A Producer sends messages and resends those whose failure is temporary, in
// order, until it is closed. It is safe for concurrent use.
//
// A message that fails for good ends its batch with a *BatchError. Messages
// behind it that the driver gave up untried are failed with ErrAborted, so
// that the caller decides whether they may overtake it.
type Producer struct {
	screen screen
	send   SendFunc
	out    *outbox
}

func newProducer(c *Client, s Sender) *Producer {
	p := &Producer{screen: newScreen(c), out: newOutbox(s)}
	p.OnTrouble(c.logTrouble)
	p.send = c.intercepted(p.out.send)
	return p
}

// intercepted puts the client's interceptors around what sends messages.
func (c *Client) intercepted(send SendFunc) SendFunc {
	for _, wrap := range slices.Backward(c.send) {
		send = wrap(send)
	}
	return send
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
	if err := p.screen.pass(msgs); err != nil {
		done(err)
		return
	}
	p.send(ctx, msgs, done)
}

// Stalled returns the failure because of which messages are being resent, from
// the first moment on, or nil. Trouble tells when that lasts.
func (p *Producer) Stalled() error { return p.out.stalledBy() }

// Close waits for the outcome of everything sent, as long as ctx allows, and
// gives up the rest. When it returns, every done has been called.
func (p *Producer) Close(ctx context.Context) error { return p.out.close(ctx) }
