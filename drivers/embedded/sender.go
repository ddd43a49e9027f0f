package embedded

import (
	"context"
	"errors"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A sender admits messages to its window and puts them into the lanes of their
// partitions, which do the sending. It keeps what the order after a failure
// needs: which batches are not done, and which partitions are blocked until
// they are.
type sender struct {
	conn    *conn
	cfg     oms.SenderConfig
	closing chan struct{} // closed by Close: nothing is admitted any more

	mu      sync.Mutex
	closed  bool
	records int           // admitted and without outcome
	bytes   int           // of those
	waiting bool          // somebody waits for space
	space   chan struct{} // closed when there is some
	last    uint64        // number of the latest batch
	open    []*batch      // not done, in order
	blocked map[oms.Partition]uint64
	turn    map[string]int // of a topic's messages without a key
	idle    chan struct{}  // closed while no batch is open
}

var _ oms.Sender = (*sender)(nil)

// OpenSender returns a sender. It does not dial.
func (c *conn) OpenSender(_ context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, c.code("open sender", "", oms.ErrClosed, "the connection is closed")
	}
	s := &sender{
		conn: c, cfg: cfg.WithDefaults(), closing: make(chan struct{}), space: make(chan struct{}),
		blocked: make(map[oms.Partition]uint64), turn: make(map[string]int), idle: make(chan struct{}),
	}
	close(s.idle)
	return s, nil
}

// A batch is what one SendAsync was given.
type batch struct {
	sender   *sender
	number   uint64
	done     func(error)
	left     int // without outcome
	failed   map[int]error
	finished bool
}

// A record is one message of a batch on its way.
type record struct {
	batch *batch
	index int
	size  int
	flight
}

// SendAsync admits the messages one by one and hands them to their lanes.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	b := s.begin(len(msgs), done)
	if b == nil {
		done(s.conn.code("send", "", oms.ErrClosed, "the sender is closed"))
		return
	}
	c := &call{sticky: make(map[string]int)}
	records := make([]record, len(msgs))
	for i, m := range msgs {
		r := &records[i]
		r.batch, r.index, r.size, r.msg = b, i, m.Size(), m
		if err := s.admit(ctx, r.size); err != nil {
			for j := i; j < len(msgs); j++ {
				rest := &record{batch: b, index: j}
				rest.msg = msgs[j]
				s.refuse(rest, oms.Partition{Topic: msgs[j].Topic, Number: -1}, err)
			}
			break
		}
		s.submit(ctx, c, r)
	}
	s.settle(b, -1, 0, nil)
}

// begin opens a batch. One more outcome than there are messages is awaited, so
// that it is not done before all are submitted.
func (s *sender) begin(n int, done func(error)) *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if len(s.open) == 0 {
		s.idle = make(chan struct{})
	}
	s.last++
	b := &batch{sender: s, number: s.last, done: done, left: n + 1}
	s.open = append(s.open, b)
	return b
}

// admit waits until the window has room. A message larger than the window is
// let in alone.
func (s *sender) admit(ctx context.Context, size int) error {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return s.conn.code("send", "", oms.ErrClosed, "the sender was closed")
		}
		if s.records == 0 || s.records < s.cfg.MaxInFlight && s.bytes+size <= s.cfg.MaxInFlightBytes {
			s.records++
			s.bytes += size
			s.mu.Unlock()
			return nil
		}
		s.waiting = true
		space := s.space
		s.mu.Unlock()
		select {
		case <-space:
		case <-s.closing:
		case <-ctx.Done():
			return &oms.Error{Op: "send", Driver: s.conn.driver, Code: oms.ErrAborted, Err: ctx.Err()}
		}
	}
}

// errBehindFailure is the outcome of what was not tried.
var errBehindFailure = &oms.Error{Op: "send", Code: oms.ErrAborted, Err: errors.New("a message before it failed")}

// refuse ends a message that did not reach a lane.
func (s *sender) refuse(r *record, p oms.Partition, err error) {
	s.block(p)
	s.settle(r.batch, r.index, r.size, err)
}

// block has everything of the partition that is submitted from now on fail
// untried, until every batch that exists now is done.
func (s *sender) block(p oms.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked[p] = s.last
}

func (s *sender) isBlocked(p oms.Partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.blocked[p]
	if !ok {
		return false
	}
	if len(s.open) == 0 || s.open[0].number > until {
		delete(s.blocked, p)
		return false
	}
	return true
}

// settle notes the outcome of one message. The last of a batch calls done, and
// only when that has returned the batch stands no longer in the way.
func (s *sender) settle(b *batch, index, size int, err error) {
	s.mu.Lock()
	if size > 0 {
		s.records--
		s.bytes -= size
		// With some hysteresis: waking for every single message costs more
		// than sending it.
		if s.waiting && (s.records == 0 || s.records <= s.cfg.MaxInFlight*3/4 && s.bytes <= s.cfg.MaxInFlightBytes/4*3) {
			s.waiting = false
			close(s.space)
			s.space = make(chan struct{})
		}
	}
	if err != nil {
		if b.failed == nil {
			b.failed = make(map[int]error)
		}
		b.failed[index] = err
	}
	b.left--
	last := b.left == 0
	s.mu.Unlock()
	if !last {
		return
	}
	if b.failed != nil {
		b.done(&oms.BatchError{Failed: b.failed})
	} else {
		b.done(nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.finished = true
	for len(s.open) > 0 && s.open[0].finished {
		s.open[0] = nil
		s.open = s.open[1:]
	}
	if len(s.open) == 0 {
		close(s.idle)
	}
}

// Close waits for what is in flight as long as ctx allows, and gives up the
// rest.
func (s *sender) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	idle := s.idle
	s.mu.Unlock()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = ctx.Err()
		s.conn.lanes.abandon(s)
		<-idle
	}
	s.conn.lanes.forget(s)
	return err
}
