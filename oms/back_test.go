package oms_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// back is a driver whose sender and receiver do what a test tells them. It is
// a Driver, a Conn and its own sender.
type back struct {
	twice   bool // tells each outcome twice
	caps    oms.Capabilities
	window  chan struct{} // when set, a batch is taken once something comes from it
	onBatch func(msgs []*oms.Message) error
	confirm func(func()) // when set, calls done by it

	mu       sync.Mutex
	stored   []string
	failing  map[string]bool // keys with a failure whose done has not returned
	inFlight sync.WaitGroup
	closed   bool

	receive func(ctx context.Context, limit int) ([]*oms.Message, error)
	acked   []string
	cfg     oms.ReceiverConfig
}

func newBack() *back {
	return &back{
		caps:    oms.Claim(oms.MessageKey, oms.Tombstones, oms.RepeatedHeaders, oms.NilHeaders, oms.Expiry, oms.Nack),
		failing: make(map[string]bool),
	}
}

func (b *back) Open(context.Context, oms.AccessPoint) (oms.Conn, error) { return b, nil }
func (b *back) Capabilities(oms.AccessPoint) oms.Capabilities           { return b.caps }
func (b *back) Check(context.Context) error                             { return nil }
func (b *back) Close(context.Context) error                             { return nil }
func (b *back) OpenSender(context.Context, oms.SenderConfig) (oms.Sender, error) {
	return sender{b}, nil
}

func (b *back) OpenReceiver(_ context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	b.cfg = cfg
	return receiver{b}, nil
}

// open returns a client of b.
func (b *back) open(t *testing.T, opts ...oms.Option) *oms.Client {
	t.Helper()
	var r oms.Registry
	r.Register("back", b)
	c, err := r.Open(context.Background(), "back", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type sender struct{ *back }

// SendAsync keeps the contract of oms.Sender: what is behind a failure of its
// key is aborted until the failure's done has returned.
func (s sender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	b := s.back
	if b.window != nil {
		select {
		case <-b.window:
		case <-ctx.Done():
			done(ctx.Err())
			return
		}
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		done(oms.ErrClosed)
		return
	}
	failed := make(map[int]error)
	var err error
	for i, m := range msgs {
		if b.failing[string(m.Key)] {
			failed[i] = oms.ErrAborted
			continue
		}
		if b.onBatch != nil {
			err = b.onBatch(msgs[i : i+1])
		}
		if err != nil {
			failed[i] = err
			b.failing[string(m.Key)] = true
			continue
		}
		b.stored = append(b.stored, string(m.Body))
	}
	b.inFlight.Add(1)
	b.mu.Unlock()
	if b.twice {
		told := done
		done = func(err error) { told(err); told(err) }
	}
	finish := func() {
		defer b.inFlight.Done()
		if len(failed) == 0 {
			done(nil)
			return
		}
		done(&oms.BatchError{Failed: failed})
		b.mu.Lock()
		defer b.mu.Unlock()
		for i := range failed {
			if !errors.Is(failed[i], oms.ErrAborted) {
				delete(b.failing, string(msgs[i].Key))
			}
		}
	}
	if b.confirm != nil {
		b.confirm(finish)
		return
	}
	go finish()
}

func (s sender) Close(context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.inFlight.Wait()
	return nil
}

func (b *back) bodies() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.stored)
}

type receiver struct{ *back }

func (r receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	return r.receive(ctx, limit)
}

func (r receiver) Ack(_ context.Context, msgs []*oms.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range msgs {
		r.acked = append(r.acked, string(m.Body))
	}
	return nil
}
func (r receiver) Flush(context.Context) error { return nil }
func (r receiver) Close(context.Context) error { return nil }

func message(key, body string) *oms.Message {
	return &oms.Message{Topic: "t", Key: []byte(key), Body: []byte(body)}
}
