package driver

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A sender stores one batch at a time, on the goroutine of whoever sends it:
// the others wait for their turn, which is a window of one batch.
type sender struct {
	conn    *conn
	turn    chan struct{} // held by the batch that is being stored
	closing chan struct{}
	ctx     context.Context //nolint:containedctx // of the sender: SendAsync's bounds admission only
	cancel  context.CancelFunc
	calls   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	failed map[string]int // of a topic, how many batches failed whose done has not returned
}

// OpenSender implements oms.Conn.
func (c *conn) OpenSender(ctx context.Context, _ oms.SenderConfig) (oms.Sender, error) {
	s := &sender{conn: c, turn: make(chan struct{}, 1), closing: make(chan struct{}), failed: make(map[string]int)}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := c.keep(s); err != nil {
		return nil, coded("open sender", c.path, err)
	}
	return s, nil
}

// SendAsync implements oms.Sender. done is called before it returns, and with
// no lock held, as it may send in its turn.
func (s *sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	if !s.begin() {
		done(failure("send", "", oms.ErrClosed, nil))
		return
	}
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		done(failure("send", "", oms.ErrAborted, err))
		return
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		done(failure("send", "", oms.ErrAborted, ctx.Err()))
		return
	case <-s.closing:
		done(failure("send", "", oms.ErrClosed, nil))
		return
	}
	errs := s.store(msgs)
	topics := s.note(msgs, errs)
	<-s.turn
	if len(errs) == 0 {
		s.conn.tell()
		done(nil)
		return
	}
	if len(errs) < len(msgs) {
		s.conn.tell()
	}
	done(&oms.BatchError{Failed: errs})
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic := range topics {
		s.failed[topic]--
	}
}

func (s *sender) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.calls.Add(1)
	}
	return !s.closed
}

// note remembers the topics of a batch in which something failed, and returns
// them. The caller has the turn.
func (s *sender) note(msgs []*oms.Message, errs map[int]error) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	topics := make(map[string]bool)
	for i := range errs {
		if topic := msgs[i].Topic; !topics[topic] {
			topics[topic] = true
			s.failed[topic]++
		}
	}
	return topics
}

// store stores a batch in one transaction and returns what failed, by index.
// The caller has the turn.
func (s *sender) store(msgs []*oms.Message) map[int]error {
	errs := make(map[int]error)
	blocked := make(map[string]bool)
	s.mu.Lock()
	for topic, n := range s.failed {
		blocked[topic] = n > 0
	}
	s.mu.Unlock()
	err := s.conn.do(s.ctx, "send", "", func(tx *dbsql.Tx) error {
		message, err := tx.PrepareContext(s.ctx, insertMessage)
		if err != nil {
			return err
		}
		defer func() { _ = message.Close() }() // the transaction tells
		waiting, err := tx.PrepareContext(s.ctx, insertWaiting)
		if err != nil {
			return err
		}
		defer func() { _ = waiting.Close() }() // as above
		for i, m := range msgs {
			err := s.insert(message, waiting, m, blocked[m.Topic])
			if err != nil && oms.CodeOf(err) == "" {
				return err // the database's: nothing of the batch is stored
			}
			if err != nil {
				errs[i], blocked[m.Topic] = err, true
			}
		}
		return nil
	})
	if err == nil {
		return errs
	}
	if !oms.IsTemporary(err) && s.ctx.Err() != nil {
		err = failure("send", "", oms.ErrUnknown, fmt.Errorf("the sender was closed meanwhile: %w", s.ctx.Err()))
	}
	for i := range msgs {
		errs[i] = err
	}
	return errs
}

const (
	insertMessage = "INSERT INTO messages (topic, at, size, content) SELECT name, ?, ?, ? FROM topics WHERE name = ?"
	insertWaiting = "INSERT INTO waiting (grp, id, topic) SELECT grp, ?, topic FROM subscriptions WHERE topic = ?"
)

// insert stores a message for every group of its topic. An error with a code
// is about this message alone.
func (s *sender) insert(message, waiting *dbsql.Stmt, m *oms.Message, blocked bool) error {
	if blocked {
		return failure("send", m.Topic, oms.ErrAborted, errors.New("a message before it failed"))
	}
	if len(m.Body) > maxBody {
		return failure("send", m.Topic, oms.ErrTooLarge, fmt.Errorf("a body has at most %d bytes", maxBody))
	}
	content, err := encode(m)
	if err != nil {
		return failure("send", m.Topic, oms.ErrFormat, err)
	}
	result, err := message.ExecContext(s.ctx, time.Now().UnixMilli(), m.Size(), content, m.Topic)
	if err := changes(result, err)(oms.ErrNotFound); err != nil {
		if errors.Is(err, oms.ErrNotFound) {
			return failure("send", m.Topic, oms.ErrNotFound, errors.New("the topic does not exist"))
		}
		return err
	}
	id, err := result.LastInsertId()
	if err != nil {
		return err
	}
	_, err = waiting.ExecContext(s.ctx, id, m.Topic)
	return err
}

// Close implements oms.Sender.
func (s *sender) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cancel) // what is being stored is given up
	s.calls.Wait()
	stop()
	s.cancel()
	s.conn.forget(s)
	return nil
}
