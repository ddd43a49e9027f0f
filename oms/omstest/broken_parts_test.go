package omstest_test

import (
	"context"

	"github.com/omconnect/omconnect/oms"
)

// memConn is all that a connection of mem can do.
type memConn interface {
	oms.Conn
	oms.TopicAdmin
	oms.GroupAdmin
	oms.LagReporter
	oms.OffsetFinder
	oms.GroupPositioner
	oms.Identifier
	oms.TxOpener
	oms.HalfOpener
}

type brokenConn struct {
	driver *broken
	memConn

	check        func(context.Context) error
	close        func(context.Context) error
	openSender   func(context.Context, oms.SenderConfig) (oms.Sender, error)
	openReceiver func(context.Context, oms.ReceiverConfig) (oms.Receiver, error)
	createTopic  func(context.Context, oms.TopicSpec) error
	deleteTopic  func(context.Context, string) error
	topics       func(context.Context) ([]oms.TopicInfo, error)
	ensureGroup  func(context.Context, string, []string, oms.Start) error
	deleteGroup  func(context.Context, string, []string) error
	members      func(context.Context, string, []string) ([]oms.Member, error)
	lag          func(context.Context, string, []string) (map[oms.Partition]int64, error)
	offsets      func(context.Context, []string, oms.Start) (map[oms.Partition]int64, error)
	positions    func(context.Context, string, []string) (map[oms.Partition]int64, error)
	identity     func(context.Context) (string, error)
	openTx       func(context.Context, string) (oms.TxSender, error)
	openHalf     func(context.Context, string, checkFunc) (oms.HalfSender, error)
}

func newBrokenConn(d *broken, m memConn) *brokenConn {
	c := &brokenConn{
		driver: d, memConn: m,
		check: m.Check, close: m.Close,
		createTopic: m.CreateTopic, deleteTopic: m.DeleteTopic, topics: m.Topics,
		ensureGroup: m.EnsureGroup, deleteGroup: m.DeleteGroup, members: m.Members,
		lag: m.Lag, offsets: m.Offsets, positions: m.Positions, identity: m.Identity,
		openTx: m.OpenTx, openHalf: m.OpenHalf,
	}
	c.openSender = func(ctx context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
		s, err := m.OpenSender(ctx, cfg)
		if err != nil {
			return nil, err
		}
		bs := &brokenSender{driver: d, conn: c, cfg: cfg.WithDefaults(), Sender: s, sendAsync: s.SendAsync, close: s.Close}
		d.onSender(bs)
		return bs, nil
	}
	c.openReceiver = func(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
		r, err := m.OpenReceiver(ctx, cfg)
		if err != nil {
			return nil, err
		}
		mr := r.(memReceiver)
		br := &brokenReceiver{
			driver: d, conn: c, cfg: cfg.WithDefaults(), memReceiver: mr,
			receive: mr.Receive, ack: mr.Ack, flush: mr.Flush, close: mr.Close,
			nack: mr.Nack, seek: mr.Seek, pause: mr.Pause, resume: mr.Resume,
		}
		d.onReceiver(br)
		return br, nil
	}
	return c
}

// deny has the connection refused until the harness mends its credentials.
func (c *brokenConn) deny() {
	refused := func() error {
		if c.driver.mended.Load() {
			return nil
		}
		return &oms.Error{Op: "connect", Driver: "broken", Code: oms.ErrDenied}
	}
	check, create, lag, openSender, openReceiver := c.check, c.createTopic, c.lag, c.openSender, c.openReceiver
	c.check = func(ctx context.Context) error {
		if err := refused(); err != nil {
			return err
		}
		return check(ctx)
	}
	c.createTopic = func(ctx context.Context, spec oms.TopicSpec) error {
		if err := refused(); err != nil {
			return err
		}
		return create(ctx, spec)
	}
	c.lag = func(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
		if err := refused(); err != nil {
			return nil, err
		}
		return lag(ctx, group, topics)
	}
	c.openSender = func(ctx context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
		if err := refused(); err != nil {
			return nil, err
		}
		return openSender(ctx, cfg)
	}
	c.openReceiver = func(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
		if err := refused(); err != nil {
			return nil, err
		}
		return openReceiver(ctx, cfg)
	}
}

func (c *brokenConn) Check(ctx context.Context) error { return c.check(ctx) }
func (c *brokenConn) Close(ctx context.Context) error { return c.close(ctx) }

func (c *brokenConn) OpenSender(ctx context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	return c.openSender(ctx, cfg)
}

func (c *brokenConn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	return c.openReceiver(ctx, cfg)
}

func (c *brokenConn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	return c.createTopic(ctx, spec)
}

func (c *brokenConn) DeleteTopic(ctx context.Context, name string) error {
	return c.deleteTopic(ctx, name)
}

func (c *brokenConn) Topics(ctx context.Context) ([]oms.TopicInfo, error) { return c.topics(ctx) }

func (c *brokenConn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	return c.ensureGroup(ctx, group, topics, start)
}

func (c *brokenConn) DeleteGroup(ctx context.Context, group string, topics []string) error {
	return c.deleteGroup(ctx, group, topics)
}

func (c *brokenConn) Members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	return c.members(ctx, group, topics)
}

func (c *brokenConn) Lag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	return c.lag(ctx, group, topics)
}

func (c *brokenConn) Offsets(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	return c.offsets(ctx, topics, start)
}

func (c *brokenConn) Positions(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	return c.positions(ctx, group, topics)
}

func (c *brokenConn) Identity(ctx context.Context) (string, error) { return c.identity(ctx) }

type brokenSender struct {
	driver *broken
	conn   *brokenConn
	cfg    oms.SenderConfig
	oms.Sender

	sendAsync func(context.Context, []*oms.Message, func(error))
	close     func(context.Context) error
}

// SendAsync implements oms.Sender.
func (s *brokenSender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	s.sendAsync(ctx, msgs, done)
}

func (s *brokenSender) Close(ctx context.Context) error { return s.close(ctx) }

// memReceiver is all that a receiver of mem can do.
type memReceiver interface {
	oms.Receiver
	oms.Nacker
	oms.Seeker
	oms.Pauser
}

type brokenReceiver struct {
	driver *broken
	conn   *brokenConn
	cfg    oms.ReceiverConfig
	memReceiver

	receive       func(context.Context, int) ([]*oms.Message, error)
	ack, nack     func(context.Context, []*oms.Message) error
	flush, close  func(context.Context) error
	seek          func(context.Context, map[oms.Partition]int64) error
	pause, resume func(context.Context, []oms.Partition) error
}

func (r *brokenReceiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	return r.receive(ctx, limit)
}

func (r *brokenReceiver) Ack(ctx context.Context, msgs []*oms.Message) error { return r.ack(ctx, msgs) }

func (r *brokenReceiver) Nack(ctx context.Context, msgs []*oms.Message) error {
	return r.nack(ctx, msgs)
}
func (r *brokenReceiver) Flush(ctx context.Context) error { return r.flush(ctx) }
func (r *brokenReceiver) Close(ctx context.Context) error { return r.close(ctx) }

func (r *brokenReceiver) Seek(ctx context.Context, to map[oms.Partition]int64) error {
	return r.seek(ctx, to)
}

func (r *brokenReceiver) Pause(ctx context.Context, ps []oms.Partition) error {
	return r.pause(ctx, ps)
}

func (r *brokenReceiver) Resume(ctx context.Context, ps []oms.Partition) error {
	return r.resume(ctx, ps)
}
