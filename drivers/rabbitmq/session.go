package rabbitmq

import (
	"context"
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// A session is one connection from its handshake to its end. What belongs to
// it (channels, delivery tags, outstanding confirmations) means nothing to the
// next.
type session struct {
	conn    *amqp.Connection
	socket  *socket
	timeout time.Duration // of the broker's answers
	over    chan struct{} // closed when the connection has ended

	mu      sync.Mutex
	cause   error         // why it ended
	flowing chan struct{} // closed while the broker takes messages
}

func newSession(c *amqp.Connection, s *socket, timeout time.Duration) *session {
	flowing := make(chan struct{})
	close(flowing)
	return &session{conn: c, socket: s, timeout: timeout, over: make(chan struct{}), flowing: flowing}
}

// watch follows the connection until it ends. The broker's words are always
// taken at once: the library would wait for us 5 seconds and then forget them.
func (s *session) watch() {
	closed := s.conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 16))
	for {
		select {
		case b, ok := <-blocked:
			if !ok {
				blocked = nil // the connection has ended, which closed tells
				continue
			}
			s.block(b.Active)
		case err := <-closed:
			s.mu.Lock()
			s.cause = errors.New("the connection was closed")
			if err != nil {
				s.cause = err
			}
			s.mu.Unlock()
			s.socket.kill()
			close(s.over)
			return
		}
	}
}

func (s *session) block(active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.flowing:
		if active {
			s.flowing = make(chan struct{})
		}
	default:
		if !active {
			close(s.flowing)
		}
	}
}

// open returns a channel that is closed while the broker takes messages.
func (s *session) open() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flowing
}

// isBlocked reports whether the broker has said that it takes no messages.
func (s *session) isBlocked() bool {
	select {
	case <-s.open():
		return false
	default:
		return true
	}
}

// ended returns why the session is over.
func (s *session) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		return nil
	}
	return &oms.Error{Code: oms.ErrUnavailable, Err: s.cause}
}

// guard gives the broker a time for what it is asked: the client library waits
// for ever. Its connection is closed unless the function that guard returns is
// called before.
func (s *session) guard() (answered func()) {
	t := time.AfterFunc(s.timeout, s.socket.kill)
	return func() { t.Stop() }
}

// do runs f on a channel of its own. When ctx is done first, f is left alone:
// it ends by itself, at the latest when the broker has had its time.
func (s *session) do(ctx context.Context, running *sync.WaitGroup, f func(*amqp.Channel) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	running.Go(func() { done <- s.try(f) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) try(f func(*amqp.Channel) error) error {
	defer s.guard()()
	ch, err := s.conn.Channel()
	if err != nil {
		return s.why(err)
	}
	if err = s.why(f(ch)); err != nil {
		_ = ch.Close() // the first error is the one to tell
		return err
	}
	return s.why(ch.Close())
}

// why says what the client library's "not open" is about.
func (s *session) why(err error) error {
	if err == nil || !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	if cause := s.ended(); cause != nil {
		return cause
	}
	return &oms.Error{Code: oms.ErrUnavailable, Err: err}
}

// end closes the connection, in order if the broker answers in time.
func (s *session) end(deadline time.Time) {
	_ = s.conn.CloseDeadline(deadline) // closed whatever it returns
	s.socket.kill()
	<-s.over
}
