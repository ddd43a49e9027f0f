package mem_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// An oracle answers checks as a test says, and counts them.
type oracle struct {
	mu     sync.Mutex
	says   oms.Verdict
	asked  []*oms.Message
	during func(context.Context) // when set, called meanwhile
}

func (o *oracle) check(ctx context.Context, m *oms.Message) oms.Verdict {
	o.mu.Lock()
	says, during := o.says, o.during
	o.asked = append(o.asked, m)
	o.mu.Unlock()
	if during != nil {
		during(ctx)
	}
	return says
}

func (o *oracle) say(v oms.Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.says = v
}

// wantAsked fails unless there were so many checks since the last time, and
// returns what they were about.
func (b *bench) wantAsked(o *oracle, n int) []*oms.Message {
	b.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.asked
	o.asked = nil
	if len(asked) != n {
		b.Errorf("there were %d checks, want %d", len(asked), n)
	}
	return asked
}

func (b *bench) half(conn oms.Conn, group string, o *oracle) oms.HalfSender {
	b.Helper()
	s, err := conn.(oms.HalfOpener).OpenHalf(b.Context(), group, o.check)
	b.noError(err)
	return s
}

func saying(v oms.Verdict) func(context.Context) oms.Verdict {
	return func(context.Context) oms.Verdict { return v }
}

func TestAHalfMessageTakesItsPlaceWhenItIsCommitted(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		o := new(oracle)
		s := b.half(b.conn, "g", o)
		b.noError(s.Send(b.Context(), text("t", "half"), func(context.Context) oms.Verdict {
			b.send(text("t", "meanwhile"))
			return oms.Commit
		}))
		b.noError(s.Send(b.Context(), text("t", "dropped"), saying(oms.Rollback)))
		time.Sleep(time.Minute)
		r := b.reader("t", "readers")
		b.wantBodies(b.receive(r), "meanwhile", "half")
		b.wantAsked(o, 0)
		b.noError(r.Close(b.Context()))
		b.noError(s.Close(b.Context()))
	})
}

func TestAnUndecidedMessageIsAskedAboutUntilItIsDecided(t *testing.T) {
	for says, want := range map[oms.Verdict][]string{oms.Commit: {"half"}, oms.Rollback: nil} {
		bubble(t, mem.Options{CheckAfter: time.Minute}, func(b *bench) {
			b.topic("t", 1)
			o := new(oracle)
			s := b.half(b.conn, "g", o)
			m := keyed("t", "k", "half")
			m.ID = "id"
			b.noError(s.Send(b.Context(), m, saying(oms.Undecided)))
			time.Sleep(59 * time.Second)
			b.wantAsked(o, 0)
			time.Sleep(9*time.Minute + 2*time.Second)
			b.wantAsked(o, 10)
			o.say(says)
			time.Sleep(time.Minute)
			if got := b.wantAsked(o, 1)[0]; got.ID != "id" || got.Topic != "t" || string(got.Key) != "k" || string(got.Body) != "half" || got.Receipt != nil {
				b.Errorf("check was asked about %+v", got)
			}
			time.Sleep(time.Hour)
			b.wantAsked(o, 0)
			r := b.reader("t", "readers")
			b.wantBodies(b.receive(r), want...)
			b.noError(r.Close(b.Context()))
			b.noError(s.Close(b.Context()))
		})
	}
}

func TestAVerdictThatComesSecondChangesNothing(t *testing.T) {
	bubble(t, mem.Options{CheckAfter: time.Second}, func(b *bench) {
		b.topic("t", 1)
		o := &oracle{says: oms.Commit}
		s := b.half(b.conn, "g", o)
		b.noError(s.Send(b.Context(), text("t", "half"), func(context.Context) oms.Verdict {
			time.Sleep(time.Minute) // so that the broker asks meanwhile
			return oms.Rollback
		}))
		r := b.reader("t", "readers")
		b.wantBodies(b.receive(r), "half")
		b.noError(r.Close(b.Context()))
		b.noError(s.Close(b.Context()))
	})
}

func TestAnybodyOfTheGroupIsAskedAndNobodyElse(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		gone, heir, stranger := new(oracle), &oracle{says: oms.Commit}, &oracle{says: oms.Rollback}
		first := b.half(b.dial(), "g", gone)
		other := b.half(b.conn, "h", stranger)
		b.noError(first.Send(b.Context(), text("t", "half"), saying(oms.Undecided)))
		b.noError(first.Close(b.Context()))
		time.Sleep(time.Hour)
		second := b.half(b.conn, "g", heir)
		b.wantAsked(heir, 1)
		b.wantAsked(gone, 0)
		b.wantAsked(stranger, 0)
		r := b.reader("t", "readers")
		b.wantBodies(b.receive(r), "half")
		for _, s := range []interface{ Close(context.Context) error }{r, second, other, second} {
			b.noError(s.Close(b.Context()))
		}
	})
}

