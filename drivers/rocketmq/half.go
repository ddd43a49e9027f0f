package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// A halfSender sends the half messages of a group, and answers for the group
// when the broker asks. The client is kept; the sender is not.
type halfSender struct {
	conn   *conn
	client *halfClient
	sender *sender // chooses partitions; it sends nothing
	check  func(context.Context, *oms.Message) oms.Verdict
	asking context.Context //nolint:containedctx // of checks, which the library calls without any; ends with Close
	end    context.CancelFunc
	checks sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

var (
	_ oms.HalfOpener = (*conn)(nil)
	_ oms.HalfSender = (*halfSender)(nil)
)

// OpenHalf implements oms.HalfOpener. It asks the name server for the brokers.
func (c *conn) OpenHalf(ctx context.Context, group string, check func(context.Context, *oms.Message) oms.Verdict) (oms.HalfSender, error) {
	const op = "open half sender"
	if err := c.options.checkGroup(group); err != nil {
		return nil, invalid(op, group, err)
	}
	if err := c.Check(ctx); err != nil {
		return nil, err
	}
	client, err := c.library.half(c.options.native(group))
	if err == nil {
		err = client.introduce(ctx)
	}
	if err != nil {
		return nil, classify(op, group, err)
	}
	s := &halfSender{conn: c, client: client, check: check, sender: newSender(c, oms.SenderConfig{})}
	s.asking, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := c.keep(op, s); err != nil {
		s.end()
		s.sender.giveUp()
		return nil, err
	}
	client.join(s)
	return s, nil
}

// Send implements oms.HalfSender. The library tells the broker the verdict
// without waiting for an answer: where that is lost, the broker asks.
func (s *halfSender) Send(ctx context.Context, msg *oms.Message, local func(context.Context) oms.Verdict) error {
	const op = "send half message"
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return s.conn.code(op, "", oms.ErrClosed, "the sender is closed")
	}
	if msg.Delay > 0 {
		return s.conn.code(op, msg.Topic, oms.ErrInvalid, "a half message cannot be delayed: brokers deliver it when it is committed")
	}
	r := record{}
	p, err := s.sender.prepare(ctx, &r, msg, s.sender.turns.Call())
	if err != nil {
		return err
	}
	found, err := s.sender.route(ctx, msg.Topic)
	if err != nil {
		return classify(op, msg.Topic, err)
	}
	q, err := found.at(msg.Topic, p.Number)
	if err != nil {
		return classify(op, p.String(), err)
	}
	address, err := found.address(q)
	if err != nil {
		s.conn.routes.renew(msg.Topic)
		return classify(op, p.String(), err)
	}
	bounded, cancel := context.WithTimeout(ctx, s.conn.options.timeout)
	defer cancel()
	m := single(found.native, &primitive.MessageQueue{Topic: found.native, BrokerName: q.broker, QueueId: q.id}, &r.out)
	status, err := s.client.send(bounded, m, func() oms.Verdict { return local(ctx) })
	switch {
	case err != nil:
		s.conn.routes.renew(msg.Topic)
		return classify(op, p.String(), sendError(q, address, err))
	case status != primitive.SendOK:
		// The library does that whatever the options say.
		return &oms.Error{
			Op: op, Driver: Name, Target: p.String(), Code: oms.ErrUnknown,
			Err: fmt.Errorf("broker %s, %s: %w", q.broker, storedStatus(status), errTakenBack),
		}
	}
	return nil
}

// verdict asks check about a message as the broker has it.
func (s *halfSender) verdict(m *primitive.MessageExt) oms.Verdict {
	out, err := s.conn.half(m)
	if err != nil {
		s.conn.log.Warn("a half message that cannot be read; it stays undecided", "group", s.client.group, "error", err)
		return oms.Undecided
	}
	v := s.check(s.asking, out)
	if s.asking.Err() != nil {
		return oms.Undecided // said by one that was told to give up
	}
	return v
}

// half makes of a half message what a receiver would get, but for its partition
// and offset, which it does not have yet.
func (c *conn) half(m *primitive.MessageExt) (*oms.Message, error) {
	topic, ok := c.options.portable(m.Topic)
	if !ok {
		return nil, fmt.Errorf("topic %s is none of this access point", m.Topic)
	}
	all, err := storedOf([]*primitive.MessageExt{m})
	if err != nil {
		return nil, err
	}
	out := &oms.Message{Topic: topic}
	if err := unwrap(out, all[0].properties, all[0].body, all[0].born, c.options.tagHeader); err != nil {
		return nil, err
	}
	return out, nil
}

// Close implements oms.HalfSender.
func (s *halfSender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.client.leave(s)
	s.end()
	s.sender.giveUp()
	ended := make(chan struct{})
	go func() {
		s.checks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		return classify("close half sender", s.client.group, errors.Join(errors.New("a check does not end"), ctx.Err()))
	}
	s.conn.forget(s)
	return nil
}
