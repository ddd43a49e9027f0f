package rabbitmq

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// Back-off of connecting.
const (
	connectFirst = 100 * time.Millisecond
	connectMost  = 5 * time.Second
)

// A link keeps one connection to the broker, and makes another when it ends,
// for ever. Its goroutine starts with the first call of session and ends with
// close. The recovery of the client library is not used: it would send an
// acknowledgement of an earlier connection on the new one, where its number
// means another message.
type link struct {
	opts    options
	purpose string // what the broker's overviews call it

	start sync.Once
	stop  context.CancelFunc
	ctx   context.Context //nolint:containedctx // it is the goroutine's, for its whole run
	ended chan struct{}   // closed when the goroutine has ended

	mu      sync.Mutex
	current *session
	failure error         // of the last attempt; nil while the first one after a loss is under way
	news    chan struct{} // closed and replaced when one of the two changes
	host    int           // the host to try next
}

func newLink(o options, purpose string) *link {
	l := &link{opts: o, purpose: purpose, ended: make(chan struct{}), news: make(chan struct{})}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// session returns the session that is alive. While the broker is away it
// returns the last attempt's error at once, and waits only for the first
// attempt.
func (l *link) session(ctx context.Context) (*session, error) {
	l.start.Do(func() { go l.run() })
	for {
		l.mu.Lock()
		s, failure, news := l.current, l.failure, l.news
		l.mu.Unlock()
		switch {
		case l.ctx.Err() != nil:
			return nil, &oms.Error{Code: oms.ErrClosed}
		case s != nil && s.ended() == nil:
			return s, nil
		case s == nil && failure != nil:
			return nil, failure
		}
		select {
		case <-news: // that of a session that has ended included: run tells it
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.ctx.Done():
		}
	}
}

// changed returns a channel that is closed when the link has come or gone.
func (l *link) changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.news
}

func (l *link) tell(s *session, failure error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.failure = s, failure
	close(l.news)
	l.news = make(chan struct{})
}

func (l *link) run() {
	defer close(l.ended)
	wait := connectFirst
	doubts := 0
	for l.ctx.Err() == nil {
		s, err := l.connect()
		if err != nil {
			if doubtful(err) && doubts == 0 {
				doubts++ // asked once more before anybody is told of wrong credentials
			} else {
				l.tell(nil, err)
			}
			l.pause(wait)
			wait = min(2*wait, connectMost)
			continue
		}
		wait, doubts = connectFirst, 0
		go s.watch()
		l.tell(s, nil)
		select {
		case <-s.over:
		case <-l.ctx.Done():
			s.end(time.Now().Add(min(2*time.Second, l.opts.rpcTimeout)))
		}
		l.tell(nil, nil)
	}
}

// pause waits for d, give or take a quarter.
func (l *link) pause(d time.Duration) {
	jitter := time.Duration(rand.Int64N(int64(d) / 2)) //nolint:gosec // spreads reconnections, keeps no secret
	t := time.NewTimer(d*3/4 + jitter)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ctx.Done():
	}
}

// connect tries each host once, beginning with the one that answered last.
func (l *link) connect() (s *session, err error) {
	for range l.opts.hosts {
		if s, err = l.dial(l.opts.hosts[l.host]); err == nil {
			return s, nil
		}
		l.host = (l.host + 1) % len(l.opts.hosts)
	}
	return nil, err
}

func (l *link) dial(address string) (*session, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var s *socket
	handshake := func() bool { return true } // that it is over
	cfg := amqp.Config{
		SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: l.opts.user, Password: l.opts.password.Reveal()}},
		Vhost:      l.opts.vhost,
		Heartbeat:  l.opts.heartbeat,
		Properties: amqp.NewConnectionProperties(),
		Dial: func(_, address string) (net.Conn, error) {
			var err error
			s, err = dialSocket(l.ctx, address, l.opts.rpcTimeout)
			if err != nil {
				return nil, err
			}
			handshake = context.AfterFunc(l.ctx, s.kill)
			return s, nil
		},
	}
	cfg.Properties.SetClientConnectionName("omconnect " + l.purpose)
	scheme := "amqp"
	if l.opts.tls {
		scheme = "amqps"
		if cfg.TLSClientConfig, err = l.opts.tlsConfig(host); err != nil {
			return nil, fmt.Errorf("prepare TLS: %w", err)
		}
	}
	if l.opts.external {
		cfg.SASL = []amqp.Authentication{&amqp.ExternalAuth{}}
	}
	c, err := amqp.DialConfig(scheme+"://"+address+"/", cfg)
	handshake()
	if err != nil {
		if s != nil {
			s.kill()
		}
		return nil, fmt.Errorf("connect to %s as %s: %w", address, l.opts.who(), err)
	}
	return newSession(c, s, l.opts.rpcTimeout), nil
}

// close ends the connection and the goroutine.
func (l *link) close() {
	l.stop()
	l.start.Do(func() { close(l.ended) })
	<-l.ended
}
