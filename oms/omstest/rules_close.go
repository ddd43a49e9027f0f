package omstest

import (
	"context"
	"errors"

	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/oms"
)

func checkCloseEndsReceive(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	r := b.receiver(b.raw(), oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	received := make(chan error, 1)
	go func() {
		msgs, err := r.Receive(b.ctx, 1)
		if err == nil && len(msgs) > 0 {
			err = errors.New("there was a message")
		}
		received <- err
	}()
	b.pass(b.h.quiet()) // so that it waits
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	b.ok("close a receiver", r.Close(ctx))
	select {
	case err := <-received:
		b.refused("receive while the receiver closes", err, oms.ErrClosed)
	case <-ctx.Done():
		b.fail("Close has returned, and Receive still waits")
	}
}

func checkUseAfterClose(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	c, conn := b.open(), b.raw()

	s := b.sender(conn, oms.SenderConfig{})
	b.ok("send", b.outcome(b.start(s.SendAsync, numbered(topic, 0, 1)...)))
	b.ok("close a sender", s.Close(b.ctx))
	b.ok("close it again", s.Close(b.ctx))
	late := b.start(s.SendAsync, numbered(topic, 1, 3)...)
	b.refused("send through a closed sender", b.outcome(late), oms.ErrClosed)
	p := b.producer()
	b.ok("close a producer", p.Close(b.ctx))
	b.ok("close it again", p.Close(b.ctx))
	b.refused("send through a closed producer", b.outcome(b.start(p.SendAsync, numbered(topic, 3, 4)...)), oms.ErrClosed)

	r := b.receiver(conn, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	msgs, err := r.Receive(ctx, 1)
	b.ok("receive", err)
	b.ok("close a receiver", r.Close(b.ctx))
	b.ok("close it again", r.Close(b.ctx))
	_, err = r.Receive(ctx, 1)
	b.refused("receive from a closed receiver", err, oms.ErrClosed)
	// It was given back: to say so with either code is the truth.
	if err := r.Ack(b.ctx, msgs); !errors.Is(err, oms.ErrStaleDelivery) {
		b.refused("acknowledge with a closed receiver", err, oms.ErrClosed)
	}
	m := b.member(group, topic)
	b.same("what was not acknowledged before Close", bodies(m.take(1)), numbers(0, 1))
	m.none("though it was sent after Close")
	m.leave()

	b.tidy(topic, group)
	b.ok("close a client", c.Close(b.ctx))
	b.ok("close it again", c.Close(b.ctx))
	b.refused("check a closed connection", conn.Check(b.ctx), oms.ErrClosed)
	_, err = conn.OpenSender(b.ctx, oms.SenderConfig{}.WithDefaults())
	b.refused("open a sender of a closed connection", err, oms.ErrClosed)
	_, err = conn.OpenReceiver(b.ctx, oms.ReceiverConfig{Topics: []string{topic}, Group: group}.WithDefaults())
	b.refused("open a receiver of a closed connection", err, oms.ErrClosed)
	if b.caps.Has(oms.CreateTopic) {
		b.refused("create a topic over a closed connection", c.EnsureTopic(b.ctx, oms.TopicSpec{Name: topic}), oms.ErrClosed)
	}
}

// tidy removes a topic and its group now, where that is possible.
func (b *bench) tidy(topic, group string) {
	if b.caps.Has(oms.ManageGroups) {
		groups, err := b.open().Groups()
		b.ok("find groups", err)
		b.ok("delete group", groups.DeleteGroup(b.ctx, group, []string{topic}))
	}
	if b.caps.Has(oms.DeleteTopic) {
		b.ok("delete topic", b.open().DeleteTopic(b.ctx, topic))
	}
}

func checkGoroutines(b *bench) {
	topic, group := b.name("topic"), b.name("group")
	// The first visit makes what stays: a client library's own goroutines, and
	// those of a broker in this process.
	b.visit(topic, group, 0)
	before := goleak.IgnoreCurrent()
	const visits = 3
	for i := range visits {
		b.visit(topic, group, i+1)
	}
	b.until("the end of every goroutine that was started since", func() (bool, error) {
		err := goleak.Find(before)
		return err == nil, err
	})
	b.tidy(topic, group)
}

// visit uses a connection for everything once, and closes it.
func (b *bench) visit(topic, group string, n int) {
	c := b.another()
	b.ok("make topic", c.EnsureTopic(b.ctx, oms.TopicSpec{Name: topic}))
	p := b.producerOf(c, oms.SenderConfig{})
	m := b.memberOf(c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	if !b.caps.Has(oms.Backlog) {
		m.none("before anything was sent") // it has joined, then
	}
	b.send(p, numbered(topic, n, n+1)...)
	b.same("what is received", bodies(m.take(1)), numbers(n, n+1))
	b.ok("check", c.Check(b.ctx))
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	b.ok("close a producer", p.Close(ctx))
	b.ok("close a consumer", m.Close(ctx))
	b.ok("close a client", c.Close(ctx))
}
