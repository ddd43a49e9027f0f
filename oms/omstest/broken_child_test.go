package omstest_test

import (
	"context"
	"errors"

	"github.com/omconnect/omconnect/oms"
)

// A brokenChild stands for another process: a receiver that is ended without
// a Close of the driver's own.
type brokenChild struct {
	receiver *brokenReceiver
	acked    []string
}

func (d *broken) child(ctx context.Context, topic, group string, acks int) (*brokenChild, error) {
	conn, err := d.Open(ctx, livePoint)
	if err != nil {
		return nil, err
	}
	r, err := conn.OpenReceiver(ctx, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	if err != nil {
		return nil, err
	}
	br, ours := r.(*brokenReceiver)
	if !ours {
		return nil, errors.New("the receiver is somebody else's")
	}
	c := &brokenChild{receiver: br}
	for len(c.acked) < acks {
		msgs, err := r.Receive(ctx, acks-len(c.acked))
		msgs = msgs[:min(len(msgs), acks-len(c.acked))]
		if err == nil {
			err = r.Ack(ctx, msgs)
		}
		if err != nil {
			return nil, errors.Join(err, c.Kill())
		}
		for _, m := range msgs {
			c.acked = append(c.acked, string(m.Body))
		}
	}
	if err := r.Flush(ctx); err != nil {
		return nil, errors.Join(err, c.Kill())
	}
	return c, nil
}

// Acked implements omstest.Child.
func (c *brokenChild) Acked(context.Context) ([]string, error) { return c.acked, nil }

// Kill implements omstest.Child.
func (c *brokenChild) Kill() error { return c.receiver.memReceiver.Close(context.Background()) }
