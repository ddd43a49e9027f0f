package rabbitmq

import (
	"context"
	"errors"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// A conn has two connections, as RabbitMQ wants it: when the broker has no
// room it stops reading what publishers send, and whoever consumes on the same
// connection could acknowledge nothing. Whatever is asked and publishes
// nothing goes by the one to consume.
type conn struct {
	opts    options
	in, out *link
	topics  topicCache
	slots   slots
	making  chan struct{}  // has one of who makes or deletes a topic: the broker's lock tells connections apart only
	running sync.WaitGroup // what is being asked

	mu        sync.Mutex
	closed    bool
	receivers map[*receiver]bool
	streams   map[*streamReceiver]bool
	senders   map[*sender]bool
}

var (
	_ oms.Conn            = (*conn)(nil)
	_ oms.TopicAdmin      = (*conn)(nil)
	_ oms.GroupAdmin      = (*conn)(nil)
	_ oms.LagReporter     = (*conn)(nil)
	_ oms.Identifier      = (*conn)(nil)
	_ oms.OffsetFinder    = (*conn)(nil)
	_ oms.GroupPositioner = (*conn)(nil)
)

func newConn(o options) *conn {
	return &conn{
		opts: o, in: newLink(o, "consume"), out: newLink(o, "publish"), making: make(chan struct{}, 1),
		receivers: make(map[*receiver]bool), streams: make(map[*streamReceiver]bool), senders: make(map[*sender]bool),
	}
}

// ask runs f on a channel of its own, of the connection to consume.
func (c *conn) ask(ctx context.Context, f func(*amqp.Channel) error) error {
	s, err := c.in.session(ctx)
	if err != nil {
		return err
	}
	return s.do(ctx, &c.running, f)
}

// answer asks for a value. Its f returns it and sets no variable of the
// caller's: when ctx is done first, f still runs, and nobody waits for it.
func answer[T any](ctx context.Context, c *conn, f func(*amqp.Channel) (T, error)) (T, error) {
	got := make(chan T, 1)
	err := c.ask(ctx, func(ch *amqp.Channel) error {
		v, err := f(ch)
		if err == nil {
			got <- v
		}
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return <-got, nil
}

// Check implements oms.Conn.
func (c *conn) Check(ctx context.Context) error {
	return fail("check", "", c.ask(ctx, func(*amqp.Channel) error { return nil }))
}

// Identity implements oms.Identifier: the name of the cluster.
func (c *conn) Identity(ctx context.Context) (string, error) {
	s, err := c.in.session(ctx)
	if err != nil {
		return "", fail("identify", "", err)
	}
	name, _ := s.conn.Properties["cluster_name"].(string)
	if name == "" {
		return "", fail("identify", "", &oms.Error{Code: oms.ErrUnsupported, Err: errors.New("the broker does not tell its cluster_name")})
	}
	return name, nil
}

// OpenSender implements oms.Conn.
func (c *conn) OpenSender(_ context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fail("open sender", "", &oms.Error{Code: oms.ErrClosed})
	}
	s := newSender(c, cfg.WithDefaults())
	c.senders[s] = true
	return s, nil
}

// OpenReceiver implements oms.Conn.
func (c *conn) OpenReceiver(_ context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	topics, err := checkTopics(cfg.Topics)
	if err == nil {
		err = checkGroup(cfg.Group)
	}
	if err != nil {
		return nil, fail("open receiver", cfg.Group, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fail("open receiver", cfg.Group, &oms.Error{Code: oms.ErrClosed})
	}
	cfg.Topics = topics
	if c.opts.isStream() {
		r := newStreamReceiver(c, cfg.WithDefaults()) //nolint:contextcheck // a receiver outlives the call that opens it
		c.streams[r] = true
		return r, nil
	}
	r := newReceiver(c, cfg.WithDefaults()) //nolint:contextcheck // a receiver outlives the call that opens it
	c.receivers[r] = true
	return r, nil
}

func (c *conn) forgetReceiver(r *receiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.receivers, r)
}

func (c *conn) forgetStream(r *streamReceiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, r)
}

func (c *conn) forgetSender(s *sender) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.senders, s)
}

// Close implements oms.Conn. Senders and receivers that were left open are
// closed first.
func (c *conn) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	var left []interface{ Close(context.Context) error }
	for s := range c.senders {
		left = append(left, s)
	}
	for r := range c.receivers {
		left = append(left, r)
	}
	for r := range c.streams {
		left = append(left, r)
	}
	c.mu.Unlock()
	var errs []error
	for _, l := range left {
		errs = append(errs, l.Close(ctx))
	}
	c.out.close()
	c.in.close()
	c.running.Wait()
	return errors.Join(errs...)
}
