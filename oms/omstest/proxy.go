package omstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// A Proxy passes TCP connections on to a broker, and troubles them on command.
// A harness has the driver under test reach the broker through one. Its methods
// may be called concurrently.
type Proxy struct {
	listener *net.TCPListener
	ctx      context.Context //nolint:containedctx // ends what waits when the proxy closes
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	target string
	healed chan struct{} // closed while the network is whole
	links  map[*link]bool
}

// A link is one connection of a client, and what it is passed on by.
type link struct {
	client, server *net.TCPConn // server is nil until the proxy has dialed
	dead           bool         // swallows everything, for good
	killed         bool
}

// NewProxy returns a proxy on a free port of 127.0.0.1 that passes connections
// on to the address target. The caller closes it.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("start a proxy: %w", err)
	}
	p := &Proxy{listener: l, target: target, healed: make(chan struct{}), links: make(map[*link]bool)}
	p.ctx, p.stop = context.WithCancel(context.Background())
	close(p.healed)
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the address that clients connect to. It stays the same.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Retarget has connections that are made from now on passed on to another
// address, as when the broker has come back on another port.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Cut makes the network swallow everything, in both directions, until Heal. No
// end is told: connections stay open, and new ones are made and not answered.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole() {
		p.healed = make(chan struct{})
	}
}

// Heal undoes Cut. A connection of which something was swallowed stays dead
// and open, as one that a router has forgotten: its ends have to find out.
// Those that had nothing to say go on, those made meanwhile are passed on now.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.whole() {
		close(p.healed)
	}
}

// whole reports whether the network is not cut. The caller holds mu.
func (p *Proxy) whole() bool {
	select {
	case <-p.healed:
		return true
	default:
		return false
	}
}

// KillConnections closes all connections at both ends.
func (p *Proxy) KillConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.kill()
	}
}

// Connections returns how many connections clients have open, dead ones
// included.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Close closes all connections and takes no new ones. When it returns, nothing
// of the proxy is left running. A second Close does nothing.
func (p *Proxy) Close() error {
	p.stop()
	err := p.listener.Close()
	p.KillConnections()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.AcceptTCP()
		if err != nil {
			return // it is closed
		}
		l := &link{client: c}
		p.mu.Lock()
		p.links[l] = true
		if p.ctx.Err() != nil {
			l.kill()
		}
		p.mu.Unlock()
		p.running.Go(func() { p.serve(l) })
	}
}

// serve passes on one connection until it has ended at both ends.
func (p *Proxy) serve(l *link) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		l.kill()
		delete(p.links, l)
	}()
	if !p.dial(l) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { p.pump(l, l.server, l.client) })
	p.pump(l, l.client, l.server)
	back.Wait()
}

// dial connects to the target once the network is whole.
func (p *Proxy) dial(l *link) bool {
	p.mu.Lock()
	healed := p.healed
	p.mu.Unlock()
	select {
	case <-healed:
	case <-p.ctx.Done():
		return false
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	s, err := new(net.Dialer).DialContext(p.ctx, "tcp", target)
	if err != nil {
		_ = l.client.Close() // its end is how the client learns it
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.server = s.(*net.TCPConn) // it was dialed as such
	return p.ctx.Err() == nil && !l.killed
}

// pump carries what comes from one end to the other. The end of a dead link is
// not told to the other one.
func (p *Proxy) pump(l *link, from, to *net.TCPConn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		passes := p.passes(l)
		if passes && n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil && p.passes(l) {
				err = failed
			}
		}
		switch {
		case err == nil:
			continue
		case !passes:
			_ = from.Close()
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite()
		default:
			p.kill(l)
		}
		return
	}
}

// passes reports whether what has come on a link goes on. If not, the link is
// dead from here on.
func (p *Proxy) passes(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.dead = l.dead || !p.whole()
	return !l.dead
}

func (p *Proxy) kill(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.kill()
}

// kill closes both ends without a word. The proxy's mutex is held.
func (l *link) kill() {
	l.killed = true
	for _, c := range []*net.TCPConn{l.client, l.server} {
		if c != nil {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}
}
