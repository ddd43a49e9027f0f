package mem_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestWhatWasAcknowledgedDoesNotComeAgain(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 4)...)
		r := b.reader("t", "g")
		msgs := b.receive(r)
		b.noError(r.Ack(b.Context(), msgs[:2]))
		b.noError(r.Flush(b.Context()))
		b.noError(r.Close(b.Context()))
		b.wantBodies(b.receive(b.reader("t", "g")), "2", "3")
	})
}

func TestAPositionDoesNotPassAHole(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 5)...)
		r := b.reader("t", "g")
		msgs := b.receive(r)
		b.noError(r.Ack(b.Context(), []*oms.Message{msgs[4], msgs[2], msgs[0]}))
		b.wantLag("g", "t", 2)
		b.noError(r.Close(b.Context()))
		b.wantLag("g", "t", 4) // the next member begins at the first hole
		again := b.receive(b.reader("t", "g"))
		b.wantBodies(again, "1", "2", "3", "4")
		for _, m := range again {
			if m.Deliveries != 2 { // also those that were acknowledged behind the hole
				b.Errorf("message %s says it is delivery %d, want 2", m.Body, m.Deliveries)
			}
		}
	})
}

func TestAcknowledgingTwiceIsNoError(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		r := b.reader("t", "g")
		msgs := b.receive(r)
		b.noError(r.Ack(b.Context(), msgs))
		b.noError(r.Ack(b.Context(), msgs))
		b.noError(r.(oms.Nacker).Nack(b.Context(), msgs))
		b.wantBodies(b.receive(r))
	})
}

func TestDeliveriesAreCounted(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		r := b.reader("t", "g")
		for want := 1; want <= 3; want++ {
			msgs := b.receive(r)
			if msgs[0].Deliveries != want {
				b.Errorf("delivery %d says it is number %d", want, msgs[0].Deliveries)
			}
			b.noError(r.(oms.Nacker).Nack(b.Context(), msgs))
		}
		b.noError(r.Close(b.Context()))
		if m := b.receive(b.reader("t", "g"))[0]; m.Deliveries != 4 {
			b.Errorf("with the next member it says number %d, want 4", m.Deliveries)
		}
	})
}

func TestWhatIsGivenBackComesAgainInOrder(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 4)...)
		r := b.reader("t", "g")
		out, err := b.poll(r, 3)
		b.noError(err)
		slices.Reverse(out)
		b.noError(r.(oms.Nacker).Nack(b.Context(), out))
		b.wantBodies(b.receive(r), "0", "1", "2", "3")
	})
}

func TestWhatIsGivenBackWaitsForAnEarlierOneOfItsKey(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(keyed("t", "k", "0"), keyed("t", "k", "1"), keyed("t", "other", "2"))
		r := b.reader("t", "g")
		out := b.receive(r)
		b.noError(r.(oms.Nacker).Nack(b.Context(), out[1:2]))
		b.send(keyed("t", "k", "3"))
		b.wantBodies(b.receive(r)) // 0 is still out
		b.noError(r.(oms.Nacker).Nack(b.Context(), out[:1]))
		b.wantBodies(b.receive(r), "0") // and now it is again
	})
}

func TestAGivenBackDeliveryCannotBeAcknowledged(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		r := b.reader("t", "g")
		first := b.receive(r)
		b.noError(r.(oms.Nacker).Nack(b.Context(), first))
		b.wantError(r.Ack(b.Context(), first), oms.ErrStaleDelivery)
		second := b.receive(r)
		b.wantError(r.Ack(b.Context(), first), oms.ErrStaleDelivery)
		b.wantError(r.(oms.Nacker).Nack(b.Context(), first), oms.ErrStaleDelivery)
		b.wantLag("g", "t", 1)
		b.noError(r.Ack(b.Context(), second))
		b.wantLag("g", "t", 0)
	})
}

func TestAStaleDeliveryDoesNotStandInTheWayOfOthers(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 2)...)
		r := b.reader("t", "g")
		msgs := b.receive(r)
		b.noError(r.(oms.Nacker).Nack(b.Context(), msgs[:1]))
		b.wantError(r.Ack(b.Context(), msgs), oms.ErrStaleDelivery)
		b.wantLag("g", "t", 1)
	})
}

func TestSomebodyElsesDeliveryIsRefused(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		one, two := b.reader("t", "one"), b.reader("t", "two")
		msgs := b.receive(one)
		b.wantError(two.Ack(b.Context(), msgs), oms.ErrStaleDelivery)
		b.wantError(one.Ack(b.Context(), []*oms.Message{text("t", "never received")}), oms.ErrInvalid)
		b.wantLag("one", "t", 1)
		b.wantLag("two", "t", 1)
	})
}

func TestATenthGivenBackLosesNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		const n = 500
		b.topic("t", 3)
		for i := range n {
			b.send(keyed("t", fmt.Sprint("key-", i%7), fmt.Sprint(i)))
		}
		r := b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", MaxUnacked: 20})
		seen, last := 0, make(map[string]int64)
		for seen < n {
			msgs, err := b.poll(r, 10)
			b.noError(err)
			for i, m := range msgs {
				if i%10 == 3 && m.Deliveries == 1 {
					b.noError(r.(oms.Nacker).Nack(b.Context(), msgs[i:])) // and what is behind it
					break
				}
				if before, ok := last[string(m.Key)]; ok && m.Offset <= before {
					b.Errorf("key %s: %d came after %d", m.Key, m.Offset, before)
				}
				last[string(m.Key)] = m.Offset
				b.noError(r.Ack(b.Context(), msgs[i:i+1]))
				seen++
			}
		}
		b.wantLag("g", "t", 0)
	})
}

func TestAFailedAcknowledgementIsNotNoted(t *testing.T) {
	broken := errors.New("broken")
	o := mem.Options{OnAck: func(m *oms.Message) error {
		if string(m.Body) == "1" {
			return broken
		}
		return nil
	}}
	bubble(t, o, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 3)...)
		r := b.reader("t", "g")
		err := r.Ack(b.Context(), b.receive(r))
		if !errors.Is(err, broken) || oms.CodeOf(err) != oms.ErrUnavailable {
			b.Errorf("error is %v, want the hook's", err)
		}
		b.wantLag("g", "t", 1)
	})
}

func TestAReconnectMakesDeliveriesStale(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 2)...)
		r := b.reader("t", "g")
		msgs := b.receive(r)
		b.noError(r.Ack(b.Context(), msgs[:1]))
		b.driver.SetDown(oms.ErrUnavailable)
		b.driver.SetDown(nil)
		synctest.Wait()
		b.wantError(r.Ack(b.Context(), msgs), oms.ErrStaleDelivery)
		b.wantError(r.(oms.Nacker).Nack(b.Context(), msgs), oms.ErrStaleDelivery)
		b.wantBodies(b.receive(r), "1")
	})
}
