package rest_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/rest"
)

// A pipes is a listener without a network, so that servers run by the fake
// clock of synctest.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// get makes a call through the listener and returns the answer's status.
func (p *pipes) get(ctx context.Context) (int, error) {
	c := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			select {
			case p.conns <- there:
				return here, nil
			case <-p.closed:
				return nil, errors.New("refused")
			}
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gateway/", http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// ending makes a call, ends the server under it, and returns how long that
// took and what the call got.
func ending(t *testing.T, h http.HandlerFunc) (took time.Duration, status int, err error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ln, ended, answered := newPipes(), make(chan error, 1), make(chan error, 1)
	go func() { ended <- rest.Serve(ctx, ln, h, slog.New(slog.DiscardHandler)) }()
	go func() {
		var err error
		status, err = ln.get(t.Context())
		answered <- err
	}()
	synctest.Wait() // the handler runs
	start := time.Now()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	took = time.Since(start)
	return took, status, <-answered
}

func TestRequestUnderWayIsAnsweredBeforeServeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, status, err := ending(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			if r.Context().Err() != nil {
				t.Error("the request was cancelled before its time")
			}
			w.WriteHeader(http.StatusTeapot)
		})
		if err != nil || status != http.StatusTeapot || took < 2*time.Second || took > 3*time.Second {
			t.Errorf("got %d, %v after %s, want the answer after 2 s", status, err, took)
		}
	})
}

func TestRequestThatWaitsIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, status, err := ending(t, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		if err != nil || status != http.StatusServiceUnavailable || took < 3*time.Second || took > 5*time.Second {
			t.Errorf("got %d, %v after %s, want the handler's own answer after 3 s", status, err, took)
		}
	})
}

func TestRequestThatHeedsNothingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		took, _, err := ending(t, func(http.ResponseWriter, *http.Request) { <-free })
		if err == nil || took != 5*time.Second {
			t.Errorf("got %v after %s, want the connection cut after 5 s", err, took)
		}
		close(free)
	})
}

func TestSlowClientsAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ln, ended := newPipes(), make(chan error, 1)
		go func() { ended <- rest.Serve(ctx, ln, newHandler(broken{}), slog.New(slog.DiscardHandler)) }()
		here, there := net.Pipe()
		ln.conns <- there
		if _, err := here.Write([]byte("GET /health HTTP/1.1\r\nHost: lo")); err != nil {
			t.Error(err)
		}
		start := time.Now()
		if _, err := here.Read(make([]byte, 1)); err == nil || time.Since(start) > 11*time.Second {
			t.Errorf("got %v after %s, want the connection closed after 10 s", err, time.Since(start))
		}
		here.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
