package oms

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A calls is the calls of a producer that have not returned. It has no
// goroutine of its own.
type calls struct {
	closing chan struct{}   // closed: nothing new begins, and nothing is tried again
	last    chan struct{}   // held by the Close that has come so far
	life    context.Context //nolint:containedctx // it ends what Close does not wait for
	giveUp  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

func newCalls() *calls {
	c := &calls{closing: make(chan struct{}), last: make(chan struct{}, 1)}
	c.life, c.giveUp = context.WithCancel(context.Background())
	return c
}

// begin lets a call in, with a context that also ends when it is given up.
// end is to be called when it returns.
func (c *calls) begin(ctx context.Context) (during context.Context, end func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, false
	}
	c.running.Add(1)
	during, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { cancel(ErrClosed) })
	return during, func() {
		stop()
		cancel(nil)
		c.running.Done()
	}, true
}

// persist makes attempts until one succeeds, fails for good, or leaves unknown
// what became of it; ctx or Close end it as well.
func (c *calls) persist(ctx context.Context, attempt func() error) error {
	for wait := resendFirst; ; wait = min(2*wait, resendMost) {
		if cause := c.over(ctx); cause != nil {
			return &Error{Op: "send", Code: ErrAborted, Err: cause}
		}
		err := attempt()
		if !undone(err) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return &Error{Op: "send", Code: CodeOf(err), Err: fmt.Errorf("%w (given up: %w)", err, context.Cause(ctx))}
		case <-c.closing:
			return err
		}
	}
}

// over says why no attempt may begin any more, nil if one may. Contexts of calls
// that are given up end one after the other, and the turn of one that has ended
// may go to a call whose own has not.
func (c *calls) over(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.life.Err() != nil {
		return ErrClosed
	}
	return nil
}

// undone reports whether an attempt left nothing behind, and may be made
// again: every cause is temporary, and none is ErrUnknown.
func undone(err error) bool {
	causes := []error{err}
	if be, ok := errors.AsType[*BatchError](err); ok {
		causes = be.Unwrap()
	}
	passing := false
	for _, cause := range causes {
		switch {
		case errors.Is(cause, ErrAborted): // because of another
		case IsTemporary(cause) && !errors.Is(cause, ErrUnknown):
			passing = true
		default:
			return false
		}
	}
	return passing
}

// close lets nothing in any more and waits for the calls that run, as long as
// ctx allows. Then their contexts end. When all have returned it closes what
// they used.
func (c *calls) close(ctx context.Context, used func(context.Context) error) error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.closing)
	}
	c.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		c.running.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		c.giveUp()
		<-idle
	}
	c.giveUp()
	c.last <- struct{}{}
	defer func() { <-c.last }()
	return used(ctx)
}

// wait sends messages and waits for what becomes of them. An outcome that an
// interceptor keeps is not waited for longer than ctx allows.
func (send SendFunc) wait(ctx context.Context, msgs []*Message) error {
	outcome := make(chan error, 1)
	send(ctx, msgs, func(err error) {
		select {
		case outcome <- err:
		default: // told twice
		}
	})
	select {
	case err := <-outcome:
		return err
	default:
	}
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return &Error{Op: "send", Code: ErrUnknown, Err: ctx.Err()}
	}
}
