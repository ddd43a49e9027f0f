package oms

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// An outbox hands batches to a driver's sender in order, and after a failure
// hands those that are not confirmed over again, in the same order. While it
// does so nothing new is let in.
//
// The goroutine of resend is started with the outbox and ends with close; all
// other work is done on the goroutines of callers and of the driver, except
// that a timer tells of trouble that lasts.
type outbox struct {
	sender  Sender
	turn    chan struct{} // held by the caller that is letting a batch in
	closing chan struct{} // closed: nothing new is let in
	failed  chan struct{} // wakes resend: every outcome is in, and one was a failure
	stop    context.CancelFunc
	resent  chan struct{} // closed when the goroutine of resend has ended

	mu        sync.Mutex
	batches   list.List     // of *batch, without a final outcome, in order
	open      int           // batches whose done has not returned
	pending   int           // how many of them the driver has
	failing   bool          // an outcome was a failure
	resending bool          // the goroutine of resend is letting batches in
	healthy   chan struct{} // closed when neither failing nor resending
	entering  *batch        // being handed to the driver just now
	entered   chan struct{} // closed when it has been
	withdraw  context.CancelFunc
	cause     error         // why batches are being resent
	closed    bool          // outcomes are final
	idle      chan struct{} // closed while none is open
	trouble
}

// Back-off of resending.
const (
	resendFirst = 50 * time.Millisecond
	resendMost  = 5 * time.Second
)

func newOutbox(s Sender) *outbox {
	o := &outbox{
		sender: s, turn: make(chan struct{}, 1), closing: make(chan struct{}), failed: make(chan struct{}, 1),
		resent: make(chan struct{}), healthy: make(chan struct{}), idle: make(chan struct{}),
	}
	o.telling = make(chan struct{}, 1)
	close(o.healthy)
	close(o.idle)
	ctx, stop := context.WithCancel(context.Background())
	o.stop = stop
	go o.resend(ctx)
	return o
}

// send lets a batch in when it is its turn.
func (o *outbox) send(ctx context.Context, msgs []*Message, done func(error)) {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		done(ctx.Err())
		return
	case <-o.closing:
		done(&Error{Op: "send", Code: ErrClosed})
		return
	}
	b := &batch{msgs: msgs, done: done}
	for {
		o.mu.Lock()
		healthy := o.healthy
		o.mu.Unlock()
		select {
		case <-healthy:
		case <-ctx.Done():
			done(ctx.Err())
			return
		case <-o.closing:
			done(&Error{Op: "send", Code: ErrClosed})
			return
		}
		if ctx.Err() != nil { // both were ready, and the choice between them is chance
			done(ctx.Err())
			return
		}
		if o.enter(ctx, b, false) {
			return
		}
	}
}

// enter hands a batch to the driver, unless a failure came first.
func (o *outbox) enter(ctx context.Context, b *batch, again bool) bool {
	admission, withdraw := context.WithCancel(ctx)
	defer withdraw()
	entered := make(chan struct{})
	o.mu.Lock()
	if o.failing || o.resending != again {
		o.mu.Unlock()
		return false
	}
	if b.element == nil {
		if o.open == 0 {
			o.idle = make(chan struct{})
		}
		o.open++
		b.element = o.batches.PushBack(b)
	}
	o.entering, o.entered, o.withdraw = b, entered, withdraw
	b.pending = true
	b.attempt++
	o.pending++
	msgs, attempt := b.msgs, b.attempt
	o.mu.Unlock()

	o.sender.SendAsync(admission, msgs, func(err error) { o.settle(ctx, b, attempt, err) })

	o.mu.Lock()
	o.entering = nil
	close(entered)
	o.wake()
	o.mu.Unlock()
	return true
}

