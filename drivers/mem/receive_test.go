package mem_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestReceiveWaitsForAMessage(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 3)
		r := b.reader("t", "g")
		got := make(chan []*oms.Message)
		go func() {
			msgs, _ := r.Receive(b.Context(), 10)
			got <- msgs
		}()
		synctest.Wait()
		b.send(text("t", "x"))
		b.wantBodies(<-got, "x")
	})
}

func TestReceiveReturnsNoMoreThanItsLimit(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 3)...)
		r := b.reader("t", "g")
		first, err := b.poll(r, 2)
		b.noError(err)
		b.wantBodies(first, "0", "1")
		b.wantBodies(b.receive(r), "2")
		_, err = r.Receive(b.Context(), 0)
		b.wantError(err, oms.ErrInvalid)
	})
}

func TestReceiveReturnsTheErrorOfItsContext(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		r, begun := b.reader("t", "g"), time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		msgs, err := r.Receive(ctx, 1)
		b.wantError(err, context.DeadlineExceeded)
		if took := time.Since(begun); len(msgs) > 0 || took != time.Second {
			b.Errorf("%d messages after %v, want none after a second", len(msgs), took)
		}
		b.send(text("t", "x"))
		_, err = r.Receive(ctx, 1) // done before the call
		b.wantError(err, context.DeadlineExceeded)
		b.wantBodies(b.receive(r), "x")
	})
}

func TestClosingAReceiverEndsAReceiveThatWaits(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		r, failed := b.reader("t", "g"), make(chan error)
		go func() {
			_, err := r.Receive(b.Context(), 1)
			failed <- err
		}()
		synctest.Wait()
		b.noError(r.Close(b.Context()))
		b.wantError(<-failed, oms.ErrClosed)
		b.noError(r.Close(b.Context()))
		b.wantError(r.Ack(b.Context(), nil), oms.ErrClosed)
		b.wantError(r.Flush(b.Context()), oms.ErrClosed)
		b.wantError(r.(oms.Pauser).Pause(b.Context(), nil), oms.ErrClosed)
	})
}

func TestEveryPartitionHasItsTurn(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 3)
		for p := range 3 {
			for range 4 {
				b.send(in(p, text("t", fmt.Sprint(p))))
			}
		}
		r := b.reader("t", "g")
		var order []*oms.Message
		for range 6 {
			msgs, err := b.poll(r, 2)
			b.noError(err)
			order = append(order, msgs...)
		}
		b.wantBodies(order, "0", "0", "1", "1", "2", "2", "0", "0", "1", "1", "2", "2")
	})
}

func TestNoMoreIsOutThanMaxUnacked(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(numbered("t", 10)...)
		r := b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", MaxUnacked: 3})
		out := b.receive(r)
		if len(out) != 3 {
			b.Fatalf("%d messages are out, want 3", len(out))
		}
		b.noError(r.Ack(b.Context(), out[:1]))
		more := b.receive(r)
		b.noError(r.(oms.Nacker).Nack(b.Context(), more))
		if again := b.receive(r); len(more) != 1 || len(again) != 1 {
			b.Errorf("%d and %d messages came after one was settled, want one each", len(more), len(again))
		}
	})
}

func TestNoMoreIsOutThanMaxUnackedBytes(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		small, large := text("t", "small"), text("t", string(make([]byte, 1000)))
		b.send(small, small, large, small)
		r := b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", MaxUnackedBytes: 2 * small.Size()})
		first := b.receive(r)
		if len(first) != 2 {
			b.Fatalf("%d messages are out, want 2", len(first))
		}
		b.noError(r.Ack(b.Context(), first[:1]))
		if more := b.receive(r); len(more) != 0 {
			b.Errorf("the large message came while another one was out")
		}
		b.noError(r.Ack(b.Context(), first[1:]))
		alone := b.receive(r)
		if len(alone) != 1 || len(alone[0].Body) != 1000 {
			b.Fatalf("%d messages came, want the large one alone", len(alone))
		}
		b.noError(r.Ack(b.Context(), alone))
		b.wantBodies(b.receive(r), "small")
	})
}

func TestALargeMessageIsNotOvertakenForEver(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		small, large := text("t", "small"), text("t", string(make([]byte, 1000)))
		b.send(in(0, small), in(0, large), in(1, text("t", "other")))
		r := b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", MaxUnackedBytes: 2 * small.Size()})
		first := b.receive(r)
		b.wantBodies(first, "small") // other would fit, and stays behind
		b.noError(r.Ack(b.Context(), first))
		if next := b.receive(r); len(next) != 1 || len(next[0].Body) != 1000 {
			b.Errorf("received %d messages, want the large one alone", len(next))
		}
	})
}

func TestAPausedPartitionIsSilentAndLosesNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(in(0, text("t", "a")), in(1, text("t", "b")))
		r := b.reader("t", "g")
		synctest.Wait()
		p, zero := r.(oms.Pauser), []oms.Partition{{Topic: "t", Number: 0}}
		b.noError(p.Pause(b.Context(), zero))
		b.wantBodies(b.receive(r), "b")
		b.noError(p.Resume(b.Context(), zero))
		b.wantBodies(b.receive(r), "a")
		b.wantError(p.Pause(b.Context(), []oms.Partition{{Topic: "t", Number: 7}}), oms.ErrNotFound)
	})
}

func TestADelayedMessageIsNotDeliveredBefore(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		r, begun := b.reader("t", "g"), time.Now()
		late, later := text("t", "late"), text("t", "later")
		late.Delay, later.Delay = time.Minute, time.Hour
		b.send(later, late, text("t", "now"))
		b.wantLag("g", "t", 3)
		for _, want := range []struct {
			body string
			at   time.Duration
		}{{"now", 0}, {"late", time.Minute}, {"later", time.Hour}} {
			msgs, err := r.Receive(b.Context(), 10)
			b.noError(err)
			b.wantBodies(msgs, want.body)
			if at := time.Since(begun); at != want.at {
				b.Errorf("%s came after %v, want %v", want.body, at, want.at)
			}
			if msgs[0].Delay != 0 {
				b.Errorf("%s would be delayed once more if it were sent on", want.body)
			}
		}
	})
}

func TestMessagesDueAtOneTimeKeepTheirOrder(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		msgs := numbered("t", 5)
		for _, m := range msgs {
			m.Delay = time.Second
		}
		b.send(msgs...)
		r := b.reader("t", "g")
		time.Sleep(time.Second)
		b.send(text("t", "5"))
		b.wantBodies(b.receive(r), "0", "1", "2", "3", "4", "5")
	})
}

func TestAnExpiredMessageIsLeftToTheFront(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		m := text("t", "x")
		m.ExpiresAt = time.Now().Add(-time.Hour)
		b.send(m)
		got := b.receive(b.reader("t", "g"))
		b.wantBodies(got, "x")
		if !got[0].Expired(time.Now()) {
			b.Error("its expiry was lost")
		}
	})
}

func TestAReceivedMessageCanBeSentOn(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.topic("u", 1)
		b.send(keyed("t", "k", "x"))
		m := b.receive(b.reader("t", "g"))[0]
		m.Topic = "u"
		b.send(m)
		again := b.receive(b.reader("u", "g"))[0]
		if string(again.Key) != "k" || string(again.Body) != "x" || again.Deliveries != 1 || again.Topic != "u" {
			b.Errorf("sent on it became %+v", again)
		}
	})
}
