package rocketmq

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A peer is one TCP connection to a broker or name server. Many requests may
// be on it at once. It ends when it breaks, or when an answer does not come: a
// connection that swallows a request may swallow the next.
type peer struct {
	address string
	nc      net.Conn
	lost    chan struct{} // closed when the connection is gone
	told    func(code int)

	writing sync.Mutex
	w       *bufio.Writer

	mu      sync.Mutex
	cause   error // why it is gone
	number  int32
	pending map[int32]chan *command
}

// dial connects. told is called with the number of each request that the
// broker makes, on the goroutine that reads.
func dial(ctx context.Context, o *options, address string, told func(int)) (*peer, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var nc net.Conn
	var err error
	if o.useTLS {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // tls.insecure=true says so; brokers come with certificates that they sign themselves
		nc, err = d.DialContext(ctx, "tcp", address)
	} else {
		nc, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, &oms.Error{Code: oms.ErrUnavailable, Err: err}
	}
	p := &peer{
		address: address, nc: nc, lost: make(chan struct{}), told: told,
		w: bufio.NewWriterSize(nc, 32<<10), pending: make(map[int32]chan *command),
	}
	go p.read()
	return p, nil
}

// read hands answers out until the connection is gone.
func (p *peer) read() {
	r := bufio.NewReaderSize(p.nc, 64<<10)
	for {
		c, err := readCommand(r)
		if err != nil {
			p.drop(err)
			return
		}
		if c.Flag&flagAnswer == 0 {
			if p.told != nil {
				p.told(c.Code)
			}
			continue
		}
		p.mu.Lock()
		answer := p.pending[c.Opaque]
		delete(p.pending, c.Opaque)
		p.mu.Unlock()
		if answer != nil {
			answer <- c
		}
	}
}

// drop ends the connection; the first cause counts.
func (p *peer) drop(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause != nil {
		return
	}
	p.cause = cause
	_ = p.nc.Close() // it is gone either way
	close(p.lost)
}

func (p *peer) alive() bool {
	select {
	case <-p.lost:
		return false
	default:
		return true
	}
}

var errNoAnswer = errors.New("no answer in time")

// ask makes a request and waits for its answer, for wait at most. An answer
// that is no success is returned with an *answerError. Where the caller gives
// up, or none comes, it may have been done.
func (p *peer) ask(ctx context.Context, c *command, wait time.Duration) (*command, error) {
	answer := make(chan *command, 1)
	p.mu.Lock()
	p.number++
	c.Opaque = p.number
	p.pending[c.Opaque] = answer
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.pending, c.Opaque)
		p.mu.Unlock()
	}()
	if err := p.put(c, wait); err != nil {
		p.drop(err)
		return nil, p.gone()
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	select {
	case a := <-answer:
		if a.Code != resSuccess {
			return a, &answerError{from: p.address, code: a.Code, remark: a.Remark}
		}
		return a, nil
	case <-p.lost:
		return nil, p.gone()
	case <-timeout.C:
		p.drop(errNoAnswer)
		return nil, &oms.Error{Code: oms.ErrTimeout, Err: fmt.Errorf("%s: %w", p.address, errNoAnswer)}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *peer) put(c *command, wait time.Duration) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.nc.SetWriteDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	return c.write(p.w)
}

func (p *peer) gone() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("the connection to %s was lost: %w", p.address, p.cause)}
}