// settle takes the outcome of an attempt. A driver that tells it twice has a
// bug, which must not become one of everybody who sends.
//
// The driver lets messages through again once the done of a failed batch has
// returned. A batch that is being handed over at this moment must not slip in
// there, before the failed one: it is withdrawn, and only then settle returns.
func (o *outbox) settle(ctx context.Context, b *batch, attempt int, err error) {
	var overtaking chan struct{}
	o.mu.Lock()
	if !b.pending || b.attempt != attempt {
		o.mu.Unlock()
		return
	}
	if end := ctx.Err(); end != nil && errors.Is(err, end) {
		b.gaveUp = end
	}
	b.pending = false
	o.pending--
	b.apply(err)
	final := len(b.msgs) == 0 || o.closed
	if final {
		o.batches.Remove(b.element)
	}
	if !final {
		o.noteTrouble(b.firstErr())
	}
	if !final && !o.failing {
		o.failing = true
		if !o.resending {
			o.healthy = make(chan struct{})
		}
	}
	if !final && o.entering != nil && o.entering != b {
		overtaking = o.entered
		o.withdraw()
	}
	o.wake()
	o.mu.Unlock()
	if overtaking != nil {
		<-overtaking
	}
	if final {
		o.finish(b)
	}
}

// wake wakes resend when all outcomes are in.
func (o *outbox) wake() {
	if (o.failing || o.resending) && o.pending == 0 && o.entering == nil {
		select {
		case o.failed <- struct{}{}:
		default:
		}
	}
}

// finish tells the caller of a batch, which is off the list, what became of
// it.
func (o *outbox) finish(b *batch) {
	b.done(b.outcome())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open--
	if o.open == 0 {
		close(o.idle)
	}
}

// resend deals with failures, one round of resending after another.
func (o *outbox) resend(ctx context.Context) {
	defer close(o.resent)
	wait := resendFirst
	for {
		select {
		case <-o.failed:
		case <-ctx.Done():
			return
		}
		keep, finished, settled := o.review()
		for _, b := range finished {
			o.finish(b)
		}
		if settled {
			o.tellOver()
			wait = resendFirst
			continue
		}
		if len(keep) > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			wait = min(2*wait, resendMost)
		}
		o.again(ctx, keep)
	}
}

// review sorts the batches after every outcome has come in: those that are
// worth another attempt are kept, those behind or with a failure for good are
// finished. With nothing failing, a round of resending has been settled.
func (o *outbox) review() (keep, finished []*batch, settled bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending > 0 || o.entering != nil || (!o.failing && !o.resending) {
		return nil, nil, true // woken by something that is over
	}
	if !o.failing {
		o.endTrouble()
		o.resending, o.cause = false, nil
		close(o.healthy)
		return nil, nil, true
	}
	o.cause = nil
	for e := o.batches.Front(); e != nil; {
		b := e.Value.(*batch) // the list holds nothing else
		e = e.Next()
		if len(finished) > 0 || b.hopeless() {
			o.batches.Remove(b.element)
			finished = append(finished, b)
			continue
		}
		keep = append(keep, b)
		if o.cause == nil || errors.Is(o.cause, ErrAborted) {
			o.cause = b.firstErr()
		}
	}
	return keep, finished, false
}

// again hands the kept batches to the driver once more, up to a new failure.
func (o *outbox) again(ctx context.Context, keep []*batch) {
	o.mu.Lock()
	o.failing, o.resending = false, true
	o.mu.Unlock()
	for _, b := range keep {
		if !o.enter(ctx, b, true) {
			break
		}
	}
	o.mu.Lock()
	o.wake()
	o.mu.Unlock()
}

func (o *outbox) stalledBy() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause
}

// close waits for the batches as long as ctx allows and gives up the rest.
func (o *outbox) close(ctx context.Context) error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	select {
	case <-o.closing:
	default:
		close(o.closing)
	}
	idle := o.idle
	o.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	o.stop()
	<-o.resent
	o.mu.Lock()
	o.closed = true // from here on every outcome is final
	o.quiet()
	var left []*batch
	for e := o.batches.Front(); e != nil; {
		b := e.Value.(*batch)
		e = e.Next()
		if !b.pending {
			o.batches.Remove(b.element)
			left = append(left, b)
		}
	}
	o.mu.Unlock()
	for _, b := range left {
		o.finish(b)
	}
	err := o.sender.Close(ctx)
	<-idle
	o.telling <- struct{}{} // whoever is being told has been told
	<-o.telling
	return err
}
