package mem

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var _ oms.TxOpener = (*conn)(nil)

// A txSender stores the messages of a transaction under one hold of the
// broker's mutex.
type txSender struct {
	conn    *conn
	id      string
	owner   int // its number among those who opened the id
	keyless map[string]int
	closed  atomic.Bool
}

// OpenTx implements oms.TxOpener.
func (c *conn) OpenTx(ctx context.Context, id string) (oms.TxSender, error) {
	const op = "open transactions"
	if err := c.reach(ctx, op, id); err != nil {
		return nil, err
	}
	b := c.broker
	b.mu.Lock()
	b.owners[id]++
	s := &txSender{conn: c, id: id, owner: b.owners[id], keyless: make(map[string]int)}
	b.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[s] = true
	return s, nil
}

// SendAll implements oms.TxSender.
func (s *txSender) SendAll(ctx context.Context, msgs []*oms.Message) error {
	if s.closed.Load() {
		return failure("send", s.id, oms.ErrClosed, nil)
	}
	if err := s.conn.reach(ctx, "send", s.id); err != nil {
		return err
	}
	session, _ := s.conn.broker.state()
	places := make([]oms.Partition, len(msgs))
	failed := make(map[int]error)
	var doubt error
	for i, m := range msgs {
		p, err := s.conn.broker.place(m, s.keyless)
		if err == nil {
			err = s.conn.broker.admit(m)
		}
		switch {
		case errors.Is(err, oms.ErrUnknown):
			doubt = err
		case err != nil:
			failed[i] = err
		}
		places[i] = p
	}
	if len(failed) > 0 {
		return &oms.BatchError{Failed: failed}
	}
	if err := s.store(session, places, msgs); err != nil {
		return err
	}
	if doubt != nil {
		return doubt
	}
	return s.conn.broker.confirm(ctx, session, s.id)
}

// store stores all or nothing.
func (s *txSender) store(session <-chan struct{}, places []oms.Partition, msgs []*oms.Message) error {
	now := time.Now()
	b := s.conn.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owners[s.id] != s.owner {
		return failure("send", s.id, oms.ErrFenced, errors.New("the id was opened again"))
	}
	if b.session != session {
		return failure("send", s.id, oms.ErrUnavailable, errors.New("the connection was lost"))
	}
	for i, p := range places {
		if !b.has(p) {
			return &oms.BatchError{Failed: map[int]error{i: failure("send", p.Topic, oms.ErrNotFound, errors.New("the topic does not exist"))}}
		}
	}
	for i, p := range places {
		b.add(p, newRecord(msgs[i], p.Number, now), now)
	}
	return nil
}

// Close implements oms.TxSender.
func (s *txSender) Close(context.Context) error {
	s.closed.Store(true)
	s.conn.forget(s)
	return nil
}

// admit looks at a message and asks the test. With ErrUnknown the message is to
// be stored all the same.
func (b *broker) admit(m *oms.Message) error {
	if len(m.Body) > b.opts.MaxBody {
		return tooLarge(m, b.opts.MaxBody)
	}
	if hook := b.opts.OnSend; hook != nil {
		if err := hook(m); err != nil {
			return coded("send", m.Topic, err)
		}
	}
	return nil
}

// confirm waits for the confirmation of what was just stored. An error is why
// it does not come.
func (b *broker) confirm(ctx context.Context, session <-chan struct{}, target string) error {
	var reason error
	if b.opts.ConfirmAfter > 0 {
		confirmed := time.NewTimer(b.opts.ConfirmAfter)
		defer confirmed.Stop()
		select {
		case <-confirmed.C:
		case <-session:
		case <-ctx.Done():
			reason = context.Cause(ctx)
		}
	}
	if now, _ := b.state(); now != session {
		reason = errors.New("the connection was lost before the confirmation")
	}
	if reason != nil {
		return failure("send", target, oms.ErrUnknown, reason)
	}
	return nil
}
