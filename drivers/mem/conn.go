package mem

import (
	"context"
	"errors"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A conn is one gateway's view of the broker.
type conn struct {
	broker *broker

	mu     sync.Mutex
	closed bool
	open   map[closer]bool // senders and receivers
}

type closer interface {
	Close(ctx context.Context) error
}

var (
	_ oms.Conn            = (*conn)(nil)
	_ oms.TopicAdmin      = (*conn)(nil)
	_ oms.GroupAdmin      = (*conn)(nil)
	_ oms.LagReporter     = (*conn)(nil)
	_ oms.OffsetFinder    = (*conn)(nil)
	_ oms.GroupPositioner = (*conn)(nil)
	_ oms.Identifier      = (*conn)(nil)
)

// OpenSender implements oms.Conn.
func (c *conn) OpenSender(_ context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, failure("open sender", "", oms.ErrClosed, nil)
	}
	s := newSender(c, cfg.WithDefaults())
	c.open[s] = true
	return s, nil
}

// OpenReceiver implements oms.Conn.
func (c *conn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	const op = "open receiver"
	topics, err := checkGroup(op, cfg.Group, cfg.Topics)
	if err != nil {
		return nil, err
	}
	if err := checkStart(op, cfg.Group, cfg.Start); err != nil {
		return nil, err
	}
	cfg.Topics = topics
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, failure(op, cfg.Group, oms.ErrClosed, nil)
	}
	r := newReceiver(ctx, c, cfg.WithDefaults())
	c.open[r] = true
	return r, nil
}

// Check implements oms.Conn.
func (c *conn) Check(ctx context.Context) error { return c.reach(ctx, "check", "") }

// Close implements oms.Conn. It closes what its caller has left open.
func (c *conn) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	left := make([]closer, 0, len(c.open))
	for o := range c.open {
		left = append(left, o)
	}
	c.mu.Unlock()
	var errs []error
	for _, o := range left {
		errs = append(errs, o.Close(ctx))
	}
	return errors.Join(errs...)
}

// Identity implements oms.Identifier.
func (c *conn) Identity(ctx context.Context) (string, error) {
	if err := c.reach(ctx, "identity", ""); err != nil {
		return "", err
	}
	return c.broker.opts.Identity, nil
}

// reach returns what a round trip to the broker would: nil, or why there is no
// answer.
func (c *conn) reach(ctx context.Context, op, target string) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return failure(op, target, oms.ErrClosed, nil)
	}
	if err := ctx.Err(); err != nil {
		return interrupted(op, target, err)
	}
	if _, down := c.broker.state(); down != nil {
		return coded(op, target, down)
	}
	return nil
}

func (c *conn) forget(o closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, o)
}
