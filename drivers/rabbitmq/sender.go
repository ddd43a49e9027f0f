package rabbitmq

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/omconnect/omconnect/drivers/internal/turns"
	"github.com/omconnect/omconnect/drivers/internal/window"
	"github.com/omconnect/omconnect/oms"
)

// A sender publishes on one goroutine and waits for confirmations on another,
// one batch after the other, which calls every done but those of batches that
// were not admitted.
type sender struct {
	conn      *conn
	window    *window.Window
	turns     turns.Turns
	lane      *lane         // of publishing; nil: none yet
	checked   string        // the last topic whose name was good; of publishing
	news      chan struct{} // wakes publishing
	outcomes  chan struct{} // wakes settling
	closing   chan struct{} // closed: nothing more is admitted
	published chan struct{} // closed: publishing has ended
	finished  chan struct{} // closed: every done has been called
	giveUp    context.CancelFunc
	patience  context.Context //nolint:containedctx // done: nothing more is waited for

	mu     sync.Mutex
	closed bool
	calls  int      // of SendAsync that have not returned
	queue  []*batch // that publishing has not begun
	open   []*batch // whose done has not returned
	sent   int      // how many batches there ever were
	gaveUp bool     // some outcome was not waited for
	holdup holdup
}

// A batch is one call of SendAsync.
type batch struct {
	number  int
	msgs    []*oms.Message
	bytes   int
	done    func(error)
	records chan *record           // from publishing to settling; closed behind the last
	tried   map[oms.Partition]bool // of publishing
}

func newSender(c *conn, cfg oms.SenderConfig) *sender {
	s := &sender{
		conn: c, window: window.New(cfg), holdup: newHoldup(),
		news: make(chan struct{}, 1), outcomes: make(chan struct{}, 1), closing: make(chan struct{}),
		published: make(chan struct{}), finished: make(chan struct{}),
	}
	s.patience, s.giveUp = context.WithCancel(context.Background())
	go s.publish()
	go s.settle()
	return s
}

// SendAsync implements oms.Sender.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		done(fail("send", "", &oms.Error{Code: oms.ErrClosed}))
		return
	}
	s.calls++
	s.mu.Unlock()
	defer s.left()
	if len(msgs) == 0 {
		done(nil)
		return
	}
	b := &batch{msgs: msgs, done: done, tried: make(map[oms.Partition]bool), records: make(chan *record, len(msgs))}
	for _, m := range msgs {
		b.bytes += m.Size()
	}
	if err := s.window.Admit(ctx, s.closing, len(msgs), b.bytes); err != nil {
		done(fail("send", "", err))
		return
	}
	s.mu.Lock()
	s.sent++
	b.number = s.sent
	s.queue, s.open = append(s.queue, b), append(s.open, b)
	s.mu.Unlock()
	s.window.Next()
	signal(s.news)
	signal(s.outcomes)
}

// left ends a call of SendAsync.
func (s *sender) left() {
	s.mu.Lock()
	s.calls--
	s.mu.Unlock()
	signal(s.news)
}

// Close implements oms.Sender.
func (s *sender) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		signal(s.news)
	}
	s.mu.Unlock()
	select {
	case <-s.finished:
	case <-ctx.Done():
		s.giveUp()
		<-s.finished
	}
	s.giveUp()
	s.conn.forgetSender(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gaveUp {
		s.gaveUp = false // told once
		return fail("close sender", "", ctx.Err())
	}
	return nil
}

// blocked reports whether a message must not be sent, because one before it has
// failed and its sender may not know it yet.
func (s *sender) blocked(r *record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holdup.holds(r.part, r.batch.number)
}

// block holds up everything behind a message that failed, until the done of
// its batch has returned.
func (s *sender) block(p oms.Partition, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 && number >= s.open[0].number {
		s.holdup.fail(p, number)
	}
}

// blockReturned holds up everything behind messages that came back.
func (s *sender) blockReturned(l *lane) {
	for _, r := range l.collect() {
		s.block(r.part, r.batch.number)
	}
}

// blockOpen holds up everything behind all that is on its way: its outcome is
// unknown, and a failure.
func (s *sender) blockOpen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.open {
		for p := range b.tried {
			s.holdup.fail(p, b.number)
		}
	}
}

func routingKey(p oms.Partition) string { return strconv.Itoa(p.Number) }

var errBehindFailure = &oms.Error{Code: oms.ErrAborted, Err: errors.New("a message before it failed")}

// signal wakes the one goroutine that waits on a channel of capacity 1, now or
// when it next waits.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