func TestClosingWaitsForACheckAndItsVerdictDoesNotCount(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		o := &oracle{says: oms.Rollback, during: func(ctx context.Context) { <-ctx.Done() }}
		s := b.half(b.conn, "g", o)
		b.noError(s.Send(b.Context(), text("t", "half"), saying(oms.Undecided)))
		time.Sleep(time.Minute)
		b.noError(s.Close(b.Context()))
		b.wantAsked(o, 1)
		heir := &oracle{says: oms.Commit}
		second := b.half(b.conn, "g", heir)
		time.Sleep(time.Minute)
		b.wantAsked(heir, 1)
		b.noError(second.Close(b.Context()))
	})
}

func TestAVerdictThatTheBrokerDoesNotGetIsAskedForLater(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		o := &oracle{says: oms.Commit}
		s := b.half(b.conn, "g", o)
		b.noError(s.Send(b.Context(), text("t", "half"), func(context.Context) oms.Verdict {
			b.driver.SetDown(oms.ErrUnavailable)
			return oms.Commit
		}))
		time.Sleep(time.Hour)
		b.wantAsked(o, 0) // a broker that is away asks nobody
		b.driver.SetDown(nil)
		time.Sleep(time.Minute)
		b.wantAsked(o, 1)
		r := b.reader("t", "readers")
		b.wantBodies(b.receive(r), "half")
		b.noError(r.Close(b.Context()))
		b.noError(s.Close(b.Context()))
	})
}

func TestLocalIsCalledForWhatIsStoredOnly(t *testing.T) {
	for name, tc := range map[string]struct {
		msg    *oms.Message
		hook   error
		cut    bool
		want   oms.Code
		stored bool // so that check decides
	}{
		"a missing topic":    {text("missing", "half"), nil, false, oms.ErrNotFound, false},
		"too large":          {text("t", "much larger than allowed"), nil, false, oms.ErrTooLarge, false},
		"the test refuses":   {text("t", "half"), oms.ErrFull, false, oms.ErrFull, false},
		"the test is unsure": {text("t", "half"), oms.ErrUnknown, false, oms.ErrUnknown, true},
		"no confirmation":    {text("t", "half"), nil, true, oms.ErrUnknown, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := mem.Options{MaxBody: 10, ConfirmAfter: time.Millisecond, OnSend: func(*oms.Message) error { return tc.hook }}
			bubble(t, o, func(b *bench) {
				b.topic("t", 1)
				said := &oracle{says: oms.Rollback}
				s := b.half(b.conn, "g", said)
				outcome := make(chan error, 1)
				go func() {
					outcome <- s.Send(b.Context(), tc.msg, func(context.Context) oms.Verdict {
						b.Error("local was called")
						return oms.Commit
					})
				}()
				synctest.Wait()
				if tc.cut {
					b.driver.SetDown(oms.ErrUnavailable)
					b.driver.SetDown(nil)
				}
				if err := <-outcome; !errors.Is(err, tc.want) {
					b.Errorf("Send = %v, want %v", err, tc.want)
				}
				time.Sleep(time.Minute)
				if tc.stored {
					b.wantAsked(said, 1)
				} else {
					b.wantAsked(said, 0)
				}
				b.wantLag("readers", "t", 0)
				b.noError(s.Close(b.Context()))
			})
		})
	}
}

func TestHalfMessagesNeedTheBroker(t *testing.T) {
	bubble(t, mem.Options{DurableAfter: time.Second}, func(b *bench) {
		b.topic("t", 1)
		o := &oracle{says: oms.Commit}
		s := b.half(b.conn, "g", o)
		b.noError(s.Send(b.Context(), text("t", "half"), saying(oms.Undecided)))
		b.driver.PowerCut() // and what was stored just now is gone
		time.Sleep(time.Minute)
		b.wantAsked(o, 0)
		b.driver.SetDown(oms.ErrDenied)
		b.wantError(s.Send(b.Context(), text("t", "half"), saying(oms.Commit)), oms.ErrDenied)
		_, err := b.conn.(oms.HalfOpener).OpenHalf(b.Context(), "g", o.check)
		b.wantError(err, oms.ErrDenied)
		b.driver.SetDown(nil)
		b.noError(b.conn.Close(b.Context())) // closes what is left open
		b.wantError(s.Send(b.Context(), text("t", "half"), saying(oms.Commit)), oms.ErrClosed)
	})
}
