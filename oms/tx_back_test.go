package oms_test

import (
	"context"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// txBack is a back with transactions and half messages, which do what a test
// tells them.
type txBack struct {
	*back

	openErr error
	sendAll func(ctx context.Context, n int, msgs []*oms.Message) error // n counts calls from 1
	half    func(ctx context.Context, n int, msg *oms.Message, local func(context.Context) oms.Verdict) error

	mu     sync.Mutex
	opened []string // ids and groups
	calls  int
	inside int // calls that have not returned
	most   int // of them at once
	closes int
	check  func(context.Context, *oms.Message) oms.Verdict
}

func newTxBack() *txBack {
	b := &txBack{back: newBack()}
	b.caps = oms.Claim(oms.MessageKey, oms.Transactions, oms.HalfMessages, oms.Delay)
	b.sendAll = func(context.Context, int, []*oms.Message) error { return nil }
	b.half = func(ctx context.Context, _ int, _ *oms.Message, local func(context.Context) oms.Verdict) error {
		local(ctx)
		return nil
	}
	return b
}

func (b *txBack) Open(context.Context, oms.AccessPoint) (oms.Conn, error) { return b, nil }

func (b *txBack) OpenTx(_ context.Context, id string) (oms.TxSender, error) {
	b.opened = append(b.opened, id)
	return txSender{b}, b.openErr
}

func (b *txBack) OpenHalf(_ context.Context, group string, check func(context.Context, *oms.Message) oms.Verdict) (oms.HalfSender, error) {
	b.opened, b.check = append(b.opened, group), check
	return halfSender{b}, b.openErr
}

func (b *txBack) enter() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.inside++
	b.most = max(b.most, b.inside)
	return b.calls
}

func (b *txBack) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inside--
}

// closing is what both senders do at Close.
func (b *txBack) closing() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closes++
	if b.inside > 0 {
		return oms.ErrBusy
	}
	return nil
}

type txSender struct{ *txBack }

func (s txSender) SendAll(ctx context.Context, msgs []*oms.Message) error {
	n := s.enter()
	defer s.leave()
	return s.sendAll(ctx, n, msgs)
}
func (s txSender) Close(context.Context) error { return s.closing() }

type halfSender struct{ *txBack }

func (s halfSender) Send(ctx context.Context, msg *oms.Message, local func(context.Context) oms.Verdict) error {
	n := s.enter()
	defer s.leave()
	return s.half(ctx, n, msg, local)
}
func (s halfSender) Close(context.Context) error { return s.closing() }

func txProducer(t *testing.T, b *txBack, opts ...oms.Option) *oms.TxProducer {
	t.Helper()
	p, err := openWith(t, b, opts...).NewTxProducer(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func halfProducer(t *testing.T, b *txBack, opts ...oms.Option) *oms.HalfProducer {
	t.Helper()
	p, err := openWith(t, b, opts...).NewHalfProducer(t.Context(), "orders", rollback)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func openWith(t *testing.T, d oms.Driver, opts ...oms.Option) *oms.Client {
	t.Helper()
	var r oms.Registry
	r.Register("back", d)
	c, err := r.Open(t.Context(), "back", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rollback(context.Context, *oms.Message) oms.Verdict { return oms.Rollback }

// always is a local that decides the same each time.
func always(v oms.Verdict) func(context.Context) oms.Verdict {
	return func(context.Context) oms.Verdict { return v }
}
