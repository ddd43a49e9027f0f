package mem

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omconnect/omconnect/drivers/internal/window"
	"github.com/omconnect/omconnect/oms"
)

// A sender stores what it is given at once and confirms it later, one batch
// after the other. Its goroutine, run, calls every done but those of batches
// that were not admitted.
type sender struct {
	conn     *conn
	window   *window.Window
	keyless  map[string]int // counts messages per topic; of whoever has the turn
	work     chan struct{}  // wakes run
	closing  chan struct{}  // closed: nothing more is admitted
	giveUp   chan struct{}  // closed: nothing more is waited for
	finished chan struct{}  // closed: every done has been called

	mu     sync.Mutex
	closed bool
	calls  int      // of SendAsync that have not returned
	queue  []*batch // whose done has not returned
	sent   int      // how many batches there ever were
	gaveUp bool     // some batch's outcome was not waited for
	// failed has the last batch in which a message of the partition failed.
	// Until its done has returned, everything else of the partition fails.
	failed map[oms.Partition]int
}

// A batch is one call of SendAsync.
type batch struct {
	number  int
	count   int
	bytes   int
	done    func(error)
	session <-chan struct{}
	due     time.Time
	failed  map[int]error
	tried   map[oms.Partition]bool // where it has reached the broker
}

func newSender(c *conn, cfg oms.SenderConfig) *sender {
	s := &sender{
		conn: c, window: window.New(cfg), keyless: make(map[string]int), failed: make(map[oms.Partition]int),
		work: make(chan struct{}, 1), closing: make(chan struct{}),
		giveUp: make(chan struct{}), finished: make(chan struct{}),
	}
	go s.run()
	return s
}

// SendAsync implements oms.Sender.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	if !s.begin() {
		done(failure("send", "", oms.ErrClosed, nil))
		return
	}
	defer s.end()
	b := &batch{count: len(msgs), done: done, failed: make(map[int]error), tried: make(map[oms.Partition]bool)}
	for _, m := range msgs {
		b.bytes += m.Size()
	}
	if err := s.window.Admit(ctx, s.closing, b.count, b.bytes); err != nil {
		done(failure("send", "", oms.CodeOf(err), errors.Unwrap(err)))
		return
	}
	defer s.window.Next()
	s.store(b, msgs)
}

// Close implements oms.Sender.
func (s *sender) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		signal(s.work)
	}
	s.mu.Unlock()
	select {
	case <-s.finished:
	case <-ctx.Done():
		s.abandon()
		<-s.finished
	}
	s.conn.forget(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gaveUp {
		s.gaveUp = false // told once
		return interrupted("close sender", "", ctx.Err())
	}
	return nil
}

func (s *sender) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.giveUp:
	default:
		close(s.giveUp)
	}
}

func (s *sender) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.calls++
	return true
}

func (s *sender) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls--
	signal(s.work)
}

// store tries the messages of a batch one after the other and hands the batch
// to run. The caller has the turn.
func (s *sender) store(b *batch, msgs []*oms.Message) {
	b.session, _ = s.conn.broker.state()
	s.mu.Lock()
	s.sent++
	b.number = s.sent
	s.noteLosses(b.session)
	s.mu.Unlock()
	for i, m := range msgs {
		p, err := s.try(b, m)
		if err == nil {
			continue
		}
		b.failed[i] = err
		s.mu.Lock()
		s.failed[p] = b.number
		s.mu.Unlock()
	}
	b.due = time.Now().Add(s.conn.broker.opts.ConfirmAfter)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, b)
	signal(s.work)
}

// noteLosses lets nothing pass those batches whose session is over: their
// outcome is unknown, and a failure. The caller holds mu.
func (s *sender) noteLosses(session <-chan struct{}) {
	for _, b := range s.queue {
		if b.session == session {
			continue
		}
		for p := range b.tried {
			s.failed[p] = max(s.failed[p], b.number)
		}
	}
}

func (s *sender) try(b *batch, m *oms.Message) (oms.Partition, error) {
	broker := s.conn.broker
	p, err := broker.place(m, s.keyless)
	if s.blocked(p) {
		return p, failure("send", m.Topic, oms.ErrAborted, errors.New("a message before it failed"))
	}
	if _, down := broker.state(); down != nil {
		return p, coded("send", m.Topic, down)
	}
	if err != nil {
		return p, err
	}
	if limit := broker.opts.MaxBody; len(m.Body) > limit {
		return p, tooLarge(m, limit)
	}
	b.tried[p] = true
	if hook := broker.opts.OnSend; hook != nil {
		if err = hook(m); err != nil {
			err = coded("send", m.Topic, err)
		}
	}
	if err == nil || errors.Is(err, oms.ErrUnknown) {
		if lost := broker.store(b.session, p, m); lost != nil {
			return p, lost
		}
	}
	return p, err
}

// blocked reports whether an earlier message of the partition has failed and
// its sender may not know it yet.
func (s *sender) blocked(p oms.Partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[p] > 0 || s.failed[oms.Partition{Topic: p.Topic, Number: everyPartition}] > 0
}

// run waits for each batch in turn and calls its done. It ends when the
// sender is closed and every call has come to its end.
func (s *sender) run() {
	defer close(s.finished)
	for {
		b, last := s.head()
		switch {
		case b != nil:
			s.settle(b)
		case last:
			return
		default:
			<-s.work
		}
	}
}

func (s *sender) head() (b *batch, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 {
		return s.queue[0], false
	}
	return nil, s.closed && s.calls == 0
}

func (s *sender) settle(b *batch) {
	if err := s.await(b); err != nil {
		for i := range b.count {
			if b.failed[i] == nil {
				b.failed[i] = err
			}
		}
	}
	s.window.Leave(b.count, b.bytes)
	if len(b.failed) == 0 {
		b.done(nil)
	} else {
		b.done(&oms.BatchError{Failed: b.failed})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = s.queue[1:]
	for p, number := range s.failed {
		if number == b.number {
			delete(s.failed, p)
		}
	}
}

// await waits for the confirmation of a batch; an error is why it does not
// come. A batch that has not reached the broker waits no longer than those
// before it.
func (s *sender) await(b *batch) error {
	if len(b.tried) == 0 {
		return nil
	}
	if wait := time.Until(b.due); wait > 0 {
		confirmed := time.NewTimer(wait)
		defer confirmed.Stop()
		select {
		case <-confirmed.C:
		case <-b.session:
		case <-s.giveUp:
		}
	}
	switch session, _ := s.conn.broker.state(); {
	case b.session != session:
		return failure("send", "", oms.ErrUnknown, errors.New("the connection was lost before the confirmation"))
	case time.Now().Before(b.due):
		s.mu.Lock()
		s.gaveUp = true
		s.mu.Unlock()
		return failure("send", "", oms.ErrUnknown, errors.New("the sender was closed before the confirmation"))
	}
	return nil
}
