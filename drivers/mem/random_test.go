package mem_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// TestWhateverHappensNothingIsLostOrOvertaken lets one group live through a
// random history and holds it to what a model remembers: every message that
// was sent is delivered, the first deliveries of a key are in the order sent,
// and nothing comes again after the position has passed it.
func TestWhateverHappensNothingIsLostOrOvertaken(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, mem.Options{ConfirmAfter: time.Millisecond, RevokeTimeout: time.Second}, func(b *bench) {
				h := &history{bench: b, rand: rand.New(rand.NewPCG(seed, 0)), first: make(map[string]int), acked: make(map[string]bool)}
				b.topic("t", 1+h.rand.IntN(4))
				h.sender = b.sender(oms.SenderConfig{})
				for range 400 {
					h.step()
				}
				h.drain()
			})
		})
	}
}

type history struct {
	*bench

	rand    *rand.Rand
	sender  oms.Sender
	members []oms.Receiver
	held    [][]*oms.Message // by member
	sent    int
	first   map[string]int // by key: the last message that was delivered for the first time
	seen    int
	acked   map[string]bool // since the last session began, by body
}

func (h *history) step() {
	i := 0
	if len(h.members) > 0 {
		i = h.rand.IntN(len(h.members))
	}
	switch n := h.rand.IntN(100); {
	case n < 30:
		h.send()
	case n < 35 && len(h.members) < 4:
		h.members = append(h.members, h.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g", MaxUnacked: 1 + h.rand.IntN(20),
		}))
		h.held = append(h.held, nil)
		synctest.Wait()
		clear(h.acked)
	case len(h.members) == 0:
	case n < 38:
		h.noError(h.members[i].Close(h.Context()))
		h.members = append(h.members[:i], h.members[i+1:]...)
		h.held = append(h.held[:i], h.held[i+1:]...)
		synctest.Wait()
		clear(h.acked)
	case n < 40:
		h.driver.SetDown(oms.ErrUnavailable)
		synctest.Wait()
		h.driver.SetDown(nil)
		synctest.Wait()
		clear(h.acked)
	case n < 65:
		h.receiveSome(i)
	case n < 90:
		h.settle(i, h.members[i].Ack, true)
	default:
		h.settle(i, h.members[i].(oms.Nacker).Nack, false)
	}
}

func (h *history) send() {
	key := fmt.Sprint("key-", h.rand.IntN(5))
	h.noError(outcome(h.sender, keyed("t", key, fmt.Sprint(h.sent))))
	synctest.Wait()
	h.sent++
}

func (h *history) receiveSome(i int) {
	msgs, _ := h.poll(h.members[i], 1+h.rand.IntN(5))
	for _, m := range msgs {
		h.deliver(m)
	}
	h.held[i] = append(h.held[i], msgs...)
}

func (h *history) deliver(m *oms.Message) {
	var number int
	fmt.Sscan(string(m.Body), &number)
	if h.acked[string(m.Body)] {
		h.Errorf("message %d came again after its member had acknowledged it", number)
	}
	last, before := h.first[string(m.Key)]
	if !before || number > last {
		h.first[string(m.Key)] = number
		h.seen++
	} else if m.Deliveries == 1 {
		h.Errorf("message %d of %s was first delivered after %d", number, m.Key, last)
	}
}

// settle settles a few of what a member holds. A delivery may be stale; then
// the message comes again.
func (h *history) settle(i int, how func(context.Context, []*oms.Message) error, ack bool) {
	for range min(len(h.held[i]), 3) {
		n := h.rand.IntN(len(h.held[i]))
		m := h.held[i][n]
		h.held[i] = append(h.held[i][:n:n], h.held[i][n+1:]...)
		if err := how(h.Context(), []*oms.Message{m}); err != nil {
			h.wantError(err, oms.ErrStaleDelivery)
		} else if ack {
			h.acked[string(m.Body)] = true
		}
	}
}

// drain has one member read to the end.
func (h *history) drain() {
	for _, m := range h.members {
		h.noError(m.Close(h.Context()))
	}
	clear(h.acked)
	r := h.reader("t", "g")
	for {
		msgs, err := h.poll(r, 100)
		if err != nil {
			break
		}
		for _, m := range msgs {
			h.deliver(m)
		}
		h.noError(r.Ack(h.Context(), msgs))
	}
	h.wantLag("g", "t", 0)
	if h.seen != h.sent {
		h.Errorf("%d of %d messages were delivered", h.seen, h.sent)
	}
}
