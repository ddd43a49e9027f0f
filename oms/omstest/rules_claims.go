package omstest

import (
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// An operation is how to ask for a capability through the front, and whether
// a connection or receiver has what the driver needs for it. Without a call
// there is nothing to ask.
type operation struct {
	call func(b *bench, c *oms.Client, m *member, topic string) error
	has  func(conn oms.Conn, r oms.Receiver) bool
}

func onConn[T any](conn oms.Conn, _ oms.Receiver) bool {
	_, ok := conn.(T)
	return ok
}

func onReceiver[T any](_ oms.Conn, r oms.Receiver) bool {
	_, ok := r.(T)
	return ok
}

// theOperations are those that package oms has calls for. Of the others no
// driver can claim any.
func theOperations() map[oms.Capability]operation {
	return map[oms.Capability]operation{
		oms.Nack: {func(b *bench, _ *oms.Client, m *member, _ string) error { return m.Nack(b.ctx) }, onReceiver[oms.Nacker]},
		oms.Seek: {func(b *bench, _ *oms.Client, m *member, _ string) error { return m.Seek(b.ctx, nil) }, onReceiver[oms.Seeker]},
		oms.PauseReceive: {func(b *bench, _ *oms.Client, m *member, _ string) error {
			return both(m.Pause(b.ctx), m.Resume(b.ctx))
		}, onReceiver[oms.Pauser]},
		oms.OffsetForTime: {func(b *bench, c *oms.Client, _ *member, topic string) error {
			_, err := c.Offsets(b.ctx, []string{topic}, oms.Start{})
			return err
		}, onConn[oms.OffsetFinder]},
		oms.GroupPositions: {func(b *bench, c *oms.Client, _ *member, topic string) error {
			_, err := c.Positions(b.ctx, b.name("group"), []string{topic})
			return err
		}, onConn[oms.GroupPositioner]},
		oms.CreateTopic: {func(b *bench, c *oms.Client, _ *member, topic string) error {
			_, err := c.Topics(b.ctx)
			return both(err, c.EnsureTopic(b.ctx, oms.TopicSpec{Name: topic}))
		}, onConn[oms.TopicAdmin]},
		oms.DeleteTopic: {func(b *bench, c *oms.Client, _ *member, _ string) error {
			if err := c.DeleteTopic(b.ctx, b.name("missing")); !errors.Is(err, oms.ErrNotFound) {
				return err
			}
			return nil
		}, onConn[oms.TopicAdmin]},
		oms.ManageGroups: {func(_ *bench, c *oms.Client, _ *member, _ string) error {
			_, err := c.Groups()
			return err
		}, onConn[oms.GroupAdmin]},
		oms.ForeignMembers: {func(b *bench, c *oms.Client, _ *member, topic string) error {
			_, err := c.ForeignMembers(b.ctx, b.name("group"), []string{topic})
			return err
		}, onConn[oms.GroupAdmin]},
		oms.ReportLag: {func(b *bench, c *oms.Client, _ *member, topic string) error {
			_, err := c.Lag(b.ctx, b.name("group"), []string{topic})
			return err
		}, onConn[oms.LagReporter]},
		oms.BrokerIdentity: {func(b *bench, c *oms.Client, _ *member, _ string) error {
			id, err := c.Identity(b.ctx)
			if err == nil && id == "" {
				return errors.New("the identity is empty")
			}
			return err
		}, onConn[oms.Identifier]},
		oms.Transactions: {func(b *bench, c *oms.Client, _ *member, topic string) error {
			p, err := c.NewTxProducer(b.ctx, b.name("id"))
			if err != nil {
				return err
			}
			return errors.Join(p.Send(b.ctx, numbered(topic, 0, 1)...), p.Close(b.ctx))
		}, onConn[oms.TxOpener]},
		oms.HalfMessages: {func(b *bench, c *oms.Client, _ *member, topic string) error {
			p, err := c.NewHalfProducer(b.ctx, b.name("group"), always(oms.Rollback))
			if err != nil {
				return err
			}
			return errors.Join(p.Send(b.ctx, numbered(topic, 0, 1)[0], decided(oms.Rollback)), p.Close(b.ctx))
		}, onConn[oms.HalfOpener]},
	}
}

// both returns the outcome of two calls that are to have the same.
func both(x, y error) error {
	if (x == nil) != (y == nil) {
		return fmt.Errorf("of two calls only one is done, the outcomes are %v and %v", x, y)
	}
	return x
}

func checkOperations(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	c, modest := b.open(), b.concealing(operations)
	cfg := oms.ReceiverConfig{Group: group, Topics: []string{topic}}
	m := b.memberOf(c, cfg)
	concealed := b.memberOf(modest, cfg)
	r := b.receiver(b.raw(), cfg)
	known := theOperations()
	for _, name := range operations {
		op, ok := known[name]
		switch claimed := b.caps.Has(name); {
		case !ok && claimed:
			b.fail("%s is claimed, and there is no call for it", name)
		case !ok:
			continue
		case claimed && !op.has(b.raw(), r):
			b.fail("%s is claimed, and the driver does not have it", name)
		case claimed:
			b.ok("do what is claimed, "+string(name), op.call(b, c, m, topic))
		default:
			b.refused("do what is not claimed, "+string(name), op.call(b, c, m, topic), oms.ErrUnsupported)
		}
		b.refused("do what the driver conceals, "+string(name), op.call(b, modest, concealed, topic), oms.ErrUnsupported)
	}
}

// using returns a message that needs a feature.
func using(feature oms.Capability, topic string) *oms.Message {
	m := &oms.Message{Topic: topic, Body: []byte("needs " + string(feature))}
	switch feature {
	case oms.MessageKey:
		m.Key = []byte{}
	case oms.Tombstones:
		m.Body = nil
	case oms.Delay:
		m.Delay = time.Millisecond
	case oms.Expiry:
		m.ExpiresAt = time.Now().Add(time.Hour)
	case oms.Priority:
		m.Priority = 1
	case oms.ExplicitPartition:
		m.ToPartition = new(int)
	case oms.RepeatedHeaders:
		m.Headers = oms.Headers{{Name: "twice", Value: []byte("1")}, {Name: "other", Value: []byte("2")}, {Name: "twice", Value: []byte("1")}}
	case oms.NilHeaders:
		m.Headers = oms.Headers{{Name: "nil"}}
	case oms.BinaryHeaders:
		m.Headers = oms.Headers{{Name: "binary", Value: []byte{0xff, 0xfe}}}
	default: // no feature of messages
	}
	return m
}

func checkFeatures(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	plain := b.producer()
	for _, feature := range features {
		producers := make(map[string]*oms.Producer)
		if !b.caps.Has(feature) {
			producers["does not claim"] = plain
		}
		producers["conceals"] = b.producerOf(b.concealing([]oms.Capability{feature}), oms.SenderConfig{})
		for why, p := range producers {
			a := b.start(p.SendAsync, &oms.Message{Topic: topic, Body: []byte("beside " + feature)}, using(feature, topic))
			err := b.outcome(a)
			b.refused("send what needs what the driver "+why+", "+string(feature), oms.FailureOf(err, 1), oms.ErrUnsupported)
			b.refused("send beside it", oms.FailureOf(err, 0), oms.ErrAborted)
			b.names(oms.FailureOf(err, 1), string(feature))
		}
	}
	b.same("what was sent", m.rest(plain.SendAsync, topic), nil)
}
