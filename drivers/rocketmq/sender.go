package rocketmq

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omconnect/omconnect/drivers/internal/book"
	"github.com/omconnect/omconnect/drivers/internal/turns"
	"github.com/omconnect/omconnect/oms"
)

// A sender puts messages into lanes, one for each partition. A lane has one
// request on its way at a time: the broker has no condition that would keep a
// later one behind an earlier one that failed.
type sender struct {
	conn    *conn
	book    *book.Book
	working context.Context //nolint:containedctx // of the lanes' requests; ends when Close gives up
	giveUp  context.CancelFunc
	lanes   sync.WaitGroup
	send    func(ctx context.Context, p oms.Partition, out []outgoing) error

	turns turns.Turns

	mu   sync.Mutex // guards what follows
	lane map[oms.Partition]*lane
}

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
	fail := func(err error) error { return classify("send", "", err) }
	s := &sender{conn: c, book: book.New(cfg.WithDefaults(), fail), lane: make(map[oms.Partition]*lane)}
	s.working, s.giveUp = context.WithCancel(context.Background())
	s.send = s.publish
	return s
}

// A record is one message of a batch on its way.
type record struct {
	batch *book.Batch
	index int
	out   outgoing
}

// SendAsync hands the messages to their lanes.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	b := s.book.Begin(ctx, msgs, done)
	if b == nil {
		return
	}
	turn := s.turns.Call()
	records := make([]record, len(msgs))
	for i, m := range msgs {
		r := &records[i]
		r.batch, r.index = b, i
		p, err := s.prepare(ctx, r, m, turn)
		if err != nil {
			s.book.Block(p)
			b.Settle(i, err)
			continue
		}
		s.enqueue(p, r)
	}
	b.Handed()
}

var errBehindFailure = &oms.Error{Op: "send", Driver: Name, Code: oms.ErrAborted, Err: errors.New("a message before it failed")}

// prepare encodes a message and finds its partition. With an error, the
// partition is what has to be blocked.
func (s *sender) prepare(ctx context.Context, r *record, m *oms.Message, turn *turns.Call) (oms.Partition, error) {
	const op = "send"
	c, p := s.conn, oms.Partition{Topic: m.Topic, Number: book.Whole}
	if s.book.Blocked(p) {
		return p, errBehindFailure
	}
	found, err := s.route(ctx, m.Topic)
	if err != nil {
		return p, classify(op, m.Topic, err)
	}
	if m.ToPartition != nil {
		p.Number = *m.ToPartition
	} else {
		p.Number = turn.Partition(m, len(found.queues))
	}
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

// Close waits for what is in flight as long as ctx allows, and gives up the
// rest.
func (s *sender) Close(ctx context.Context) error {
	err := s.book.Close(ctx, s.giveUp)
	s.giveUp()
	s.lanes.Wait()
	s.conn.forget(s)
	return classify("close sender", "", err)
}
