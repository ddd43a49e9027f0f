package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// A conn is a cluster as one gateway sees it. Its own client makes short
// requests only: what may wait long, joining a group and fetching, has
// connections of its own, so that heartbeats and commits never stand behind
// it.
type conn struct {
	driver  Driver
	options options
	base    *sarama.Config // not to be changed: each client has a copy
	client  sarama.Client
	seeds   []*sarama.Broker // that the access point names
	lookout lookout          // for topics that keep few copies
	stop    context.CancelFunc
	ctx     context.Context //nolint:containedctx // it ends what outlives the calls that began it

	mu        sync.Mutex
	closed    bool
	open      map[closer]bool // senders and receivers
	instances map[string]bool // static members that are taken
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

func newConn(d Driver, o options) (*conn, error) {
	library()
	c := &conn{driver: d, options: o, open: make(map[closer]bool), instances: make(map[string]bool)}
	c.lookout.conn = c
	c.ctx, c.stop = context.WithCancel(context.Background())
	var err error
	if c.base, err = c.config(); err != nil {
		return nil, err
	}
	if c.client, err = c.newClient(nil); err != nil {
		return nil, err
	}
	for _, host := range o.hosts {
		c.seeds = append(c.seeds, sarama.NewBroker(host))
	}
	return c, nil
}

// config is that of every client of this connection.
func (c *conn) config() (*sarama.Config, error) {
	o := c.options
	cfg := sarama.NewConfig()
	cfg.ClientID, cfg.RackID, cfg.Version = o.clientID, o.rack, o.version
	cfg.Net.MaxOpenRequests = 8
	cfg.Net.DialTimeout, cfg.Net.ReadTimeout, cfg.Net.WriteTimeout = o.requestTimeout, o.requestTimeout, o.requestTimeout
	cfg.Net.Proxy.Enable = true // and each client has a dialer of its own
	// The client knows the topics that it is asked about, and never makes one
	// by asking. What is tried again is tried by the callers, who have a
	// context.
	cfg.Metadata.Full, cfg.Metadata.AllowAutoTopicCreation = false, false
	cfg.Metadata.Retry.Max, cfg.Metadata.Retry.Backoff = 1, retryFirst
	cfg.Metadata.Timeout = o.requestTimeout
	cfg.Admin.Retry.Max, cfg.Admin.Timeout = 0, o.requestTimeout
	cfg.Consumer.Return.Errors = true
	cfg.Consumer.IsolationLevel = sarama.ReadCommitted
	cfg.Consumer.Offsets.AutoCommit.Enable = false
	cfg.Consumer.Group.ResetInvalidOffsets = false
	return cfg, o.security.apply(cfg)
}

// call runs a request of the client library, which knows no context, and
// waits for it as long as ctx allows. What is not waited for ends with the
// request's own timeout, or with its client.
func call[T any](ctx context.Context, request func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		v, err := request()
		answered <- answer{v, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// run is call for requests without an answer.
func run(ctx context.Context, request func() error) error {
	_, err := call(ctx, func() (struct{}, error) { return struct{}{}, request() })
	return err
}

// OpenSender implements oms.Conn.
func (c *conn) OpenSender(_ context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fail("open sender", "", oms.ErrClosed, nil)
	}
	s, err := newSender(c, cfg.WithDefaults()) //nolint:contextcheck // a sender outlives the call that opens it
	if err != nil {
		return nil, classify("open sender", "", err)
	}
	c.open[s] = true
	return s, nil
}

// OpenReceiver implements oms.Conn.
func (c *conn) OpenReceiver(_ context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	const op = "open receiver"
	if err := checkGroup(op, cfg.Group, cfg.Topics); err != nil {
		return nil, err
	}
	if err := checkStart(op, cfg.Group, cfg.Start); err != nil {
		return nil, err
	}
	if len(cfg.Topics) == 0 {
		return nil, fail(op, cfg.Group, oms.ErrInvalid, errors.New("a receiver needs at least one topic"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fail(op, cfg.Group, oms.ErrClosed, nil)
	}
	instance := c.takeInstance(cfg.Group)
	r, err := newReceiver(c, cfg.WithDefaults(), instance) //nolint:contextcheck // a receiver outlives the call that opens it
	if err != nil {
		c.giveInstance(cfg.Group, instance)
		return nil, classify(op, cfg.Group, err)
	}
	c.open[r] = true
	return r, nil
}

// takeInstance returns the name of a static member that nobody else of this
// connection has, "" where members are dynamic. The caller holds mu.
func (c *conn) takeInstance(group string) string {
	if c.options.instance == "" {
		return ""
	}
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s-%d", c.options.instance, n)
		if !c.instances[group+"\n"+name] {
			c.instances[group+"\n"+name] = true
			return name
		}
	}
}

// giveInstance gives a name back. The caller holds mu.
func (c *conn) giveInstance(group, instance string) { delete(c.instances, group+"\n"+instance) }

func (c *conn) forget(o closer, group, instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, o)
	c.giveInstance(group, instance)
}

// alive is an error where the connection is closed.
func (c *conn) alive(op, target string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fail(op, target, oms.ErrClosed, nil)
	}
	return nil
}

// Check implements oms.Conn.
func (c *conn) Check(ctx context.Context) error {
	if err := c.alive("check", ""); err != nil {
		return err
	}
	_, err := c.cluster(ctx)
	if err == nil {
		return nil
	}
	code := codeOf(err)
	if code != oms.ErrDenied && code != oms.ErrAborted && code != oms.ErrTimeout {
		code = oms.ErrUnavailable // a broker that does not answer is not there
	}
	return fail("check", "", code, err)
}

// Identity implements oms.Identifier: the id of the cluster.
func (c *conn) Identity(ctx context.Context) (string, error) {
	if err := c.alive("identity", ""); err != nil {
		return "", err
	}
	m, err := c.cluster(ctx)
	if err != nil {
		return "", classify("identity", "", err)
	}
	if m.ClusterID == nil {
		return "", fail("identity", "", oms.ErrUnsupported, errors.New("the cluster has no id"))
	}
	return *m.ClusterID, nil
}

// cluster asks any broker about the cluster.
func (c *conn) cluster(ctx context.Context) (*sarama.MetadataResponse, error) {
	return c.ask(ctx, &sarama.MetadataRequest{Version: 8, Topics: []string{}})
}

// Close implements oms.Conn. It closes what its caller has left open.
func (c *conn) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	left := make([]closer, 0, len(c.open))
	for o := range c.open {
		left = append(left, o)
	}
	c.mu.Unlock()
	var errs []error
	for _, o := range left {
		errs = append(errs, o.Close(ctx))
	}
	c.stop()
	c.lookout.end()
	_ = c.client.Close() // of connections that may be broken already
	for _, b := range c.seeds {
		c.drop(b)
	}
	return errors.Join(errs...)
}
