package rocketmq

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// peers are the connections of one user: the admin calls of a connection, or a
// receiver. They are made when they are first needed, and again when they are
// lost.
type peers struct {
	options *options
	told    func(code int) // may be nil

	mu      sync.Mutex
	closed  bool
	by      map[string]*peer
	dialing map[string]*sync.Mutex
}

func newPeers(o *options, told func(int)) *peers {
	return &peers{options: o, told: told, by: make(map[string]*peer), dialing: make(map[string]*sync.Mutex)}
}

var errClosed = &oms.Error{Code: oms.ErrClosed, Err: errors.New("the connection is closed")}

// to returns a connection to the address. One that dials keeps others that
// want the same address waiting, and nobody else.
func (ps *peers) to(ctx context.Context, address string) (*peer, error) {
	ps.mu.Lock()
	turn := ps.dialing[address]
	if turn == nil {
		turn = new(sync.Mutex)
		ps.dialing[address] = turn
	}
	ps.mu.Unlock()
	turn.Lock()
	defer turn.Unlock()
	ps.mu.Lock()
	p, closed := ps.by[address], ps.closed
	ps.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if p != nil && p.alive() {
		return p, nil
	}
	p, err := dial(ctx, ps.options, address, ps.told)
	if err != nil {
		return nil, err
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		p.drop(errClosed)
		return nil, errClosed
	}
	ps.by[address] = p
	return p, nil
}

// ask makes a request of whoever is at the address, for as long as the
// option's timeout.
func (ps *peers) ask(ctx context.Context, address string, code int, fields map[string]string, body []byte) (*command, error) {
	return ps.askFor(ctx, address, code, fields, body, ps.options.timeout)
}

func (ps *peers) askFor(ctx context.Context, address string, code int, fields map[string]string, body []byte, wait time.Duration) (*command, error) {
	p, err := ps.to(ctx, address)
	if err != nil {
		return nil, err
	}
	return p.ask(ctx, ps.command(code, fields, body), wait)
}

func (ps *peers) command(code int, fields map[string]string, body []byte) *command {
	c := &command{Code: code, Language: "GO", Version: wireVersion, Fields: fields, body: body}
	c.sign(ps.options.accessKey, ps.options.secretKey.Reveal())
	return c
}

// living returns the connections that are not lost.
func (ps *peers) living() []*peer {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(ps.by)), func(p *peer) bool { return !p.alive() })
}

// close ends all connections.
func (ps *peers) close() {
	ps.mu.Lock()
	ps.closed = true
	all := slices.Collect(maps.Values(ps.by))
	ps.mu.Unlock()
	for _, p := range all {
		p.drop(errClosed)
	}
}
