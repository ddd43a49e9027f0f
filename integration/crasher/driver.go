package main

import (
	"context"

	"github.com/omconnect/omconnect/oms" //nolint:depguard // this program is what is tested, as anybody's
)

// A driver is another driver with the points send, confirm, receive and ack.
type driver struct {
	oms.Driver
	trap   *trap
	synced bool // the broker syncs before it confirms
}

// Capabilities are the driver's. It cannot know that the server syncs.
func (d driver) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	c := d.Driver.Capabilities(ap)
	if d.synced {
		c.DurableAfter = 0
	}
	return c
}

func (d driver) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	inner, err := d.Driver.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	return conn{inner.(wholeConn), d.trap}, nil
}

// A wholeConn is what the connections of these drivers can do.
type wholeConn interface {
	oms.Conn
	oms.TopicAdmin
	oms.GroupAdmin
	oms.LagReporter
	oms.Identifier
}

type conn struct {
	wholeConn
	trap *trap
}

func (c conn) OpenSender(ctx context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	inner, err := c.wholeConn.OpenSender(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return sender{inner, c.trap}, nil
}

func (c conn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	inner, err := c.wholeConn.OpenReceiver(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return receiver{inner.(wholeReceiver), c.trap}, nil
}

type sender struct {
	oms.Sender
	trap *trap
}

func (s sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	s.Sender.SendAsync(ctx, msgs, func(err error) {
		if err == nil {
			s.trap.hit(atConfirm)
		}
		done(err)
	})
	s.trap.hit(atSend)
}

// A wholeReceiver is what the receivers of these drivers can do.
type wholeReceiver interface {
	oms.Receiver
	oms.Nacker
	oms.Seeker
	oms.Pauser
}

type receiver struct {
	wholeReceiver
	trap *trap
}

func (r receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	msgs, err := r.wholeReceiver.Receive(ctx, limit)
	if len(msgs) > 0 {
		r.trap.hit(atReceive)
	}
	return msgs, err
}

func (r receiver) Ack(ctx context.Context, msgs []*oms.Message) error {
	err := r.wholeReceiver.Ack(ctx, msgs)
	if err == nil {
		r.trap.hit(atAck)
	}
	return err
}
