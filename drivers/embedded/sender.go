package embedded

import (
	"context"
	"errors"

	"github.com/omconnect/omconnect/drivers/internal/book"
	"github.com/omconnect/omconnect/drivers/internal/turns"
	"github.com/omconnect/omconnect/oms"
)

// A sender puts messages into the lanes of their partitions, which do the
// sending.
type sender struct {
	conn  *conn
	book  *book.Book
	turns turns.Turns
}

var _ oms.Sender = (*sender)(nil)

// OpenSender returns a sender. It does not dial.
func (c *conn) OpenSender(_ context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, c.code("open sender", "", oms.ErrClosed, "the connection is closed")
	}
	return c.newSender(cfg), nil
}

func (c *conn) newSender(cfg oms.SenderConfig) *sender {
	fail := func(err error) error { return c.fail("send", "", err) }
	return &sender{conn: c, book: book.New(cfg.WithDefaults(), fail)}
}

// A record is one message of a batch on its way.
type record struct {
	sender *sender
	batch  *book.Batch // nil: nobody waits for the outcome
	index  int
	size   int
	flight
}

// SendAsync hands the messages to their lanes.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	b := s.book.Begin(ctx, msgs, done)
	if b == nil {
		return
	}
	c := &call{turn: s.turns.Call()}
	records := make([]record, len(msgs))
	for i, m := range msgs {
		r := &records[i]
		r.sender, r.batch, r.index, r.size, r.msg = s, b, i, m.Size(), m
		s.submit(ctx, c, r)
	}
	b.Handed()
}

// errBehindFailure is the outcome of what was not tried.
var errBehindFailure = &oms.Error{Op: "send", Code: oms.ErrAborted, Err: errors.New("a message before it failed")}

// refuse ends a message that did not reach a lane.
func (s *sender) refuse(r *record, p oms.Partition, err error) {
	s.book.Block(p)
	r.settle(err)
}

// settle notes the outcome of a message. No lock is held.
func (r *record) settle(err error) {
	if r.batch != nil {
		r.batch.Settle(r.index, err)
	}
}

// Close waits for what is in flight as long as ctx allows, and gives up the
// rest.
func (s *sender) Close(ctx context.Context) error {
	err := s.book.Close(ctx, func() { s.conn.lanes.abandon(s) })
	s.conn.lanes.forget(s)
	return err
}
