package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A conn is the broker as one gateway sees it. Senders share its lanes, one
// for each partition; receivers share its roster of members.
type conn struct {
	driver   string
	options  options
	backend  backend
	link     *link
	log      *slog.Logger
	instance string // begins the ids of all messages it sends, and its members' names
	topics   *topics
	lanes    lanes
	rosters  rosters
	pace     pace // not changed once a receiver is open

	mu     sync.Mutex
	closed bool
}

// pace is how patient a connection is; tests are less so.
type pace struct {
	ackWait time.Duration // see ackWait
	extend  time.Duration // see extendEvery
	missing time.Duration // see missingEvery
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

func newConn(driver string, o options, b backend) *conn {
	c := &conn{
		driver: driver, options: o, backend: b, instance: rand.Text()[:12],
		log:  slog.Default().With("driver", driver),
		pace: pace{ackWait: ackWait, extend: extendEvery, missing: missingEvery},
	}
	c.link = newLink(driver, b, c.log)
	c.topics = &topics{conn: c}
	c.lanes.conn, c.rosters.conn = c, c
	if local, ok := b.(*broker); ok {
		local.revive = c.link.drop
	}
	return c
}

// Check makes one round trip.
func (c *conn) Check(ctx context.Context) error {
	s, err := c.link.session(ctx)
	if err != nil {
		return c.fail("check", "", err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	if _, err := s.js.AccountInfo(ctx); err != nil {
		return c.fail("check", "", err)
	}
	return nil
}

// Identity returns the UUID in an embedded broker's folder; of a NATS server
// the name of its cluster, or of the server itself where there is none.
func (c *conn) Identity(ctx context.Context) (string, error) {
	if id := c.backend.identity(); id != "" {
		return id, nil
	}
	s, err := c.link.session(ctx)
	if err != nil {
		return "", c.fail("identify", "", err)
	}
	if name := s.nc.ConnectedClusterName(); name != "" {
		return "nats:" + name, nil
	}
	return "nats:" + s.nc.ConnectedServerName(), nil
}

// Close shuts an embedded broker down, or leaves the one elsewhere.
func (c *conn) Close(context.Context) error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	c.link.close()
	c.lanes.wait()
	c.rosters.close()
	if err := c.backend.close(); err != nil {
		return c.fail("close", "", err)
	}
	return nil
}

// session returns a session for one call and the call's bound.
func (c *conn) session(ctx context.Context) (*session, context.Context, context.CancelFunc, error) {
	s, err := c.link.session(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := s.within(ctx)
	return s, ctx, cancel, nil
}

// fail gives an error its shape.
func (c *conn) fail(op, target string, err error) error {
	return classify(op, c.driver, target, err)
}

func (c *conn) invalid(op, target string, err error) error {
	return &oms.Error{Op: op, Driver: c.driver, Target: target, Code: oms.ErrInvalid, Err: err}
}

func (c *conn) code(op, target string, code oms.Code, text string) error {
	return &oms.Error{Op: op, Driver: c.driver, Target: target, Code: code, Err: errors.New(text)}
}

// storageLimit is kept in one place: the server stores no more header than
// that with a message.
const storedHeaderLimit = 1<<16 - 1
