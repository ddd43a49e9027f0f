package mem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func (b *bench) tx(conn oms.Conn, id string) oms.TxSender {
	b.Helper()
	s, err := conn.(oms.TxOpener).OpenTx(b.Context(), id)
	b.noError(err)
	return s
}

func TestATransactionIsStoredAtOnce(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second}, func(b *bench) {
		b.topic("one", 1)
		b.topic("two", 2)
		r := b.receiver(oms.ReceiverConfig{Topics: []string{"one", "two"}, Group: "g"})
		s := b.tx(b.conn, "id")
		outcome := make(chan error, 1)
		go func() {
			outcome <- s.SendAll(b.Context(), []*oms.Message{text("one", "1"), in(1, text("two", "2")), text("one", "3")})
		}()
		synctest.Wait()
		if msgs := b.receive(r); len(msgs) != 3 {
			b.Errorf("%d messages are there, want all of the transaction", len(msgs))
		}
		if len(outcome) > 0 {
			b.Error("the transaction is confirmed before its time")
		}
		b.noError(<-outcome)
		b.noError(r.Close(b.Context()))
		b.noError(s.Close(b.Context()))
	})
}

func TestOneMessageDecidesForItsTransaction(t *testing.T) {
	for name, tc := range map[string]struct {
		bad    *oms.Message
		hook   error
		want   oms.Code
		stored bool
	}{
		"a missing topic":     {text("missing", "bad"), nil, oms.ErrNotFound, false},
		"a reserved topic":    {text("$SYS", "bad"), nil, oms.ErrInvalid, false},
		"no such partition":   {in(7, text("t", "bad")), nil, oms.ErrInvalid, false},
		"too large":           {text("t", "much larger than allowed"), nil, oms.ErrTooLarge, false},
		"the test says so":    {text("t", "bad"), oms.ErrFull, oms.ErrFull, false},
		"the test is unsure":  {text("t", "bad"), oms.ErrUnknown, oms.ErrUnknown, true},
		"an error of no code": {text("t", "bad"), errors.New("strange"), oms.ErrUnavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := mem.Options{MaxBody: 10, OnSend: func(m *oms.Message) error {
				if string(m.Body) == "bad" {
					return tc.hook
				}
				return nil
			}}
			bubble(t, o, func(b *bench) {
				b.topic("t", 1)
				s := b.tx(b.conn, "id")
				err := s.SendAll(b.Context(), []*oms.Message{text("t", "1"), tc.bad, text("t", "3")})
				if !errors.Is(err, tc.want) {
					b.Errorf("SendAll = %v, want %v", err, tc.want)
				}
				if batch, ok := errors.AsType[*oms.BatchError](err); ok && (len(batch.Failed) != 1 || batch.Failed[1] == nil) {
					b.Errorf("the error names %v, want message 1 alone", batch.Indices())
				}
				r := b.reader("t", "g")
				if got := len(b.receive(r)); (got > 0) != tc.stored {
					b.Errorf("%d messages are stored, want any: %v", got, tc.stored)
				}
				b.noError(r.Close(b.Context()))
				b.noError(s.Close(b.Context()))
			})
		})
	}
}

func TestALaterOwnerFencesTheEarlier(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		first, beside, second := b.tx(b.conn, "id"), b.tx(b.conn, "other"), b.tx(b.dial(), "id")
		for range 2 {
			b.wantError(first.SendAll(b.Context(), numbered("t", 1)), oms.ErrFenced)
		}
		b.noError(beside.SendAll(b.Context(), []*oms.Message{text("t", "beside")}))
		b.noError(first.Close(b.Context()))
		b.noError(second.SendAll(b.Context(), []*oms.Message{text("t", "second")}))
		r := b.reader("t", "g")
		b.wantBodies(b.receive(r), "beside", "second")
		b.noError(r.Close(b.Context()))
	})
}

func TestTheOutcomeOfATransactionIsUnknownWithoutItsConfirmation(t *testing.T) {
	for name, interrupt := range map[string]func(b *bench, cancel func()){
		"the connection is lost": func(b *bench, _ func()) { b.driver.SetDown(oms.ErrUnavailable) },
		"the caller gives up":    func(_ *bench, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, mem.Options{ConfirmAfter: time.Minute}, func(b *bench) {
				b.topic("t", 1)
				s := b.tx(b.conn, "id")
				ctx, cancel := context.WithCancel(b.Context())
				outcome := make(chan error, 1)
				go func() { outcome <- s.SendAll(ctx, numbered("t", 2)) }()
				synctest.Wait()
				interrupt(b, cancel)
				b.wantError(<-outcome, oms.ErrUnknown)
				cancel()
				b.driver.SetDown(nil)
				b.wantError(s.SendAll(ctx, numbered("t", 2)), oms.ErrAborted)
				b.noError(s.SendAll(b.Context(), numbered("t", 2)))
			})
		})
	}
}

func TestTransactionsNeedTheBroker(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		s := b.tx(b.conn, "id")
		b.driver.SetDown(oms.ErrDenied)
		b.wantError(s.SendAll(b.Context(), numbered("t", 1)), oms.ErrDenied)
		_, err := b.conn.(oms.TxOpener).OpenTx(b.Context(), "id")
		b.wantError(err, oms.ErrDenied)
		b.driver.SetDown(nil)
		b.noError(s.Close(b.Context()))
		b.noError(s.Close(b.Context()))
		b.wantError(s.SendAll(b.Context(), numbered("t", 1)), oms.ErrClosed)
		b.noError(b.conn.Close(b.Context()))
		_, err = b.conn.(oms.TxOpener).OpenTx(b.Context(), "id")
		b.wantError(err, oms.ErrClosed)
	})
}

func TestAPowerCutTakesATransactionAsAWhole(t *testing.T) {
	bubble(t, mem.Options{DurableAfter: time.Second}, func(b *bench) {
		b.topic("t", 3)
		s := b.tx(b.conn, "id")
		b.noError(s.SendAll(b.Context(), []*oms.Message{in(0, text("t", "kept")), in(2, text("t", "kept"))}))
		time.Sleep(2 * time.Second)
		b.noError(s.SendAll(b.Context(), []*oms.Message{in(0, text("t", "lost")), in(1, text("t", "lost"))}))
		b.driver.PowerCut()
		r := b.reader("t", "g")
		b.wantBodies(b.receive(r), "kept", "kept")
		b.noError(r.Close(b.Context()))
	})
}

func TestWhatATestDoesWithoutIsNotClaimed(t *testing.T) {
	d := mem.New(mem.Options{Unclaimed: []oms.Capability{oms.Transactions, oms.HalfMessages}})
	var r oms.Registry
	r.Register("mem", d)
	c, err := r.Open(t.Context(), "mem")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewTxProducer(t.Context(), "id"); !errors.Is(err, oms.ErrUnsupported) {
		t.Errorf("transactions: %v", err)
	}
	check := func(context.Context, *oms.Message) oms.Verdict { return oms.Rollback }
	if _, err := c.NewHalfProducer(t.Context(), "g", check); !errors.Is(err, oms.ErrUnsupported) {
		t.Errorf("half messages: %v", err)
	}
	if caps := mem.New().Capabilities(oms.AccessPoint{}); !caps.Has(oms.Transactions) || !caps.Has(oms.HalfMessages) {
		t.Error("they are not claimed, though nobody does without them")
	}
}
