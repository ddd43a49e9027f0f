package rabbitmq

import (
	"context"
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

// receive returns what take has, at most limit messages, or waits until there
// is some: data tells that it is worth another look.
func receive(ctx context.Context, group string, limit int, take func(limit int) ([]*oms.Message, error), data, closing <-chan struct{}) ([]*oms.Message, error) {
	if limit < 1 {
		return nil, fail("receive", group, invalid(fmt.Sprintf("at most %d messages is none", limit)))
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		msgs, err := take(limit)
		if len(msgs) > 0 || err != nil {
			return msgs, fail("receive", group, err)
		}
		select {
		case <-data:
		case <-closing:
		case <-ctx.Done():
		}
	}
}

// wait waits for what f does as long as ctx allows. It is done to its end all
// the same, and the connection waits for that when it closes.
func (c *conn) wait(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	c.running.Go(func() { done <- f() })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
