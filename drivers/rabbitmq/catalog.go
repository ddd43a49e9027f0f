package rabbitmq

import (
	"context"
	"errors"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// locked runs f while nobody else makes, deletes or lists topics. The lock is
// an exclusive queue: it goes with the connection of who holds it.
func (c *conn) locked(ctx context.Context, f func() error) error {
	s, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { // even when ctx is done: others would wait for this connection
		s.release(lockQueue)
		<-c.making
	}()
	return f()
}

// lock waits for the lock, and returns the session that has it.
func (c *conn) lock(ctx context.Context) (*session, error) {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		s, err := c.tryLock(ctx)
		if !isCode(err, amqp.ResourceLocked) {
			return s, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *conn) tryLock(ctx context.Context) (*session, error) {
	select {
	case c.making <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s, err := c.in.session(ctx)
	if err != nil {
		<-c.making
		return nil, err
	}
	return s, c.hold(ctx, s, lockQueue, func() { <-c.making })
}

// enroll adds a topic to the catalogue, unless it is there.
func (c *conn) enroll(ctx context.Context, topic string) error {
	names, err := c.enrolled(ctx, "")
	if err != nil || slices.Contains(names, topic) {
		return err
	}
	return c.put(ctx, catalogQueue, []string{topic})
}

// strike takes a topic out of the catalogue.
func (c *conn) strike(ctx context.Context, topic string) error {
	_, err := c.enrolled(ctx, topic)
	return err
}

// enrolled returns the topics of the catalogue without those of the name
// struck, which it removes. The caller holds the lock.
func (c *conn) enrolled(ctx context.Context, struck string) ([]string, error) {
	if err := c.declareQueue(ctx, catalogQueue, false); err != nil {
		return nil, err
	}
	names, err := answer(ctx, c, func(ch *amqp.Channel) (names []string, err error) {
		var last uint64
		for {
			d, ok, err := ch.Get(catalogQueue, false)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			if name := string(d.Body); name != struck {
				names, last = append(names, name), d.DeliveryTag
				continue
			}
			if err := ch.Ack(d.DeliveryTag, false); err != nil {
				return nil, err
			}
		}
		if last == 0 {
			return nil, nil
		}
		if err := ch.Nack(last, true, true); err != nil {
			return nil, err
		}
		return names, settled(ch, catalogQueue, len(names))
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// settled waits until a queue has its messages back.
func settled(ch *amqp.Channel, queue string, n int) error {
	for range 500 {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil || q.Messages >= n {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
	return &oms.Error{Code: oms.ErrTimeout, Err: errors.New("queue " + queue + " does not get back what was taken")}
}

// put stores short messages in a queue, and returns when the broker has
// confirmed them. The broker confirms what is for a queue that is missing, too,
// and gives it back before: that is NoRoute.
func (c *conn) put(ctx context.Context, queue string, bodies []string) error {
	s, err := c.out.session(ctx)
	if err != nil {
		return err
	}
	if s.isBlocked() {
		return &oms.Error{Code: oms.ErrFull, Err: errors.New("the broker has no room and blocks publishers")}
	}
	return s.do(ctx, &c.running, func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		returned := ch.NotifyReturn(make(chan amqp.Return, len(bodies)))
		for _, body := range bodies {
			m := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)}
			confirmed, err := ch.PublishWithDeferredConfirm("", queue, true, false, m)
			if err != nil {
				return err
			}
			if !confirmed.Wait() { // the guard of the session ends that
				return &oms.Error{Code: oms.ErrUnavailable, Err: errors.New("the broker did not confirm a message for queue " + queue)}
			}
			if len(returned) > 0 {
				return &amqp.Error{Code: amqp.NoRoute, Reason: "queue " + queue + " is missing"}
			}
		}
		return nil
	})
}
