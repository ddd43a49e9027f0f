package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// An outflow is what a sink has sent and what has become of it. The mutex
// guards it: outcomes come on goroutines of the driver's.
type outflow struct {
	producer     *oms.Producer
	durableAfter time.Duration

	mu        sync.Mutex
	open      int           // batches without an outcome
	changed   chan struct{} // closed when one has come
	confirmed time.Time     // when the last one came
	failure   error         // the first one
}

func newOutflow(p *oms.Producer, durableAfter time.Duration) *outflow {
	return &outflow{producer: p, durableAfter: durableAfter, changed: make(chan struct{})}
}

// failed returns the first failure: after one nothing more is sent, so that
// nothing overtakes what has failed.
func (o *outflow) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// send hands a batch to the producer, and returns what has failed by then. The
// received messages are those that the batch was made of.
func (o *outflow) send(ctx context.Context, batch, received []*oms.Message) error {
	if len(batch) == 0 {
		return o.failed()
	}
	o.mu.Lock()
	o.open++
	o.mu.Unlock()
	admission, cancel := context.WithTimeout(ctx, flushWait)
	defer cancel()
	o.producer.SendAsync(admission, batch, func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.open--
		o.confirmed = time.Now()
		if err != nil && o.failure == nil {
			o.failure = failure(batch, received, err)
		}
		close(o.changed)
		o.changed = make(chan struct{})
	})
	return o.failed()
}

// failure names the first record of a batch that was not sent.
func failure(batch, received []*oms.Message, err error) error {
	for i, m := range received {
		cause := oms.FailureOf(err, i)
		if cause == nil || oms.CodeOf(cause) == oms.ErrAborted {
			continue
		}
		code := oms.CodeOf(cause)
		if errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, context.Canceled) {
			code = oms.ErrTimeout // of waiting to be let in
		}
		return refuse(m, code, fmt.Errorf("send to %s: %w", batch[i].Topic, cause))
	}
	return refuse(received[0], oms.CodeOf(err), err)
}

// flushWait is how long the target may take. Then the sink fails, with the
// reason why it waits, and what was put comes again.
const flushWait = 30 * time.Second

// flush waits for all outcomes, and until what was confirmed last has had its
// time to become durable.
func (o *outflow) flush(ctx context.Context) error {
	limit := time.NewTimer(flushWait)
	defer limit.Stop()
	for {
		o.mu.Lock()
		open, changed, confirmed, failure := o.open, o.changed, o.confirmed, o.failure
		o.mu.Unlock()
		switch {
		case failure != nil:
			return failure
		case open == 0:
			return o.settle(ctx, confirmed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return o.late(ctx.Err())
		case <-limit.C:
			return o.late(fmt.Errorf("nothing was confirmed for %v", flushWait))
		}
	}
}

// late is the error of a target that does not confirm in time.
func (o *outflow) late(err error) error {
	if cause := o.producer.Stalled(); cause != nil {
		err = cause
	}
	code := oms.CodeOf(err)
	if code == "" {
		code = oms.ErrTimeout
	}
	return &oms.Error{Op: "wait for the target to confirm", Code: code, Err: err}
}

// settle waits until what was confirmed at a time is durable.
func (o *outflow) settle(ctx context.Context, confirmed time.Time) error {
	wait := o.durableAfter - time.Since(confirmed)
	if o.durableAfter == 0 || confirmed.IsZero() || wait <= 0 {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return &oms.Error{Op: "wait until records are durable at the target", Code: oms.ErrTimeout, Err: ctx.Err()}
	}
}

// closeWait is how long a producer may take to close. What it gives up was not
// flushed and comes again.
const closeWait = 2 * time.Second

func (o *outflow) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	return o.producer.Close(ctx)
}
