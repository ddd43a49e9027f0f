package connect_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A faultyStore fails on command. A fault is asked before every call, and may
// block until the call's context is done.
type faultyStore struct {
	offsets.Store

	mu    sync.Mutex
	fault func(ctx context.Context, op string) error
}

func (s *faultyStore) setFault(f func(ctx context.Context, op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *faultyStore) enter(ctx context.Context, op string) error {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, op)
}

// errAway is what a store or broker says that does not answer.
var errAway = &oms.Error{Op: "call", Code: oms.ErrUnavailable, Err: errors.New("connection refused")}

// away is a fault of the given operations, all if there are none.
func away(ops ...string) func(context.Context, string) error {
	return only(ops, func(context.Context) error { return errAway })
}

// hanging is away for operations that do not answer at all.
func hanging(ops ...string) func(context.Context, string) error {
	return only(ops, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
}

func only(ops []string, fault func(context.Context) error) func(context.Context, string) error {
	return func(ctx context.Context, op string) error {
		if len(ops) == 0 || slices.Contains(ops, op) {
			return fault(ctx)
		}
		return nil
	}
}

// A mortalStore is what one gateway sees of the store: once it is dead,
// nothing it does gets there.
type mortalStore struct {
	*faultyStore
	dead *atomic.Bool
}

func (s *mortalStore) enter(ctx context.Context, op string) error {
	if s.dead.Load() {
		return errAway
	}
	if err := s.faultyStore.enter(ctx, op); err != nil || !s.dead.Load() {
		return err
	}
	return errAway
}

func (s *mortalStore) Acquire(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
	if err := s.enter(ctx, "Acquire"); err != nil {
		return offsets.Lease{}, err
	}
	return s.Store.Acquire(ctx, o, holder, ttl)
}

func (s *mortalStore) Renew(ctx context.Context, l offsets.Lease, ttl time.Duration) (offsets.Lease, error) {
	if err := s.enter(ctx, "Renew"); err != nil {
		return offsets.Lease{}, err
	}
	return s.Store.Renew(ctx, l, ttl)
}

func (s *mortalStore) Release(ctx context.Context, l offsets.Lease) error {
	if err := s.enter(ctx, "Release"); err != nil {
		return err
	}
	return s.Store.Release(ctx, l)
}

func (s *mortalStore) Load(ctx context.Context, connector string) (map[offsets.Partition]offsets.Position, error) {
	if err := s.enter(ctx, "Load"); err != nil {
		return nil, err
	}
	ps, err := s.Store.Load(ctx, connector)
	if s.faultyStore.enter(ctx, "corrupt") != nil {
		for part := range ps {
			ps[part] = `{"n":3`
		}
	}
	return ps, err
}

func (s *mortalStore) Commit(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
	if err := s.enter(ctx, "Commit"); err != nil {
		return err
	}
	return s.Store.Commit(ctx, l, ps)
}

func (s *mortalStore) Broker(ctx context.Context, connector string) (string, error) {
	if err := s.enter(ctx, "Broker"); err != nil {
		return "", err
	}
	return s.Store.Broker(ctx, connector)
}

func (s *mortalStore) Adopt(ctx context.Context, connector, from, to string, forget bool) error {
	if err := s.enter(ctx, "Adopt"); err != nil {
		return err
	}
	return s.Store.Adopt(ctx, connector, from, to, forget)
}

func (s *mortalStore) List(ctx context.Context) ([]offsets.Definition, error) {
	if err := s.enter(ctx, "List"); err != nil {
		return nil, err
	}
	return s.Store.List(ctx)
}

func (s *mortalStore) Put(ctx context.Context, d offsets.Definition) (int64, error) {
	if err := s.enter(ctx, "Put"); err != nil {
		return 0, err
	}
	return s.Store.Put(ctx, d)
}

func (s *mortalStore) Remove(ctx context.Context, name string, revision int64, keep bool) error {
	if err := s.enter(ctx, "Remove"); err != nil {
		return err
	}
	return s.Store.Remove(ctx, name, revision, keep)
}

func (s *mortalStore) Publish(ctx context.Context, st offsets.Status, ttl time.Duration) error {
	if err := s.enter(ctx, "Publish"); err != nil {
		return err
	}
	return s.Store.Publish(ctx, st, ttl)
}

func (s *mortalStore) Withdraw(ctx context.Context, connector string, task int) error {
	if err := s.enter(ctx, "Withdraw"); err != nil {
		return err
	}
	return s.Store.Withdraw(ctx, connector, task)
}

// Watch yields the fault once a second while there is one.
func (s *mortalStore) Watch(ctx context.Context, after int64) iter.Seq2[offsets.Definition, error] {
	return func(yield func(offsets.Definition, error) bool) {
		for ctx.Err() == nil {
			if err := s.enter(ctx, "Watch"); err == nil {
				break
			} else if !yield(offsets.Definition{}, err) {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		s.Store.Watch(ctx, after)(yield)
	}
}

// A mortalDriver is what one gateway sees of the broker: once it is dead,
// nothing it does gets there. Its connections are closed by whoever kills it.
type mortalDriver struct {
	oms.Driver
	dead *atomic.Bool
}

func (d *mortalDriver) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	conn, err := d.Driver.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	return &mortalConn{admin: conn.(admin), dead: d.dead}, nil
}

type admin interface {
	oms.Conn
	oms.TopicAdmin
	oms.GroupAdmin
	oms.LagReporter
	oms.OffsetFinder
	oms.GroupPositioner
	oms.Identifier
}

type mortalConn struct {
	admin
	dead *atomic.Bool
}

func (c *mortalConn) OpenSender(ctx context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	s, err := c.admin.OpenSender(ctx, cfg)
	return &mortalSender{s, c.dead}, err
}

func (c *mortalConn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	r, err := c.admin.OpenReceiver(ctx, cfg)
	return &mortalReceiver{r, c.dead}, err
}

type mortalSender struct {
	oms.Sender
	dead *atomic.Bool
}

func (s *mortalSender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	if s.dead.Load() {
		done(errAway)
		return
	}
	s.Sender.SendAsync(ctx, msgs, func(err error) {
		if s.dead.Load() {
			err = errAway
		}
		done(err)
	})
}

type mortalReceiver struct {
	oms.Receiver
	dead *atomic.Bool
}

func (r *mortalReceiver) Ack(ctx context.Context, msgs []*oms.Message) error {
	if r.dead.Load() {
		return errAway
	}
	return r.Receiver.Ack(ctx, msgs)
}
