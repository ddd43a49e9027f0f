// Package book keeps the books of a sender that sends each message by itself:
// what it has let in, what became of it, and what must not be sent because a
// message before it failed.
package book

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/omconnect/omconnect/drivers/internal/window"
	"github.com/omconnect/omconnect/oms"
)

// Whole is the number of a partition that stands for all of its topic: of
// messages whose partition is not known.
const Whole = -1

// A Book belongs to one sender. Its methods may be called concurrently. None
// calls what it was given while it holds a lock.
type Book struct {
	window  *window.Window
	fail    func(error) error
	closing chan struct{} // closed: nothing is let in any more
	gaveUp  atomic.Bool
	holds   atomic.Int64 // how many are blocked: none as a rule, and to see that takes no lock

	mu      sync.Mutex
	closed  bool
	last    uint64                   // number of the latest batch
	open    []*Batch                 // whose done has not returned, in order
	blocked map[oms.Partition]uint64 // and the last of the batches for whose done it waits
	idle    chan struct{}            // closed while no batch is open
}

// New returns an empty book. Fail gives the errors that the book makes itself,
// ErrClosed and ErrAborted, the words of the driver.
func New(cfg oms.SenderConfig, fail func(error) error) *Book {
	k := &Book{
		window: window.New(cfg), fail: fail, closing: make(chan struct{}),
		blocked: make(map[oms.Partition]uint64), idle: make(chan struct{}),
	}
	close(k.idle)
	return k
}

var errClosed = &oms.Error{Code: oms.ErrClosed, Err: errors.New("the sender is closed")}

// Begin opens a batch and waits until there is room for it; ctx bounds that and
// nothing else. It returns nil when done was called already: the book is
// closed, or ctx was done first. Then everything of the batch's topics that
// comes later is blocked as by a failure.
func (k *Book) Begin(ctx context.Context, msgs []*oms.Message, done func(error)) *Batch {
	b := k.enter(len(msgs), done)
	if b == nil {
		done(k.fail(errClosed))
		return nil
	}
	if len(msgs) == 0 {
		return b
	}
	for _, m := range msgs {
		b.bytes += m.Size()
	}
	if err := k.window.Admit(ctx, k.closing, b.count, b.bytes); err != nil {
		if oms.CodeOf(err) == oms.ErrClosed {
			err = errClosed
		}
		for _, m := range msgs {
			k.Block(oms.Partition{Topic: m.Topic, Number: Whole})
		}
		b.count, b.bytes = 0, 0
		b.finish(k.fail(err))
		return nil
	}
	k.window.Next()
	return b
}

func (k *Book) enter(n int, done func(error)) *Batch {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	if len(k.open) == 0 {
		k.idle = make(chan struct{})
	}
	k.last++
	b := &Batch{book: k, number: k.last, done: done, count: n}
	b.left.Store(int64(n) + 1)
	k.open = append(k.open, b)
	return b
}

// leave notes that the done of a batch has returned.
func (k *Book) leave(b *Batch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b.finished = true
	for len(k.open) > 0 && k.open[0].finished {
		k.open[0] = nil
		k.open = k.open[1:]
	}
	maps.DeleteFunc(k.blocked, func(_ oms.Partition, until uint64) bool {
		return len(k.open) == 0 || k.open[0].number > until
	})
	k.holds.Store(int64(len(k.blocked)))
	if len(k.open) == 0 {
		close(k.idle)
	}
}

// Block keeps back everything of a partition that is sent from now on, until
// the done of every batch that exists now has returned. It comes before the
// failure is told, and under a lock that also encloses the way of a message
// from [Book.Blocked] into the partition's lane.
func (k *Book) Block(p oms.Partition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.open) == 0 {
		return // all is told
	}
	k.blocked[p] = k.last
	k.holds.Store(int64(len(k.blocked)))
}

// Blocked reports whether a message of a partition must fail, untried. Those
// behind it wait for its done, too.
func (k *Book) Blocked(p oms.Partition) bool {
	if k.holds.Load() == 0 {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, is := k.blocked[p]; !is {
		return false
	}
	k.blocked[p] = k.last
	return true
}

// GaveUp reports whether Close waits no longer for what is not sent yet.
func (k *Book) GaveUp() bool { return k.gaveUp.Load() }

// Close lets nothing in any more and waits until every done has returned. When
// ctx is done first it calls giveUp, which has to see to that, and returns the
// error of ctx. It may be called again.
func (k *Book) Close(ctx context.Context, giveUp func()) error {
	k.mu.Lock()
	if !k.closed {
		k.closed = true
		close(k.closing)
	}
	idle := k.idle
	k.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	k.gaveUp.Store(true)
	giveUp()
	<-idle
	return ctx.Err()
}
