package oms

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// A Client is a broker as a program sees it. It is safe for concurrent use and
// meant to be shared. Whoever opened it closes it, after its producers and
// consumers.
type Client struct {
	ap      AccessPoint
	conn    Conn
	caps    Capabilities
	send    []SendInterceptor
	receive []ReceiveInterceptor
}

// An Option changes a client that is being opened.
type Option func(*Client)

// WithSendInterceptors adds interceptors to every producer of the client. The
// first is the outermost.
func WithSendInterceptors(is ...SendInterceptor) Option {
	return func(c *Client) { c.send = append(c.send, is...) }
}

// WithReceiveInterceptors adds interceptors to every consumer of the client.
// The first is the outermost.
func WithReceiveInterceptors(is ...ReceiveInterceptor) Option {
	return func(c *Client) { c.receive = append(c.receive, is...) }
}

// A SendFunc sends messages as Sender.SendAsync does.
type SendFunc func(ctx context.Context, msgs []*Message, done func(error))

// A SendInterceptor wraps the sending of a producer: it may look at messages,
// change those that it clones, and wrap done. It sees each message once, not
// when it is resent.
type SendInterceptor func(next SendFunc) SendFunc

// A ReceiveFunc receives messages as Receiver.Receive does.
type ReceiveFunc func(ctx context.Context, limit int) ([]*Message, error)

// A ReceiveInterceptor wraps the receiving of a consumer. A message that it
// leaves out stays unacknowledged.
type ReceiveInterceptor func(next ReceiveFunc) ReceiveFunc

