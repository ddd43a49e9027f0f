package rest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

func TestListenRefusesWhatOtherMachinesReach(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0"} {
		ln, err := rest.Listen(t.Context(), addr, false)
		if err == nil {
			ln.Close()
		}
		if !errors.Is(err, oms.ErrDenied) || !strings.Contains(err.Error(), "nobody needs a token") || !strings.Contains(err.Error(), "127.0.0.1:8083") {
			t.Errorf("%s: got %v, want it refused with a hint", addr, err)
		}
	}
	for _, addr := range []string{"", "8083", "127.0.0.1", "127.0.0.1:http:x", "127.0.0.1:99999"} {
		if _, err := rest.Listen(t.Context(), addr, false); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", addr, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.1.2.3:0"} {
		ln, err := rest.Listen(t.Context(), addr, false)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		ln.Close()
	}
}

func TestPortInUseIsExplained(t *testing.T) {
	ln := listen(t)
	defer ln.Close()
	addr := ln.Addr().String()
	_, err := rest.Listen(t.Context(), addr, false)
	if !errors.Is(err, oms.ErrUnavailable) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("got %v, want it to name %s and say what to do", err, addr)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := rest.Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// A server runs a handler as a gateway does.
type server struct {
	t     *testing.T
	addr  string
	stop  context.CancelFunc
	ended chan error
}

func serve(t *testing.T, h http.Handler) *server {
	t.Helper()
	ln := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{t: t, addr: ln.Addr().String(), stop: cancel, ended: make(chan error, 1)}
	go func() { s.ended <- rest.Serve(ctx, ln, h, slog.New(slog.DiscardHandler)) }()
	return s
}

// shutdown ends the server and insists that it does so in good order.
func (s *server) shutdown() {
	s.t.Helper()
	s.stop()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatal("the server does not end")
	}
	if _, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.addr); err == nil {
		s.t.Error("it listens still")
	}
}

// get makes a call of its own connection.
func (s *server) get(path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.addr+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return c.Do(req)
}

func TestServeAnswersAndEnds(t *testing.T) {
	s := serve(t, newHandler(broken{}))
	res, err := s.get("/health")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("got %s", res.Status)
	}
	// A connection that is kept open and idle does not hold the server up.
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	kept, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	kept.Body.Close()
	s.shutdown()
}

func TestServeFailsWhenItsListenerDoes(t *testing.T) {
	ln := listen(t)
	ln.Close()
	if err := rest.Serve(t.Context(), ln, newHandler(broken{}), nil); err == nil {
		t.Error("got nil, want the listener's error")
	}
}

func TestLargeBodyIsRefusedPromptlyOverTheWire(t *testing.T) {
	s := serve(t, newHandler(broken{}))
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The answer comes although nothing of the body has been sent.
	if _, err := io.WriteString(conn, "POST /connectors/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485760\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), `"error_code":413`) {
		t.Errorf("got %s %s, %v", res.Status, body, err)
	}
	s.shutdown()
}

func TestWrongHostIsRefusedOverTheWire(t *testing.T) {
	s := serve(t, newHandler(broken{}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr+"/health", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("got %s, want 403", res.Status)
	}
	s.shutdown()
}
