package omstest

import (
	"context"
	"errors"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A victim is a member, with a client of its own where the broker has room for
// another, both to be ended without time for anything.
type victim struct {
	*seat
	client *oms.Client // nil: it is the rule's
	dead   bool
}

func (b *bench) victim(cfg oms.ReceiverConfig) *victim {
	v := &victim{seat: new(seat), client: b.companion()}
	c := v.client
	if c == nil {
		c = b.open()
	}
	pc, err := c.NewPullConsumer(b.ctx, v.watch(cfg))
	b.ok("open consumer", err)
	v.member = &member{pc, b}
	b.onClose(func(ctx context.Context) error {
		if v.dead {
			return nil
		}
		return v.Close(ctx)
	})
	return v
}

// die closes member and client with no time to do so, which is as abruptly as
// a program can. That it cannot be done properly is what they say, if they say
// anything.
func (v *victim) die() {
	v.dead = true
	ended, cancel := context.WithCancel(v.b.ctx)
	cancel()
	v.b.ok("close", v.b.bounded("Close whose context is done", func() error {
		_ = v.Close(ended) // it has no time to be proper
		if v.client != nil {
			_ = v.client.Close(ended) // as above
		}
		return nil
	}))
}

// companion returns a client with a connection of its own, or nil where the
// broker has room for one only.
func (b *bench) companion() *oms.Client {
	var r oms.Registry
	r.Register(b.h.AccessPoint.Driver, b.h.Driver)
	c, err := r.Open(b.ctx, b.h.AccessPoint.Reveal())
	if errors.Is(err, oms.ErrHeld) {
		return nil
	}
	b.ok("open", err)
	b.onClose(unlessClosed(c.Close))
	return c
}

// bounded calls f, fails when it does not return, and returns its error.
func (b *bench) bounded(what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(b.h.patience())
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		b.fail("%s does not return", what)
	case <-b.ctx.Done():
		b.fail("%s does not return: %w", what, b.ctx.Err())
	}
	return nil
}

// long is how long to wait for what begins with the broker noticing that
// somebody is gone, or the driver that the broker is back.
func (b *bench) long() time.Duration { return 3 * b.h.patience() }

// murder has another process acknowledge and flush so many messages, kills it,
// and returns their bodies.
func (b *bench) murder(topic, group string, acks int) []string {
	ctx, cancel := context.WithTimeout(b.ctx, b.long())
	defer cancel()
	child, err := b.h.Child(ctx, topic, group, acks)
	b.ok("start another process", err)
	acked, err := child.Acked(ctx)
	if err != nil {
		err = errors.Join(err, child.Kill())
	}
	b.ok("acknowledge in another process", err)
	b.ok("kill the other process", child.Kill())
	if len(acked) != acks {
		b.fail("the other process acknowledged %d messages, want %d", len(acked), acks)
	}
	return acked
}

// left is what a group still gets: a new member receives and acknowledges all
// of want, and what comes before and soon after.
func (b *bench) left(group, topic string, want []string) []string {
	m := b.member(group, topic)
	got := b.reap(reaping{members: []*member{m}, want: want, linger: b.h.quiet(), patience: b.long()})
	m.leave()
	return caught(got)
}
