package rocketmq

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A conn is a cluster as one gateway sees it. Messages go through the client
// library's clients, which it shares with all others to that cluster. What the
// library cannot ask goes over connections of its own; each receiver has some
// of its own, too, by which brokers know it as a member.
type conn struct {
	options  options
	instance string // in the names of clients and members
	log      *slog.Logger
	library  *library
	peers    *peers
	routes   *routes
	// unreplicated counts messages that were stored and not flushed or
	// replicated in time.
	unreplicated atomic.Int64
	strictWait   time.Duration // see the constant; tests are less patient
	pullWait     time.Duration // likewise

	mu      sync.Mutex
	closed  bool
	members int // that were ever opened
	open    map[closer]bool
}

type closer interface {
	Close(ctx context.Context) error
}

var (
	_ oms.Conn            = (*conn)(nil)
	_ oms.TopicAdmin      = (*conn)(nil)
	_ oms.GroupAdmin      = (*conn)(nil)
	_ oms.LagReporter     = (*conn)(nil)
	_ oms.OffsetFinder    = (*conn)(nil)
	_ oms.GroupPositioner = (*conn)(nil)
	_ oms.Identifier      = (*conn)(nil)
)

func newConn(o options) *conn {
	c := &conn{
		options: o, strictWait: strictWait, pullWait: pullWait, instance: rand.Text()[:12], log: slog.Default().With("driver", Name), open: make(map[closer]bool),
	}
	c.library = libraryOf(&c.options)
	c.peers = newPeers(&c.options, nil)
	c.routes = &routes{conn: c, by: make(map[string]*route), seen: make(map[string]bool)}
	return c
}

// Check asks a name server for the brokers, and one of these whether the keys
// are right.
func (c *conn) Check(ctx context.Context) error {
	const op = "check"
	data, err := c.cluster(ctx)
	if err != nil {
		return classify(op, "", err)
	}
	masters := data.masters()
	if len(masters) == 0 {
		return c.code(op, "", oms.ErrUnavailable, "the name server knows no broker that takes messages")
	}
	return classify(op, masters[0], c.admitted(ctx, masters[0]))
}

// Identity returns the name of the cluster, or the names of the clusters that
// share the name servers.
func (c *conn) Identity(ctx context.Context) (string, error) {
	data, err := c.cluster(ctx)
	if err != nil {
		return "", classify("identify", "", err)
	}
	names := slices.Sorted(maps.Keys(data.ClusterAddrTable))
	if len(names) == 0 {
		return "", c.code("identify", "", oms.ErrUnavailable, "no broker has told the name server its cluster yet")
	}
	return "rocketmq:" + strings.Join(names, "+"), nil
}

// Close closes what its caller has left open, and the clients.
func (c *conn) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	left := slices.Collect(maps.Keys(c.open))
	c.mu.Unlock()
	var errs []error
	for _, o := range left {
		errs = append(errs, o.Close(ctx))
	}
	c.peers.close()
	return errors.Join(errs...)
}

// keep notes what Close has to close.
func (c *conn) keep(op string, o closer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.code(op, "", oms.ErrClosed, "the connection is closed")
	}
	c.open[o] = true
	return nil
}

func (c *conn) forget(o closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, o)
}

func (c *conn) code(op, target string, code oms.Code, text string) error {
	return &oms.Error{Op: op, Driver: Name, Target: target, Code: code, Err: errors.New(text)}
}

func invalid(op, target string, err error) error {
	return &oms.Error{Op: op, Driver: Name, Target: target, Code: oms.ErrInvalid, Err: err}
}
