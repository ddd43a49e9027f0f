package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The bare side for RabbitMQ is amqp091-go, with the exchange, the queue and
// the messages that ours has.

const (
	// amqpWindow is how many messages wait for their confirmation, as many as
	// drivers/rabbitmq lets through.
	amqpWindow = 4096
	// amqpPrefetch is how many messages the broker delivers ahead, about as
	// many as to ours; amqpAck is how many one acknowledgement is for.
	amqpPrefetch = 1000
	amqpAck      = 100
)

// amqpChannel opens a connection with one channel.
func amqpChannel(t task) (*amqp.Connection, *amqp.Channel, error) {
	conn, err := amqp.Dial("amqp://guest:guest@" + t.Addr + "/")
	if err != nil {
		return nil, nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, ch, nil
}

// amqpDeclare makes an exchange, and a queue that gets all of it.
func amqpDeclare(ch *amqp.Channel, t task) error {
	if err := ch.ExchangeDeclare(t.Topic, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return err
	}
	quorum := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}
	if _, err := ch.QueueDeclare(t.Topic, true, false, false, false, quorum); err != nil {
		return err
	}
	return ch.QueueBind(t.Topic, "#", t.Topic, false, nil)
}

// amqpPublish keeps a window of messages without a confirmation full. What
// comes back because no queue has it is an error: its confirmation is none.
func amqpPublish(_ context.Context, t task, w *stopwatch) (err error) {
	conn, ch, err := amqpChannel(t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := amqpDeclare(ch, t); err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	returned := ch.NotifyReturn(make(chan amqp.Return, amqpWindow))
	if err := w.start(); err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	await := func(c *amqp.DeferredConfirmation) error {
		late.Reset(patience)
		select {
		case <-c.Done():
		case <-late.C:
			return errors.New("the broker does not confirm")
		}
		if !c.Acked() || len(returned) > 0 {
			return errors.New("the broker refuses a message")
		}
		return nil
	}
	window := make([]*amqp.DeferredConfirmation, amqpWindow) // a ring
	for i := range t.Records {
		oldest := window[i%amqpWindow]
		if oldest != nil {
			if err := await(oldest); err != nil {
				return err
			}
		}
		m := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body}
		if window[i%amqpWindow], err = ch.PublishWithDeferredConfirm(t.Topic, "0", true, false, m); err != nil {
			return err
		}
	}
	for i := range min(t.Records, amqpWindow) { // the order does not matter any more
		if err := await(window[i]); err != nil {
			return err
		}
	}
	return w.stop()
}

// amqpReceive acknowledges many messages at a time, and asks in the end after
// the queue: the broker answers behind the last acknowledgement.
func amqpReceive(_ context.Context, t task, w *stopwatch) (err error) {
	conn, ch, err := amqpChannel(t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := ch.Qos(amqpPrefetch, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.Consume(t.Topic, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for n := 1; n <= t.Records; n++ {
		var d amqp.Delivery
		ok := true
		select {
		case d, ok = <-deliveries:
		default: // a timer is not looked at for each message
			late.Reset(patience)
			select {
			case d, ok = <-deliveries:
			case <-late.C:
				ok = false
			}
		}
		if !ok {
			return fmt.Errorf("%d messages did not come", t.Records-n+1)
		}
		if err := w.begin(); err != nil {
			return err
		}
		if err := checkBody(d.Body); err != nil {
			return err
		}
		if n%amqpAck == 0 || n == t.Records {
			if err := d.Ack(true); err != nil {
				return err
			}
		}
	}
	if _, err := ch.QueueDeclarePassive(t.Topic, true, false, false, false, nil); err != nil {
		return err
	}
	if err := w.stop(); err != nil {
		return err
	}
	if _, err := ch.QueueDelete(t.Topic, false, false, false); err != nil {
		return err
	}
	return ch.ExchangeDelete(t.Topic, false, false)
}
