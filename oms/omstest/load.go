package omstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A load is messages that are sent, a few at a time, until it is stopped.
type load struct {
	b        *bench
	producer *oms.Producer
	messages func(from, to int) []*oms.Message
	ctx      context.Context //nolint:containedctx // it is that of the goroutines below
	halt     chan struct{}
	halted   func()
	running  sync.WaitGroup
	pending  sync.WaitGroup // batches without an outcome

	mu        sync.Mutex
	n         int      // sent
	confirmed []string // bodies
	calm      int      // how many were confirmed when the last trouble was over
	failure   error    // of the first batch that failed for good
}

// The pace of a load: slow enough to leave a broker room for others.
const (
	loadBatch = 10
	loadEvery = 5 * time.Millisecond
)

// load starts a load of numbered messages.
func (b *bench) load(messages func(from, to int) []*oms.Message) *load {
	l := &load{b: b, producer: b.producer(), messages: messages, halt: make(chan struct{})}
	l.halted = sync.OnceFunc(func() { close(l.halt) })
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithCancel(b.ctx)
	b.onClose(func(context.Context) error {
		l.halted()
		cancel()
		l.running.Wait()
		return nil
	})
	l.running.Go(l.send)
	return l
}

func (l *load) send() {
	for {
		select {
		case <-l.halt:
			return
		case <-l.ctx.Done():
			return
		default:
		}
		l.mu.Lock()
		msgs := l.messages(l.n, l.n+loadBatch)
		l.n += loadBatch
		l.mu.Unlock()
		l.pending.Add(1)
		l.producer.SendAsync(l.ctx, msgs, func(err error) {
			defer l.pending.Done()
			l.note(msgs, err)
		})
		pause(l.ctx, loadEvery)
	}
}

func (l *load) note(msgs []*oms.Message, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.failure == nil {
		l.failure = fmt.Errorf("messages fail for good: %w", err)
	}
	if err == nil {
		l.confirmed = append(l.confirmed, bodies(msgs)...)
	}
}

// sent returns how many messages were sent.
func (l *load) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// flows waits until n more messages are confirmed.
func (l *load) flows(n int) error {
	ctx, cancel := context.WithTimeout(l.ctx, l.b.long())
	defer cancel()
	state := func() (int, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.confirmed), l.failure
	}
	before, _ := state()
	for {
		now, err := state()
		switch {
		case err != nil:
			return err
		case now >= before+n:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%d of %d messages are confirmed, and no more: %w", now-before, n, errors.Join(l.producer.Stalled(), ctx.Err()))
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// stop ends the load and waits for every outcome.
func (l *load) stop() error {
	l.halted()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.running.Wait()
		l.pending.Wait()
	}()
	ctx, cancel := context.WithTimeout(l.ctx, l.b.long())
	defer cancel()
	select {
	case <-done:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.failure
	case <-ctx.Done():
		return fmt.Errorf("some messages are neither confirmed nor failed: %w", ctx.Err())
	}
}

// suffer makes trouble while the load flows, and stops it.
func (l *load) suffer(times int, trouble func(context.Context) error) error {
	for range times {
		if err := l.flows(200); err != nil {
			return err
		}
		if err := trouble(l.ctx); err != nil {
			return fmt.Errorf("make trouble: %w", err)
		}
		l.mu.Lock()
		l.calm = len(l.confirmed)
		l.mu.Unlock()
	}
	if err := l.flows(200); err != nil {
		return err
	}
	return l.stop()
}

// endure has a member receive while trouble is made under a load, until there
// is enough. What is enough is asked when the load has stopped.
func (b *bench) endure(l *load, m *member, times int, trouble func(context.Context) error, enough func() func([]catch) bool) []catch {
	ended := make(chan error, 1)
	var troubled sync.WaitGroup
	troubled.Go(func() { ended <- l.suffer(times, trouble) })
	defer troubled.Wait()
	defer l.halted()
	var why error
	var satisfied func([]catch) bool
	got := b.reap(reaping{members: []*member{m}, patience: b.long(), enough: func(got []catch) bool {
		if satisfied == nil {
			select {
			case why = <-ended:
				satisfied = enough()
			default:
				return false
			}
		}
		return why != nil || satisfied(got)
	}})
	b.ok("send in troubled times", why)
	b.composed(m)
	return got
}

// all is enough when everything has come that was confirmed. Of a broker that
// does not outlive its process that is what was confirmed since the last
// trouble, if that was a restart.
func (l *load) all(restarted bool) func([]catch) bool {
	l.mu.Lock()
	want := l.confirmed
	if restarted && !l.b.caps.Has(oms.Persistent) {
		want = want[l.calm:]
	}
	missing := make(map[string]bool, len(want))
	for _, body := range want {
		missing[body] = true
	}
	l.mu.Unlock()
	seen := 0
	return func(got []catch) bool {
		for _, c := range got[seen:] {
			delete(missing, string(c.msg.Body))
		}
		seen = len(got)
		return len(missing) == 0
	}
}
