package oms_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func TestAHalfMessageIsDecidedByItsLocal(t *testing.T) {
	for _, want := range []oms.Verdict{oms.Commit, oms.Rollback, oms.Undecided} {
		b := newTxBack()
		var got oms.Verdict
		b.half = func(ctx context.Context, _ int, _ *oms.Message, local func(context.Context) oms.Verdict) error {
			got = local(ctx)
			return nil
		}
		p := halfProducer(t, b)
		m := message("k", "1")
		if err := p.Send(t.Context(), m, always(want)); err != nil {
			t.Fatal(err)
		}
		if got != want || m.ID == "" || b.check(t.Context(), m) != oms.Rollback {
			t.Errorf("the driver was told %v of the message %q, want %v", got, m.ID, want)
		}
		endTx(t, p)
	}
}

func TestLocalIsCalledOnceWhateverIsTriedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		half      func(ctx context.Context, n int, local func(context.Context) oms.Verdict) error
		calls     int
		locals    int
		wantError oms.Code
	}{
		"not stored for a while": {func(ctx context.Context, n int, local func(context.Context) oms.Verdict) error {
			if n < 3 {
				return oms.ErrBusy
			}
			local(ctx)
			return nil
		}, 3, 1, ""},
		"perhaps stored": {func(context.Context, int, func(context.Context) oms.Verdict) error { return oms.ErrUnknown }, 1, 0, oms.ErrUnknown},
		"refused":        {func(context.Context, int, func(context.Context) oms.Verdict) error { return oms.ErrDenied }, 1, 0, oms.ErrDenied},
		"the verdict is lost": {func(ctx context.Context, _ int, local func(context.Context) oms.Verdict) error {
			local(ctx)
			return oms.ErrUnavailable
		}, 1, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTxBack()
				b.half = func(ctx context.Context, n int, _ *oms.Message, local func(context.Context) oms.Verdict) error {
					return tc.half(ctx, n, local)
				}
				p := halfProducer(t, b)
				locals := 0
				err := p.Send(t.Context(), message("k", "1"), func(context.Context) oms.Verdict {
					locals++
					return oms.Commit
				})
				if oms.CodeOf(err) != tc.wantError || b.calls != tc.calls || locals != tc.locals {
					t.Errorf("Send = %v after %d calls, and local was called %d times", err, b.calls, locals)
				}
				endTx(t, p)
			})
		})
	}
}

func TestHalfMessagesAreSentSideBySideAndCloseWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTxBack()
		p := halfProducer(t, b)
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				ended <- p.Send(t.Context(), message("k", "1"), func(ctx context.Context) oms.Verdict {
					<-ctx.Done()
					return oms.Undecided
				})
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close = %v", err)
		}
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("Send = %v: it was stored, and its local called", err)
			}
		}
		if b.most != 2 {
			t.Errorf("%d were sent at once, want 2", b.most)
		}
		if err := p.Send(t.Context(), message("k", "1"), always(oms.Commit)); !errors.Is(err, oms.ErrClosed) {
			t.Errorf("Send after Close = %v", err)
		}
		endTx(t, p)
	})
}

func TestWhatNoHalfMessageCanBeIsRefused(t *testing.T) {
	b := newTxBack()
	b.caps.MaxBody = 3
	c := openWith(t, b)
	for name, open := range map[string]func() error{
		"no group": func() error { _, err := c.NewHalfProducer(t.Context(), "", rollback); return err },
		"no check": func() error { _, err := c.NewHalfProducer(t.Context(), "group", nil); return err },
	} {
		if err := open(); !errors.Is(err, oms.ErrInvalid) || len(b.opened) > 0 {
			t.Errorf("%s: %v, and the driver was asked for %q", name, err, b.opened)
		}
	}
	p := halfProducer(t, b)
	delayed := message("k", "1")
	delayed.Delay = time.Second
	for name, tc := range map[string]struct {
		msg   *oms.Message
		local func(context.Context) oms.Verdict
		want  oms.Code
	}{
		"no local":  {message("k", "1"), nil, oms.ErrInvalid},
		"a delay":   {delayed, always(oms.Commit), oms.ErrInvalid},
		"too large": {message("k", "large"), always(oms.Commit), oms.ErrTooLarge},
		"no topic":  {&oms.Message{}, always(oms.Commit), oms.ErrInvalid},
	} {
		err := p.Send(t.Context(), tc.msg, tc.local)
		if _, isBatch := errors.AsType[*oms.BatchError](err); isBatch || oms.CodeOf(err) != tc.want || b.calls > 0 {
			t.Errorf("%s: %v after %d calls, want %s of the one message", name, err, b.calls, tc.want)
		}
	}
	endTx(t, p)
}

func TestInterceptorsOfHalfMessages(t *testing.T) {
	for name, tc := range map[string]struct {
		wrap oms.SendInterceptor
		want oms.Code
		sent string
	}{
		"changes it": {func(next oms.SendFunc) oms.SendFunc {
			return func(ctx context.Context, msgs []*oms.Message, done func(error)) {
				m := msgs[0].Clone()
				m.Body = []byte("changed")
				next(ctx, []*oms.Message{m}, done)
			}
		}, "", "changed"},
		"leaves it out": {func(oms.SendFunc) oms.SendFunc {
			return func(_ context.Context, _ []*oms.Message, done func(error)) { done(nil) }
		}, oms.ErrAborted, ""},
		"makes two of it": {func(next oms.SendFunc) oms.SendFunc {
			return func(ctx context.Context, msgs []*oms.Message, done func(error)) {
				next(ctx, []*oms.Message{msgs[0], msgs[0]}, done)
			}
		}, oms.ErrInvalid, ""},
		"sends it with another context": {func(next oms.SendFunc) oms.SendFunc {
			return func(_ context.Context, msgs []*oms.Message, done func(error)) { next(context.Background(), msgs, done) }
		}, oms.ErrInvalid, ""},
		"fails it": {func(oms.SendFunc) oms.SendFunc {
			return func(_ context.Context, _ []*oms.Message, done func(error)) { done(oms.NewBatchError(1, oms.ErrDenied)) }
		}, oms.ErrDenied, ""},
	} {
		b := newTxBack()
		sent := ""
		b.half = func(ctx context.Context, _ int, m *oms.Message, local func(context.Context) oms.Verdict) error {
			sent = string(m.Body)
			local(ctx)
			return nil
		}
		p := halfProducer(t, b, oms.WithSendInterceptors(tc.wrap))
		if err := p.Send(t.Context(), message("k", "1"), always(oms.Commit)); oms.CodeOf(err) != tc.want || sent != tc.sent {
			t.Errorf("an interceptor that %s: %v, and %q was sent", name, err, sent)
		}
		endTx(t, p)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	for v, want := range map[oms.Verdict]string{oms.Undecided: "undecided", oms.Commit: "commit", oms.Rollback: "rollback"} {
		if v.String() != want {
			t.Errorf("%d is %q, want %q", v, v.String(), want)
		}
	}
}
