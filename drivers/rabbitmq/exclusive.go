package rabbitmq

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// hold declares an exclusive queue: what one connection has of it, no other can
// have. It is held when the error is nil, until release or the end of the
// session. Free is called as soon as this connection does not hold it: now when
// that fails, and when ctx is done first, behind the answer that nobody waits
// for any more. Without that the queue would stay, and lock out all others.
func (c *conn) hold(ctx context.Context, s *session, name string, free func()) error {
	if err := ctx.Err(); err != nil {
		free()
		return err
	}
	answered := make(chan error) // taken by a caller who still waits, or by nobody
	c.running.Go(func() {
		err := s.try(func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(name, false, false, true, false, exclusiveArguments)
			return err
		})
		select {
		case answered <- err:
		case <-ctx.Done():
			if err == nil {
				s.release(name)
			}
			free()
		}
	})
	select {
	case err := <-answered:
		if err != nil {
			free()
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exclusiveArguments have such a queue keep nothing of what it is sent.
var exclusiveArguments = amqp.Table{amqp.QueueMaxLenArg: int32(0)}

// release deletes an exclusive queue, unless it went with the session.
func (s *session) release(name string) {
	if s.ended() != nil {
		return
	}
	_ = s.try(func(ch *amqp.Channel) error { // what is left goes with the connection
		_, err := ch.QueueDelete(name, false, false, false)
		return err
	})
}
