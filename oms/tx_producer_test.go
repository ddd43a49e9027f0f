package oms_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func TestTransactionsAreTheDriversAndOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTxBack()
		b.sendAll = func(context.Context, int, []*oms.Message) error {
			time.Sleep(time.Second)
			return nil
		}
		p := txProducer(t, b)
		outcomes := make(chan error)
		for range 5 {
			go func() { outcomes <- p.Send(t.Context(), message("k", "1"), message("k", "2")) }()
		}
		for range 5 {
			if err := <-outcomes; err != nil {
				t.Error(err)
			}
		}
		if b.most != 1 || b.calls != 5 {
			t.Errorf("%d transactions, %d at once, want 5, one at a time", b.calls, b.most)
		}
		if err := p.Send(t.Context()); err != nil || b.calls != 5 {
			t.Errorf("a transaction of nothing = %v after %d calls", err, b.calls)
		}
		endTx(t, p)
	})
}

// endTx closes a producer without haste.
func endTx(t *testing.T, p interface{ Close(context.Context) error }) {
	t.Helper()
	if err := p.Close(context.Background()); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestATransactionThatLeftNothingBehindIsTriedAgain(t *testing.T) {
	batch := func(errs ...error) error {
		be := &oms.BatchError{Failed: make(map[int]error)}
		for i, err := range errs {
			be.Failed[i] = err
		}
		return be
	}
	for name, tc := range map[string]struct {
		err   error
		again bool
	}{
		"unavailable":              {oms.ErrUnavailable, true},
		"full":                     {&oms.Error{Op: "send", Code: oms.ErrFull}, true},
		"one of them for a while":  {batch(oms.ErrBusy, oms.ErrAborted), true},
		"the second for a while":   {batch(oms.ErrAborted, oms.ErrBusy), true},
		"the outcome is not known": {oms.ErrUnknown, false},
		"fenced":                   {oms.ErrFenced, false},
		"one too large":            {batch(oms.ErrBusy, oms.ErrTooLarge), false},
		"one not known":            {batch(oms.ErrBusy, oms.ErrUnknown), false},
		"given up":                 {oms.ErrAborted, false},
		"no code":                  {errors.New("strange"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTxBack()
				b.sendAll = func(_ context.Context, n int, _ []*oms.Message) error {
					if n < 3 {
						return tc.err
					}
					return nil
				}
				p := txProducer(t, b)
				err := p.Send(t.Context(), message("k", "1"), message("k", "2"))
				switch {
				case tc.again && (err != nil || b.calls != 3):
					t.Errorf("Send = %v after %d attempts, want nil after 3", err, b.calls)
				case !tc.again && (oms.CodeOf(err) != oms.CodeOf(tc.err) || b.calls != 1):
					t.Errorf("Send = %v after %d attempts, want %v after one", err, b.calls, tc.err)
				}
				endTx(t, p)
			})
		})
	}
}

func TestTryingAgainEndsWithTheContextAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTxBack()
		b.sendAll = func(context.Context, int, []*oms.Message) error { return oms.ErrFull }
		p := txProducer(t, b)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := p.Send(ctx, message("k", "1"))
		if oms.CodeOf(err) != oms.ErrFull || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v, want the cause and the deadline", err)
		}
		calls := b.calls
		if err := p.Send(ctx, message("k", "1")); !errors.Is(err, context.DeadlineExceeded) || b.calls != calls {
			t.Errorf("Send with a context that is over = %v, and %d more attempts", err, b.calls-calls)
		}
		endTx(t, p)
	})
}

func TestClosingATxProducerWaitsAndThenGivesUp(t *testing.T) {
	for name, patience := range map[string]time.Duration{"it has time": time.Hour, "it has none": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTxBack()
				b.sendAll = func(ctx context.Context, _ int, _ []*oms.Message) error {
					select {
					case <-time.After(time.Minute):
						return nil
					case <-ctx.Done():
						return &oms.Error{Op: "send", Code: oms.ErrUnknown, Err: context.Cause(ctx)}
					}
				}
				p := txProducer(t, b)
				var outcome, second error
				sent := make(chan struct{})
				go func() { outcome = p.Send(t.Context(), message("k", "1")); close(sent) }()
				waiting := make(chan struct{})
				synctest.Wait()
				go func() { second = p.Send(t.Context(), message("k", "2")); close(waiting) }()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := p.Close(ctx); err != nil {
					t.Errorf("Close = %v", err)
				}
				<-sent
				<-waiting
				if patience > time.Minute && (outcome != nil || second != nil) {
					t.Errorf("outcomes = %v, %v, want both stored", outcome, second)
				}
				if patience < time.Minute && (oms.CodeOf(outcome) != oms.ErrUnknown || !errors.Is(outcome, oms.ErrClosed) || !errors.Is(second, oms.ErrAborted)) {
					t.Errorf("outcomes = %v, %v, want unknown as it was closed, and aborted", outcome, second)
				}
				if err := p.Send(t.Context(), message("k", "3")); !errors.Is(err, oms.ErrClosed) {
					t.Errorf("Send after Close = %v", err)
				}
				endTx(t, p)
				if b.closes != 2 {
					t.Errorf("the sender was closed %d times, each Close is handed on", b.closes)
				}
			})
		})
	}
}

func TestClosingATxProducerEndsTryingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTxBack()
		b.sendAll = func(context.Context, int, []*oms.Message) error { return oms.ErrUnavailable }
		p := txProducer(t, b)
		outcome := make(chan error, 1)
		go func() { outcome <- p.Send(context.Background(), message("k", "1")) }()
		synctest.Wait()
		endTx(t, p)
		if err := <-outcome; !errors.Is(err, oms.ErrUnavailable) {
			t.Errorf("Send = %v, want why it was tried again", err)
		}
	})
}

func TestMessagesOfATransactionAreChecked(t *testing.T) {
	b := newTxBack()
	b.caps.MaxBody = 3
	p := txProducer(t, b)
	good, bad := message("k", "1"), message("k", "large")
	err := p.Send(t.Context(), good, bad)
	if oms.CodeOf(oms.FailureOf(err, 1)) != oms.ErrTooLarge || oms.CodeOf(oms.FailureOf(err, 0)) != oms.ErrAborted || b.calls != 0 {
		t.Errorf("Send = %v after %d calls, want too large, aborted and no call", err, b.calls)
	}
	if err := p.Send(t.Context(), good); err != nil || good.ID == "" || good.BornAt.IsZero() {
		t.Errorf("Send = %v, the message has id %q, born %v", err, good.ID, good.BornAt)
	}
	endTx(t, p)
}

func TestAMessageThatFailsATransactionFailsTheOthers(t *testing.T) {
	b := newTxBack()
	b.sendAll = func(context.Context, int, []*oms.Message) error {
		return &oms.BatchError{Failed: map[int]error{1: oms.ErrNotFound}}
	}
	p := txProducer(t, b)
	err := p.Send(t.Context(), message("k", "1"), message("k", "2"), message("k", "3"))
	for i, want := range []oms.Code{oms.ErrAborted, oms.ErrNotFound, oms.ErrAborted} {
		if got := oms.CodeOf(oms.FailureOf(err, i)); got != want {
			t.Errorf("message %d of the transaction: %q, want %q", i, got, want)
		}
	}
	endTx(t, p)
}

func TestInterceptorsSeeATransactionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTxBack()
		var got []string
		b.sendAll = func(_ context.Context, n int, msgs []*oms.Message) error {
			if n == 1 {
				return oms.ErrBusy
			}
			for _, m := range msgs {
				got = append(got, string(m.Body))
			}
			return nil
		}
		seen := 0
		p := txProducer(t, b, oms.WithSendInterceptors(func(next oms.SendFunc) oms.SendFunc {
			return func(ctx context.Context, msgs []*oms.Message, done func(error)) {
				seen += len(msgs)
				changed := msgs[0].Clone()
				changed.Body = []byte("changed")
				go next(ctx, []*oms.Message{changed, msgs[1]}, func(err error) { done(err); done(err) })
			}
		}))
		if err := p.Send(t.Context(), message("k", "1"), message("k", "2")); err != nil {
			t.Fatal(err)
		}
		if seen != 2 || strings.Join(got, " ") != "changed 2" {
			t.Errorf("the interceptor saw %d messages, %q were sent", seen, got)
		}
		endTx(t, p)
	})
}

func TestAnOutcomeThatAnInterceptorKeepsIsUnknown(t *testing.T) {
	p := txProducer(t, newTxBack(), oms.WithSendInterceptors(func(oms.SendFunc) oms.SendFunc {
		return func(context.Context, []*oms.Message, func(error)) {}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Send(ctx, message("k", "1")); !errors.Is(err, oms.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("Send = %v, want unknown, because of the context", err)
	}
	endTx(t, p)
}

func TestTransactionsAreRefusedWhereTheyAreNotToBeHad(t *testing.T) {
	b := newTxBack()
	if _, err := openWith(t, b).NewTxProducer(t.Context(), ""); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("without an id: %v", err)
	}
	b.openErr = oms.ErrUnavailable
	if _, err := openWith(t, b).NewTxProducer(t.Context(), "id"); !errors.Is(err, oms.ErrUnavailable) {
		t.Errorf("where the broker is away: %v", err)
	}
	b.caps = oms.Claim()
	_, err := openWith(t, b).NewTxProducer(t.Context(), "id")
	wantUnsupported(t, err, oms.Transactions)
	_, err = openWith(t, b).NewHalfProducer(t.Context(), "group", rollback)
	wantUnsupported(t, err, oms.HalfMessages)
	if len(b.opened) != 1 {
		t.Errorf("the driver was asked for %q", b.opened)
	}
	plain := newBack()
	plain.caps = oms.Claim(oms.Transactions, oms.HalfMessages)
	_, err = openWith(t, plain).NewTxProducer(t.Context(), "id")
	wantUnsupported(t, err, oms.Transactions)
	_, err = openWith(t, plain).NewHalfProducer(t.Context(), "group", rollback)
	wantUnsupported(t, err, oms.HalfMessages)
}

func wantUnsupported(t *testing.T, err error, c oms.Capability) {
	t.Helper()
	if !errors.Is(err, oms.ErrUnsupported) || !strings.Contains(err.Error(), string(c)) {
		t.Errorf("%v, want unsupported with the name of %s", err, c)
	}
}