func newClient(ap AccessPoint, conn Conn, caps Capabilities, opts []Option) *Client {
	c := &Client{ap: ap, conn: conn, caps: caps}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// AccessPoint returns where the client's broker is.
func (c *Client) AccessPoint() AccessPoint { return c.ap }

// Capabilities returns what the broker can do.
func (c *Client) Capabilities() Capabilities { return c.caps }

// Check makes one round trip to the broker: nil, ErrUnavailable or ErrDenied.
func (c *Client) Check(ctx context.Context) error { return c.conn.Check(ctx) }

// Close closes the connection to the broker.
func (c *Client) Close(ctx context.Context) error { return c.conn.Close(ctx) }

// NewProducer returns a producer. The caller closes it.
func (c *Client) NewProducer(ctx context.Context, cfg SenderConfig) (*Producer, error) {
	s, err := c.conn.OpenSender(ctx, cfg.WithDefaults())
	if err != nil {
		return nil, err
	}
	return newProducer(c, s), nil //nolint:contextcheck // a producer outlives the call that makes it
}

// NewPullConsumer returns a consumer that is asked for messages. The caller
// closes it.
func (c *Client) NewPullConsumer(ctx context.Context, cfg ReceiverConfig) (*PullConsumer, error) {
	if len(cfg.Topics) == 0 || cfg.Group == "" {
		return nil, c.fail("open consumer", cfg.Group, ErrInvalid, errors.New("a consumer needs a group and at least one topic"))
	}
	for _, t := range cfg.Topics {
		if err := ValidTopic(t); err != nil {
			return nil, c.fail("open consumer", cfg.Group, ErrInvalid, err)
		}
	}
	pc := &PullConsumer{client: c, eras: make(map[Partition]era)}
	if err := pc.open(ctx, cfg); err != nil {
		return nil, err
	}
	return pc, nil
}

// EnsureTopic makes the topic if it is missing, and leaves one that is there
// as it is.
func (c *Client) EnsureTopic(ctx context.Context, spec TopicSpec) error {
	if err := ValidTopic(spec.Name); err != nil {
		return c.fail("create topic", spec.Name, ErrInvalid, err)
	}
	admin, err := optional[TopicAdmin](c, c.conn, CreateTopic)
	if err != nil {
		return err
	}
	if err := admin.CreateTopic(ctx, spec); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	return nil
}

// DeleteTopic deletes a topic and what it holds.
func (c *Client) DeleteTopic(ctx context.Context, name string) error {
	admin, err := optional[TopicAdmin](c, c.conn, DeleteTopic)
	if err != nil {
		return err
	}
	return admin.DeleteTopic(ctx, name)
}

// Topics lists the topics that the broker has.
func (c *Client) Topics(ctx context.Context) ([]TopicInfo, error) {
	admin, err := optional[TopicAdmin](c, c.conn, CreateTopic)
	if err != nil {
		return nil, err
	}
	return admin.Topics(ctx)
}

// Groups returns the group administration, or ErrUnsupported.
func (c *Client) Groups() (GroupAdmin, error) {
	return optional[GroupAdmin](c, c.conn, ManageGroups)
}

// ForeignMembers returns the names of those members of a group, of what it
// receives from the topics, that are others' programs. A group that is not
// there has none.
func (c *Client) ForeignMembers(ctx context.Context, group string, topics []string) (names []string, err error) {
	admin, err := optional[GroupAdmin](c, c.conn, ForeignMembers)
	if err != nil {
		return nil, err
	}
	members, err := admin.Members(ctx, group, topics)
	if err != nil && CodeOf(err) != ErrNotFound {
		return nil, err
	}
	for _, m := range members {
		if m.Foreign {
			names = append(names, m.Name)
		}
	}
	return names, nil
}

// Lag returns how many messages the group has not acknowledged, in all.
func (c *Client) Lag(ctx context.Context, group string, topics []string) (int64, error) {
	reporter, err := optional[LagReporter](c, c.conn, ReportLag)
	if err != nil {
		return 0, err
	}
	byPartition, err := reporter.Lag(ctx, group, topics)
	var sum int64
	for _, n := range byPartition {
		sum += n
	}
	return sum, err
}

// Offsets returns where the partitions of topics begin, end, or were at a
// point in time.
func (c *Client) Offsets(ctx context.Context, topics []string, start Start) (map[Partition]int64, error) {
	finder, err := optional[OffsetFinder](c, c.conn, OffsetForTime)
	if err != nil {
		return nil, err
	}
	return finder.Offsets(ctx, topics, start)
}

// Positions returns how far the group has come in the partitions of topics.
func (c *Client) Positions(ctx context.Context, group string, topics []string) (map[Partition]int64, error) {
	positioner, err := optional[GroupPositioner](c, c.conn, GroupPositions)
	if err != nil {
		return nil, err
	}
	return positioner.Positions(ctx, group, topics)
}

// Identity returns what tells the broker's cluster from others.
func (c *Client) Identity(ctx context.Context) (string, error) {
	identifier, err := optional[Identifier](c, c.conn, BrokerIdentity)
	if err != nil {
		return "", err
	}
	return identifier.Identity(ctx)
}

// optional returns v as an optional interface, if the driver has it and claims
// the capability.
func optional[T any](c *Client, v any, capability Capability) (T, error) {
	t, ok := v.(T)
	if err := c.caps.Check(c.ap.Driver, []Need{{Capability: capability}}); err != nil {
		var none T
		return none, err
	}
	if !ok {
		return t, c.fail("find operation", string(capability), ErrUnsupported, errors.New("the driver claims it and does not have it"))
	}
	return t, nil
}

func (c *Client) fail(op, target string, code Code, err error) error {
	return &Error{Op: op, Driver: c.ap.Driver, Target: target, Code: code, Err: err}
}

// ValidTopic returns nil, or why no broker takes a topic of that name. Drivers
// refuse further names that their broker forbids or reserves.
func ValidTopic(name string) error {
	const longest = 249 // bytes, as Kafka has it
	switch {
	case name == "":
		return errors.New("a topic needs a name")
	case len(name) > longest:
		return fmt.Errorf("the topic's name has %d bytes, at most %d are allowed", len(name), longest)
	case name == "." || name == "..":
		return fmt.Errorf("%q is no name for a topic", name)
	}
	if i := slices.IndexFunc([]rune(name), func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\ufffd' }); i >= 0 {
		return fmt.Errorf("the topic's name %q has a space, a control character or invalid UTF-8", name)
	}
	return nil
}
