package omstest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms/omstest"
)

// An echo server answers every byte with the byte, behind its name.
type echo struct {
	listener net.Listener
	accepted chan net.Conn
}

func newEcho(t *testing.T, name string) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{listener: l, accepted: make(chan net.Conn, 100)}
	ended := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.accepted <- c
			t.Cleanup(func() { _ = c.Close() })
			go func() {
				_, _ = io.WriteString(c, name)
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return e
}

func newProxy(t *testing.T, e *echo) *omstest.Proxy {
	t.Helper()
	p, err := omstest.NewProxy(e.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// dial connects through the proxy. Whatever takes longer than 30 s fails.
func dial(t *testing.T, p *omstest.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func wantText(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

// wantEnd waits for the end of a connection, be it a good one or not.
func wantEnd(t *testing.T, c net.Conn) {
	t.Helper()
	if rest, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection is still open; read %q", rest)
	}
}

// wantSilence fails when anything comes, an end included.
func wantSilence(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want silence", n, err)
	}
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
}

func TestProxyPassesOnBothWays(t *testing.T) {
	t.Parallel()
	p := newProxy(t, newEcho(t, "a:"))
	c := dial(t, p)
	wantText(t, c, "a:")
	large := strings.Repeat("0123456789", 100_000)
	go func() { _, _ = io.WriteString(c, large) }()
	wantText(t, c, large)
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, c) // the server has learnt of the end, and the client of the server's
}

func TestProxyKillsConnectionsAndTakesNewOnes(t *testing.T) {
	t.Parallel()
	e := newEcho(t, "a:")
	p := newProxy(t, e)
	c := dial(t, p)
	wantText(t, c, "a:")
	server := <-e.accepted
	p.KillConnections()
	wantEnd(t, c)
	write(t, dial(t, p), "x")
	again := dial(t, p)
	wantText(t, again, "a:")
	if _, err := server.Write([]byte("x")); err == nil {
		wantEnd(t, server)
	}
}

func TestProxyThatIsCutSwallowsAndSaysNothing(t *testing.T) {
	t.Parallel()
	e := newEcho(t, "a:")
	p := newProxy(t, e)
	talking, idle := dial(t, p), dial(t, p)
	wantText(t, talking, "a:")
	wantText(t, idle, "a:")
	p.Cut()
	p.Cut() // twice is once
	write(t, talking, "lost")
	late := dial(t, p)
	write(t, late, "late")
	wantSilence(t, talking)
	wantSilence(t, late)
	p.Heal()
	p.Heal()
	write(t, talking, "lost as well")
	wantSilence(t, talking)
	write(t, idle, "here")
	wantText(t, idle, "here")
	wantText(t, late, "a:late")
}

func TestProxyDoesNotTellOfAnEndWhileItIsCut(t *testing.T) {
	t.Parallel()
	e := newEcho(t, "a:")
	p := newProxy(t, e)
	c := dial(t, p)
	wantText(t, c, "a:")
	server := <-e.accepted
	p.Cut()
	_ = server.Close()
	wantSilence(t, c)
	p.Heal()
	wantSilence(t, c)
	write(t, c, "x")
	wantSilence(t, c)
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections, want the dead one", n)
	}
	p.KillConnections()
	wantEnd(t, c)
}

func TestProxyFollowsABrokerThatHasMoved(t *testing.T) {
	t.Parallel()
	first, second := newEcho(t, "first"), newEcho(t, "second")
	p := newProxy(t, first)
	before := dial(t, p)
	wantText(t, before, "first")
	p.Retarget(second.listener.Addr().String())
	wantText(t, dial(t, p), "second")
	write(t, before, "x")
	wantText(t, before, "x")
}

func TestProxyEndsConnectionsWhenNobodyListens(t *testing.T) {
	t.Parallel()
	e := newEcho(t, "a:")
	p := newProxy(t, e)
	_ = e.listener.Close()
	wantEnd(t, dial(t, p))
}

func TestProxyClosesWhateverIsOpen(t *testing.T) {
	t.Parallel()
	e := newEcho(t, "a:")
	p := newProxy(t, e)
	open := dial(t, p)
	wantText(t, open, "a:")
	p.Cut()
	dead, late := dial(t, p), dial(t, p)
	write(t, open, "x")
	write(t, dead, "x")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{open, dead, late} {
		wantEnd(t, c)
	}
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		_ = c.Close()
		t.Error("a closed proxy takes connections")
	}
}
