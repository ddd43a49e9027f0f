package kafka

import (
	"context"
	"sync"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/drivers/internal/window"
	"github.com/omconnect/omconnect/oms"
)

// A sender gives each message to the lane of its partition. Its goroutine
// route finds the partition, which may need the brokers; report calls every
// done but those of batches that were not admitted; each lane has one while it
// has something to send.
type sender struct {
	conn     *conn
	client   sarama.Client // of its own connections
	window   *window.Window
	targets  map[string]*target // by topic; of route alone
	arrived  chan struct{}      // wakes route
	settled  chan struct{}      // wakes report
	closing  chan struct{}      // closed: nothing more is admitted
	finished chan struct{}      // closed: every done has been called
	ctx      context.Context    //nolint:containedctx // ends when the sender gives up
	giveUp   context.CancelFunc

	mu     sync.Mutex
	closed bool
	calls  int      // of SendAsync that have not returned
	open   int      // batches whose done has not returned
	queue  []*batch // for route
	taken  int64    // batches that were admitted, ever
	done   []*batch // for report
	// blocked counts the batches in which a message of the partition failed
	// and whose done has not returned. Until then everything of the partition
	// fails, and so does what was admitted by then and is for the partition,
	// found out later: freed has how many batches that are, and freedLast the
	// largest of these numbers.
	blocked   map[oms.Partition]int
	freed     map[oms.Partition]int64
	freedLast int64
}

// A batch is one call of SendAsync.
type batch struct {
	msgs   []*oms.Message
	bytes  int
	number int64 // of admission, from 1
	done   func(error)
	left   int                    // messages without an outcome
	failed map[int]error          // nil while there is none
	where  map[oms.Partition]bool // it has a failure of
}

func newSender(c *conn, cfg oms.SenderConfig) (*sender, error) {
	client, err := c.newClient(nil)
	if err != nil {
		return nil, err
	}
	s := &sender{
		conn: c, client: client, window: window.New(cfg), targets: make(map[string]*target),
		arrived: make(chan struct{}, 1), settled: make(chan struct{}, 1),
		closing: make(chan struct{}), finished: make(chan struct{}),
		blocked: make(map[oms.Partition]int), freed: make(map[oms.Partition]int64),
	}
	s.ctx, s.giveUp = context.WithCancel(context.Background())
	routed := make(chan struct{})
	go s.route(routed)
	go s.report(routed)
	return s, nil
}

// SendAsync implements oms.Sender.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	if !s.begin() {
		done(fail("send", "", oms.ErrClosed, nil))
		return
	}
	defer s.end()
	if len(msgs) == 0 {
		done(nil)
		return
	}
	b := &batch{msgs: msgs, done: done, left: len(msgs)}
	for _, m := range msgs {
		b.bytes += m.Size()
	}
	if err := s.window.Admit(ctx, s.closing, len(msgs), b.bytes); err != nil {
		done(classify("send", "", err))
		return
	}
	defer s.window.Next()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.taken++
	b.number = s.taken
	s.queue = append(s.queue, b)
	signal(s.arrived)
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
	signal(s.arrived)
}

// route gives the messages of each batch to their lanes, in order. It ends
// when the sender is closed and nothing more can arrive.
func (s *sender) route(routed chan<- struct{}) {
	defer close(routed)
	for {
		s.mu.Lock()
		queue, last := s.queue, s.closed && s.calls == 0
		s.queue = nil
		s.mu.Unlock()
		for _, b := range queue {
			s.spread(b)
		}
		if len(queue) == 0 {
			if last {
				return
			}
			<-s.arrived
		}
	}
}

// resolve notes the outcome of a message. The caller holds mu.
func (s *sender) resolve(c *parcel, p oms.Partition, err error) {
	b := c.batch
	if err != nil {
		if b.failed == nil {
			b.failed, b.where = make(map[int]error), make(map[oms.Partition]bool)
		}
		b.failed[c.index] = err
		if !b.where[p] {
			b.where[p] = true
			s.blocked[p]++
		}
	}
	b.left--
	if b.left == 0 {
		s.window.Leave(len(b.msgs), b.bytes)
		s.done = append(s.done, b)
		signal(s.settled)
	}
}

// report tells the outcomes of batches. It ends when nothing more can come.
func (s *sender) report(routed <-chan struct{}) {
	defer close(s.finished)
	for {
		s.mu.Lock()
		done := s.done
		s.done = nil
		s.mu.Unlock()
		for _, b := range done {
			if len(b.failed) == 0 {
				b.done(nil)
			} else {
				b.done(&oms.BatchError{Failed: b.failed})
			}
			s.mu.Lock()
			s.open--
			for p := range b.where {
				s.blocked[p]--
				s.freed[p], s.freedLast = s.taken, s.taken
				if s.blocked[p] == 0 {
					delete(s.blocked, p)
				}
			}
			s.mu.Unlock()
		}
		if len(done) > 0 {
			continue
		}
		select {
		case <-s.settled:
		case <-routed:
			s.mu.Lock()
			open := s.open
			s.mu.Unlock()
			if open == 0 {
				return
			}
			<-s.settled
		}
	}
}

// Close implements oms.Sender.
func (s *sender) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		signal(s.arrived)
	}
	s.mu.Unlock()
	var gaveUp bool
	select {
	case <-s.finished:
	case <-ctx.Done():
		select {
		case <-s.finished:
		default:
			gaveUp = true
			s.giveUp()
			<-s.finished
		}
	}
	s.giveUp()
	_ = s.client.Close() // of connections that may be broken already
	s.conn.forget(s, "", "")
	if gaveUp {
		return fail("close sender", "", oms.ErrTimeout, ctx.Err())
	}
	return nil
}

// signal wakes the one goroutine that waits on a channel of capacity 1, now or
// when it next waits.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
