package embedded

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// How a connection is made and watched.
const (
	dialTimeout  = 3 * time.Second
	pingInterval = 10 * time.Second
	apiTimeout   = 5 * time.Second
)

// A session is one connection to the broker, from dialing to its loss. It does
// not reconnect: what was on its way when it was lost must not be mixed with
// what the next one carries, so each connection is a session of its own, and
// everything that a session handed out ends with it.
type session struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	inbox string        // the beginning of its reply subjects, and its name to other members
	lost  chan struct{} // closed when the connection is gone

	mu      sync.RWMutex
	answers map[string]func(rest string, m *nats.Msg) // by the token behind the inbox
}

// answerAlive is the token at which a session answers for its members: it is
// asked for one by its id.
const answerAlive = "alive"

func newSession(ctx context.Context, b backend, log *slog.Logger) (*session, error) {
	s := &session{lost: make(chan struct{}), answers: make(map[string]func(string, *nats.Msg))}
	nc, err := b.dial(ctx, []nats.Option{
		nats.Name("omconnect"), nats.NoReconnect(), nats.Timeout(dialTimeout),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.ClosedHandler(func(*nats.Conn) { close(s.lost) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("client", "err", err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("connection lost", "err", err)
			}
		}),
	})
	if err != nil {
		return nil, err
	}
	s.nc = nc
	s.inbox = nats.NewInbox()
	if s.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(apiTimeout)); err == nil {
		err = s.listen()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listen makes the one subscription for all answers.
func (s *session) listen() error {
	sub, err := s.nc.Subscribe(s.inbox+".>", func(m *nats.Msg) {
		token, rest, _ := strings.Cut(m.Subject[len(s.inbox)+1:], ".")
		s.mu.RLock()
		answer := s.answers[token]
		s.mu.RUnlock()
		if answer != nil {
			answer(rest, m)
		}
	})
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(-1, -1) // bounded by what was sent
}

// answer has f called with what arrives at the inbox's subjects that begin
// with the token; nil ends that.
func (s *session) answer(token string, f func(rest string, m *nats.Msg)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil {
		delete(s.answers, token)
		return
	}
	s.answers[token] = f
}

// reply is the subject for the answers of a token.
func (s *session) reply(token string) string { return s.inbox + "." + token }

// alive reports whether the connection still is.
func (s *session) alive() bool {
	select {
	case <-s.lost:
		return false
	default:
		return true
	}
}

// close ends the connection and waits until its callbacks have.
func (s *session) close() {
	s.nc.Close()
	<-s.lost
}

// within bounds a call to the server by time, and by the session's life.
func (s *session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	go func() {
		select {
		case <-s.lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
