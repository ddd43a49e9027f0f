package rabbitmq

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// reader returns a receiver that has one stream, read from offset 0 on, and no
// broker.
func reader(t *testing.T, bound, prefetch int) (*streamReceiver, *shelf) {
	t.Helper()
	o, err := readPoint(t, "oms:rabbitmq://127.0.0.1:1/?queue.type=stream")
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(o)
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	sh := &shelf{part: oms.Partition{Topic: "t"}, opened: time.Now()}
	sh.feed = &feed{prefetch: prefetch, done: make(chan struct{}), low: 1, settled: make(map[uint64]bool)}
	r := &streamReceiver{
		conn: c, ctx: t.Context(), scale: newScale(), work: make(chan struct{}, 1), data: make(chan struct{}, 1),
		shelves: map[oms.Partition]*shelf{sh.part: sh},
		cfg:     oms.ReceiverConfig{MaxUnacked: 1000, MaxUnackedBytes: bound},
	}
	return r, sh
}

// bring has the stream's present consumer deliver messages of some size, from
// the next offset on, and returns how many are kept, and how often another
// prefetch would fit better.
func bring(r *streamReceiver, sh *shelf, n, size int) (kept, misfits int) {
	offset := sh.next
	for range n {
		before := len(sh.items)
		if r.keep(sh, &item{msg: &oms.Message{}, offset: offset, size: size, feed: sh.feed}) {
			misfits++
		}
		kept += len(sh.items) - before
		offset++
	}
	return kept, misfits
}

// settleAll is done with everything.
func settleAll(sh *shelf) {
	for _, i := range takeAll(sh) {
		sh.settle(i)
	}
}

func TestAStreamsPrefetchFollowsTheSizeOfMessagesBothWays(t *testing.T) {
	t.Parallel()
	const large = 300 << 10
	r, sh := reader(t, 1<<20, smallPrefetch)
	kept, misfits := bring(r, sh, 10, large)
	same(t, "how many large ones are kept: those that have room, and one", kept, 4)
	same(t, "how often it did not fit", misfits, 1)
	same(t, "what a message is taken to have", r.scale.typical, 1<<20/3)
	same(t, "where the next consumer begins", sh.next, int64(4))
	if !r.misfit || !sh.full {
		t.Error("no other consumer takes over")
	}

	// The next one, with a prefetch that fits.
	sh.feed = &feed{prefetch: 3}
	sh.full, r.misfit = false, false
	kept, misfits = bring(r, sh, 2, large)
	same(t, "how many of those behind are kept, over what is in hand", kept, 2)
	same(t, "how often that did not fit", misfits, 0)
	settleAll(sh)

	// Small ones again.
	kept, misfits = bring(r, sh, 3*sampled, 100)
	same(t, "how many small ones are kept", kept, 3*sampled)
	same(t, "how often another prefetch would have been better", misfits, 1)
	same(t, "what a message is taken to have in the end", r.scale.typical, typicalSize)
	if !r.misfit || sh.full {
		t.Error("no other consumer takes over, or something was dropped")
	}
}

const smallPrefetch = 32 // of a bound of 1 MiB, while messages are small

// A bound that is passed by many small messages is not the fault of the last.
func TestAStreamsPrefetchIsThatOfTheLargest(t *testing.T) {
	t.Parallel()
	r, sh := reader(t, 1<<20, smallPrefetch)
	kept, misfits := bring(r, sh, 20, 100)
	same(t, "small ones", [2]int{kept, misfits}, [2]int{20, 0})
	kept, misfits = bring(r, sh, 3, 700<<10)
	same(t, "large ones behind them", [2]int{kept, misfits}, [2]int{2, 1})
	same(t, "what a message is taken to have", r.scale.typical, 1<<20)

	// With a prefetch of one there is none that would be smaller.
	sh.feed, sh.full, r.misfit = &feed{prefetch: 1}, false, false
	kept, misfits = bring(r, sh, 1, 5<<20)
	same(t, "one that is larger than the bound", [2]int{kept, misfits}, [2]int{1, 0})
	same(t, "what is kept of an empty message", func() int { k, _ := bring(r, sh, 1, 0); return k }(), 1)
}

// What a former consumer brings, what has been there, and what comes to a
// partition that has gone, is nobody's.
func TestAShelfTakesFromItsConsumerOnly(t *testing.T) {
	t.Parallel()
	r, sh := reader(t, 1<<20, smallPrefetch)
	former := sh.feed
	bring(r, sh, 3, 10)
	sh.feed = &feed{prefetch: smallPrefetch}
	for what, i := range map[string]*item{
		"of a former consumer": {offset: 3, feed: former},
		"that was there":       {offset: 2, feed: sh.feed},
	} {
		r.keep(sh, i)
		same(t, "offsets with one "+what, offsets(sh.items), []int64{0, 1, 2})
	}
	sh.closed = true
	r.keep(sh, &item{offset: 3, feed: sh.feed})
	same(t, "offsets with one of a partition that has gone", offsets(sh.items), []int64{0, 1, 2})
}

// deliver has a consumer's goroutine bring messages at offsets, and end.
func deliver(r *streamReceiver, sh *shelf, at ...int64) {
	in := make(chan amqp.Delivery, len(at))
	for i, offset := range at {
		in <- amqp.Delivery{DeliveryTag: uint64(i + 1), Body: []byte("x"), Headers: amqp.Table{offsetHeader: offset}}
	}
	close(in)
	f := sh.feed
	r.fill(sh, f, in)
	<-f.done
}

func TestOneOffsetMayBeTheBrokersOwn(t *testing.T) {
	t.Parallel()
	r, sh := reader(t, 1<<20, smallPrefetch)
	r.cfg.OnGap = func(g oms.Gap) { t.Errorf("there is a gap, %v", g) }
	deliver(r, sh, 0, 1, 3, 5, 6)
	same(t, "the offsets", offsets(sh.items), []int64{0, 1, 3, 5, 6})
	if !sh.ended {
		t.Error("the end of the consumer is not known")
	}
}

// Whether messages are missing in front of one is not known without the broker:
// it is not handed out then, and a new consumer finds out.
func TestWhatMayBeBehindAGapIsNotHandedOutUnasked(t *testing.T) {
	t.Parallel()
	r, sh := reader(t, 1<<20, smallPrefetch)
	r.cfg.OnGap = func(g oms.Gap) { t.Errorf("there is a gap, %v, and nobody knows", g) }
	deliver(r, sh, 0, 1, 50, 51)
	same(t, "the offsets", offsets(sh.items), []int64{0, 1})
	same(t, "where the next consumer begins", sh.next, int64(2))
	if !sh.ended || !sh.full || len(r.work) == 0 {
		t.Error("no other consumer takes over")
	}
}

// Acknowledgements of a former consumer's messages are none of the present
// one's, and on a channel that has ended nothing is said.
func TestAConsumerThatHasEndedIsToldNothing(t *testing.T) {
	t.Parallel()
	f := &feed{low: 1, settled: make(map[uint64]bool), closed: true} // without a channel
	f.ack([]uint64{1, 2})
	same(t, "what it remembers", len(f.settled), 0)
}
