package connect_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A meddler stands between a gateway and its store and broker. It counts the
// calls of each operation, and spoils one of them.
type meddler struct {
	mu    sync.Mutex
	calls map[string]int
	op    string // to be spoilt
	nth   int    // call of it, from 1
	trick trick
	done  bool // it was
}

// A trick is how a call is spoilt. With an error from before, the call is not
// made; with one from after, it is made and its answer is lost.
type trick struct {
	name   string
	before func(context.Context) error
	after  error
}

// next counts a call, and returns what is to be done to it.
func (m *meddler) next(op string) trick {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[op]++
	if op != m.op || m.calls[op] != m.nth {
		return trick{}
	}
	m.done = true
	return m.trick
}

func (m *meddler) counted() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.calls)
}

func (m *meddler) spoilt() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done
}

// meddle makes a call, or spoils it.
func meddle[T any](ctx context.Context, m *meddler, op string, call func() (T, error)) (T, error) {
	var nothing T
	t := m.next(op)
	if t.before != nil {
		if err := t.before(ctx); err != nil {
			return nothing, err
		}
	}
	v, err := call()
	if err == nil && t.after != nil {
		return nothing, t.after
	}
	return v, err
}

func meddleErr(ctx context.Context, m *meddler, op string, call func() error) error {
	_, err := meddle(ctx, m, op, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// The tricks.

func refused(code oms.Code) trick {
	return trick{name: "refused with " + string(code), before: func(context.Context) error {
		return &oms.Error{Op: "call", Code: code, Err: errors.New("spoilt")}
	}}
}

func answerLost(code oms.Code) trick {
	return trick{name: "answer lost with " + string(code), after: &oms.Error{Op: "call", Code: code, Err: errors.New("spoilt")}}
}

func slow(d time.Duration) trick {
	return trick{name: fmt.Sprintf("slow by %v", d), before: func(context.Context) error { time.Sleep(d); return nil }}
}

// stuck is a call that returns only when its context is done.
var stuck = trick{name: "hanging", before: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}

// deaf is a call that does not heed its context.
var deaf = trick{name: "deaf", before: func(context.Context) error { time.Sleep(time.Minute); return errAway }}

var uncoded = trick{name: "refused without a code", before: func(context.Context) error { return errors.New("spoilt") }}

// A meddledStore is a store with a meddler before it.
type meddledStore struct {
	offsets.Store
	*meddler
	committing func(map[offsets.Partition]offsets.Position) // is asked before; may be nil
}

func (s meddledStore) Acquire(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
	return meddle(ctx, s.meddler, "Acquire", func() (offsets.Lease, error) { return s.Store.Acquire(ctx, o, holder, ttl) })
}

func (s meddledStore) Renew(ctx context.Context, l offsets.Lease, ttl time.Duration) (offsets.Lease, error) {
	return meddle(ctx, s.meddler, "Renew", func() (offsets.Lease, error) { return s.Store.Renew(ctx, l, ttl) })
}

func (s meddledStore) Release(ctx context.Context, l offsets.Lease) error {
	return meddleErr(ctx, s.meddler, "Release", func() error { return s.Store.Release(ctx, l) })
}

func (s meddledStore) Load(ctx context.Context, connector string) (map[offsets.Partition]offsets.Position, error) {
	return meddle(ctx, s.meddler, "Load", func() (map[offsets.Partition]offsets.Position, error) { return s.Store.Load(ctx, connector) })
}

func (s meddledStore) Commit(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
	if s.committing != nil {
		s.committing(ps)
	}
	return meddleErr(ctx, s.meddler, "Commit", func() error { return s.Store.Commit(ctx, l, ps) })
}

func (s meddledStore) Broker(ctx context.Context, connector string) (string, error) {
	return meddle(ctx, s.meddler, "Broker", func() (string, error) { return s.Store.Broker(ctx, connector) })
}

func (s meddledStore) Adopt(ctx context.Context, connector, from, to string, forget bool) error {
	return meddleErr(ctx, s.meddler, "Adopt", func() error { return s.Store.Adopt(ctx, connector, from, to, forget) })
}

func (s meddledStore) List(ctx context.Context) ([]offsets.Definition, error) {
	return meddle(ctx, s.meddler, "List", func() ([]offsets.Definition, error) { return s.Store.List(ctx) })
}

func (s meddledStore) Put(ctx context.Context, d offsets.Definition) (int64, error) {
	return meddle(ctx, s.meddler, "Put", func() (int64, error) { return s.Store.Put(ctx, d) })
}

func (s meddledStore) Remove(ctx context.Context, name string, revision int64, keep bool) error {
	return meddleErr(ctx, s.meddler, "Remove", func() error { return s.Store.Remove(ctx, name, revision, keep) })
}

func (s meddledStore) Publish(ctx context.Context, st offsets.Status, ttl time.Duration) error {
	return meddleErr(ctx, s.meddler, "Publish", func() error { return s.Store.Publish(ctx, st, ttl) })
}

func (s meddledStore) Withdraw(ctx context.Context, connector string, task int) error {
	return meddleErr(ctx, s.meddler, "Withdraw", func() error { return s.Store.Withdraw(ctx, connector, task) })
}

func (s meddledStore) Statuses(ctx context.Context) ([]offsets.Status, error) {
	return meddle(ctx, s.meddler, "Statuses", func() ([]offsets.Status, error) { return s.Store.Statuses(ctx) })
}

// Watch counts what it yields: the spoilt one comes after the error.
func (s meddledStore) Watch(ctx context.Context, after int64) iter.Seq2[offsets.Definition, error] {
	return func(yield func(offsets.Definition, error) bool) {
		for d, err := range s.Store.Watch(ctx, after) {
			if t := s.next("Watch"); t.before != nil {
				if wrong := t.before(ctx); wrong != nil && !yield(offsets.Definition{}, wrong) {
					return
				}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// A meddledDriver is a driver with a meddler before it, and knows what was
// confirmed. Sending fails on command in the driver itself (mem.Options): what
// must be aborted after a failure is not for a wrapper to say.
type meddledDriver struct {
	oms.Driver
	*meddler
	confirmed func(body string)
}

func (d meddledDriver) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	conn, err := meddle(ctx, d.meddler, "Open", func() (oms.Conn, error) { return d.Driver.Open(ctx, ap) })
	if err != nil {
		return nil, err
	}
	return meddledConn{conn.(admin), d}, nil
}

type meddledConn struct {
	admin
	d meddledDriver
}

func (c meddledConn) OpenSender(ctx context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	s, err := meddle(ctx, c.d.meddler, "OpenSender", func() (oms.Sender, error) { return c.admin.OpenSender(ctx, cfg) })
	if err != nil {
		return nil, err
	}
	return meddledSender{s, c.d}, nil
}

func (c meddledConn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	r, err := meddle(ctx, c.d.meddler, "OpenReceiver", func() (oms.Receiver, error) { return c.admin.OpenReceiver(ctx, cfg) })
	if err != nil {
		return nil, err
	}
	return meddledReceiver{r, c.d.meddler}, nil
}

func (c meddledConn) Close(ctx context.Context) error {
	return meddleErr(ctx, c.d.meddler, "CloseConn", func() error { return c.admin.Close(ctx) })
}

func (c meddledConn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	return meddleErr(ctx, c.d.meddler, "CreateTopic", func() error { return c.admin.CreateTopic(ctx, spec) })
}

func (c meddledConn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	return meddleErr(ctx, c.d.meddler, "EnsureGroup", func() error { return c.admin.EnsureGroup(ctx, group, topics, start) })
}

type meddledSender struct {
	oms.Sender
	d meddledDriver
}

func (s meddledSender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	bodies := texts(msgs) // the messages are the driver's until it is done
	s.Sender.SendAsync(ctx, msgs, func(err error) {
		for i, body := range bodies {
			if oms.FailureOf(err, i) == nil && s.d.confirmed != nil {
				s.d.confirmed(body)
			}
		}
		done(err)
	})
}

func (s meddledSender) Close(ctx context.Context) error {
	return meddleErr(ctx, s.d.meddler, "CloseSender", func() error { return s.Sender.Close(ctx) })
}

type meddledReceiver struct {
	oms.Receiver
	*meddler
}

func (r meddledReceiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	return meddle(ctx, r.meddler, "Receive", func() ([]*oms.Message, error) { return r.Receiver.Receive(ctx, limit) })
}

func (r meddledReceiver) Ack(ctx context.Context, msgs []*oms.Message) error {
	return meddleErr(ctx, r.meddler, "Ack", func() error { return r.Receiver.Ack(ctx, msgs) })
}

func (r meddledReceiver) Flush(ctx context.Context) error {
	return meddleErr(ctx, r.meddler, "FlushReceiver", func() error { return r.Receiver.Flush(ctx) })
}

func (r meddledReceiver) Close(ctx context.Context) error {
	return meddleErr(ctx, r.meddler, "CloseReceiver", func() error { return r.Receiver.Close(ctx) })
}
