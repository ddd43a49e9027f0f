package embedded

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// The back-off between attempts to reach the broker.
const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// A link keeps a session: it dials when somebody needs one and there is none,
// one attempt at a time, and never gives up for good. It has a goroutine only
// while an attempt is made.
type link struct {
	driver  string
	backend backend
	log     *slog.Logger
	dialing sync.WaitGroup

	mu      sync.Mutex
	current *session
	attempt *attempt // being made; nil when none is
	failure error    // of the last attempt; nil after success
	again   time.Time
	backoff time.Duration
	closed  bool
}

type attempt struct {
	cancel  context.CancelFunc
	done    chan struct{}
	session *session
	err     error
}

func newLink(driver string, b backend, log *slog.Logger) *link {
	return &link{driver: driver, backend: b, log: log, backoff: backoffFirst}
}

// warm starts an attempt in the background.
func (l *link) warm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.begin()
	}
}

// session returns the session, waits for the attempt that is being made, or
// makes one. Between attempts it returns the failure of the last one at once.
func (l *link) session(ctx context.Context) (*session, error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, l.fail(oms.ErrClosed, nil)
	}
	if l.current != nil && l.current.alive() {
		defer l.mu.Unlock()
		return l.current, nil
	}
	if l.attempt == nil && l.failure != nil && time.Now().Before(l.again) {
		defer l.mu.Unlock()
		return nil, l.failure
	}
	a := l.begin() //nolint:contextcheck // an attempt is everybody's, not this caller's
	l.mu.Unlock()
	select {
	case <-a.done:
		return a.session, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin returns the attempt that is being made. The lock must be held.
func (l *link) begin() *attempt {
	if l.attempt == nil {
		ctx, cancel := context.WithCancel(context.Background())
		l.attempt = &attempt{cancel: cancel, done: make(chan struct{})}
		l.dialing.Add(1)
		go l.dial(ctx, l.attempt)
	}
	return l.attempt
}

func (l *link) dial(ctx context.Context, a *attempt) {
	defer l.dialing.Done()
	defer close(a.done)
	defer a.cancel()
	s, err := newSession(ctx, l.backend, l.log)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempt = nil
	if err == nil && l.closed {
		s.close()
		err = l.fail(oms.ErrClosed, nil)
	}
	if err != nil {
		a.err = classify("connect", l.driver, "", err)
		if l.failure == nil {
			l.log.Warn("the broker cannot be reached", "err", a.err)
		}
		l.failure, l.again = a.err, time.Now().Add(l.backoff)
		l.backoff = min(2*l.backoff, backoffMost)
		return
	}
	if l.failure != nil {
		l.log.Warn("the broker can be reached again")
	}
	a.session, l.current, l.failure, l.backoff = s, s, nil, backoffFirst
}

// wait is session for those who have time: it returns only when there is a
// session, when the broker denied one, or when ctx ends.
func (l *link) wait(ctx context.Context) (*session, error) {
	for {
		s, err := l.session(ctx)
		if err == nil || !oms.IsTemporary(err) {
			return s, err
		}
		if sleep.For(ctx, l.pause()) != nil {
			return nil, ctx.Err()
		}
	}
}

// pause is how long it is until the next attempt.
func (l *link) pause() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(time.Until(l.again), time.Millisecond)
}

// drop ends the session, so that the next one is dialed.
func (l *link) drop() {
	l.mu.Lock()
	s := l.current
	l.current = nil
	l.mu.Unlock()
	if s != nil {
		s.close()
	}
	l.warm()
}

func (l *link) close() {
	l.mu.Lock()
	s := l.current
	l.closed, l.current = true, nil
	if l.attempt != nil {
		l.attempt.cancel()
	}
	l.mu.Unlock()
	l.dialing.Wait()
	if s != nil {
		s.close()
	}
}

func (l *link) fail(code oms.Code, err error) error {
	return &oms.Error{Op: "connect", Driver: l.driver, Code: code, Err: err}
}
