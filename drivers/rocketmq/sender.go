package rocketmq

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A sender admits messages to its window and puts them into lanes, one for
// each partition. A lane has one request on its way at a time: the broker has
// no condition that would keep a later one behind an earlier one that failed.
type sender struct {
	conn    *conn
	cfg     oms.SenderConfig
	closing chan struct{}
	working context.Context //nolint:containedctx // of the lanes' requests; ends when Close gives up
	giveUp  context.CancelFunc
	lanes   sync.WaitGroup
	send    func(ctx context.Context, p oms.Partition, out []outgoing) error

	mu      sync.Mutex
	closed  bool
	records int // admitted and without outcome
	bytes   int
	space   chan struct{} // closed when there is some
	crowded bool          // somebody waits for space
	last    uint64        // number of the latest batch
	open    []*batch      // not done, in order
	blocked map[oms.Partition]uint64
	lane    map[oms.Partition]*lane
	turn    map[string]int
	idle    chan struct{} // closed while no batch is open
}

// noPartition stands for all partitions of a topic that could not be looked up.
const noPartition = -1

// OpenSender returns a sender. It does not dial.
func (c *conn) OpenSender(_ context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	s := newSender(c, cfg)
	if err := c.keep("open sender", s); err != nil {
		s.giveUp()
		return nil, err
	}
	return s, nil
}

func newSender(c *conn, cfg oms.SenderConfig) *sender {
	s := &sender{
		conn: c, cfg: cfg.WithDefaults(), closing: make(chan struct{}), space: make(chan struct{}),
		blocked: make(map[oms.Partition]uint64), lane: make(map[oms.Partition]*lane), turn: make(map[string]int),
		idle: make(chan struct{}),
	}
	s.working, s.giveUp = context.WithCancel(context.Background())
	s.send = s.publish
	close(s.idle)
	return s
}

// A batch is what one SendAsync was given.
type batch struct {
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
	out   outgoing
}

// SendAsync admits the messages one by one and hands them to their lanes.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	b := s.begin(len(msgs), done)
	if b == nil {
		done(s.conn.code("send", "", oms.ErrClosed, "the sender is closed"))
		return
	}
	sticky := make(map[string]int)
	records := make([]record, len(msgs))
	for i, m := range msgs {
		r := &records[i]
		*r = record{batch: b, index: i, size: m.Size()}
		if err := s.admit(ctx, r.size); err != nil {
			for j := i; j < len(msgs); j++ {
				s.block(oms.Partition{Topic: msgs[j].Topic, Number: noPartition})
				s.settle(b, j, 0, err)
			}
			break
		}
		p, err := s.prepare(ctx, r, m, sticky)
		if err != nil {
			s.block(p)
			s.settle(b, i, r.size, err)
			continue
		}
		s.enqueue(p, r)
	}
	s.settle(b, -1, 0, nil)
}

// begin opens a batch. One more outcome than there are messages is awaited, so
// that it is not done before all are handed over.
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
	b := &batch{number: s.last, done: done, left: n + 1}
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
		space := s.space
		s.crowded = true
		s.mu.Unlock()
		select {
		case <-space:
		case <-s.closing:
		case <-ctx.Done():
			return &oms.Error{Op: "send", Driver: Name, Code: oms.ErrAborted, Err: ctx.Err()}
		}
	}
}

var errBehindFailure = &oms.Error{Op: "send", Driver: Name, Code: oms.ErrAborted, Err: errors.New("a message before it failed")}

// prepare encodes a message and finds its partition. With an error, the
// partition is what has to be blocked.
func (s *sender) prepare(ctx context.Context, r *record, m *oms.Message, sticky map[string]int) (oms.Partition, error) {
	const op = "send"
	c, p := s.conn, oms.Partition{Topic: m.Topic, Number: noPartition}
	if s.isBlocked(p) {
		return p, errBehindFailure
	}
	found, err := s.route(ctx, m.Topic)
	if err != nil {
		return p, classify(op, m.Topic, err)
	}
	p.Number = s.choose(m, len(found.queues), sticky)
	if _, err := found.at(m.Topic, p.Number); err != nil {
		return p, invalid(op, m.Topic, err)
	}
	if len(m.Body) > c.options.maxMessage {
		return p, c.code(op, p.String(), oms.ErrTooLarge, "the body is larger than max.message.bytes")
	}
	if m.Delay > 0 {
		if m.Delay > longestDelay {
			return p, c.code(op, p.String(), oms.ErrInvalid, "a delay of more than three days, which brokers refuse")
		}
		r.out.due = due(time.Now().Add(m.Delay))
	}
	if r.out.properties, r.out.body, err = wrap(m, c.options.tagHeader); err != nil {
		return p, classify(op, p.String(), err)
	}
	return p, nil
}

// route returns where the topic's queues are. The caller's context bounds the
// admission only.
func (s *sender) route(ctx context.Context, topic string) (*route, error) {
	if r, isFresh := s.conn.routes.known(topic); isFresh {
		return r, nil // without a look at the name, and a timer, for each message
	}
	if err := s.conn.options.checkTopic(topic); err != nil {
		return nil, invalid("send", topic, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.conn.options.timeout)
	defer cancel()
	return s.conn.routes.of(ctx, topic)
}

// publish sends to a partition what its lane has taken.
func (s *sender) publish(ctx context.Context, p oms.Partition, out []outgoing) error {
	r, err := s.conn.routes.of(ctx, p.Topic)
	if err != nil {
		return classify("send", p.Topic, err)
	}
	q, err := r.at(p.Topic, p.Number)
	if err != nil {
		return classify("send", p.Topic, err)
	}
	return classify("send", p.String(), s.conn.publish(ctx, r, q, out))
}

// block has everything of the partition that comes from now on fail untried,
// until every batch that exists now is done.
func (s *sender) block(p oms.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked[p] = s.last
}

func (s *sender) isBlocked(p oms.Partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isBlockedLocked(p)
}

func (s *sender) isBlockedLocked(p oms.Partition) bool {
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
		err = classify("close sender", "", ctx.Err())
		s.giveUp()
		<-idle
	}
	s.giveUp()
	s.lanes.Wait()
	s.conn.forget(s)
	return err
}
