package connect_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
)

func TestInvariant8KilledGatewayLosesNothingAndRepeatsLittle(t *testing.T) {
	seeds(t, 25, func(w *world, r *rand.Rand) {
		ms := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Millisecond }
		w.broker.Partitions = 1 + r.IntN(3)
		w.broker.ConfirmAfter, w.broker.DurableAfter = ms(300), ms(300)
		w.sink.flush = r.IntN(2) == 0
		const last, every = 600, 20
		batch, window := 1+r.IntN(20), 20+r.IntN(200)
		w.start()
		w.create("in", "test-source", fmt.Sprintf("last=%d", last), fmt.Sprintf("every.ms=%d", every),
			fmt.Sprintf("batch=%d", batch), fmt.Sprintf("inflight.max.records=%d", window))
		w.create("out", "test-sink", "consumer.mode="+[]string{"pull", "push"}[r.IntN(2)], "consumer.max.poll.records=50")
		type crash struct{ from, to int } // what may be repeated
		var crashes []crash
		for w.status("in").State != connect.Finished {
			w.wait(ms(4000))
			w.kill(w.gateway)
			c := crash{w.position("in"), w.source.highest()}
			crashes = append(crashes, c)
			// Confirmed since the last commit: what was polled in a flush
			// interval, while it was made durable, and until it is looked at.
			uncommitted := int((time.Second+w.broker.ConfirmAfter+w.broker.DurableAfter+100*time.Millisecond)/(every*time.Millisecond)) * batch
			if repeats := c.to - c.from; repeats > window+batch+uncommitted {
				w.t.Fatalf("a crash repeats %d records: the window is %d, and at most %d are confirmed since a commit", repeats, window, uncommitted)
			}
			w.wait(ms(3000))
			w.start()
			w.wait(ms(2000))
		}
		w.wait(2 * time.Minute)

		count := make(map[int]int)
		for _, bodies := range w.topic("t") {
			for _, b := range bodies {
				n, _ := strconv.Atoi(b)
				count[n]++
			}
		}
		for n := 1; n <= last; n++ {
			may := 1
			for _, c := range crashes {
				if c.from < n && n <= c.to {
					may++
				}
			}
			if count[n] < 1 || count[n] > may {
				w.t.Fatalf("number %d is %d times in the topic, want 1 to %d; crashes %v", n, count[n], may, crashes)
			}
		}
		if lost := missing(w.sink.bodies(), last); len(lost) > 0 {
			w.t.Fatalf("the sink has not got %v", lost)
		}
	})
}

func TestKilledSinkGoesOnWithWhatWasNotAcknowledged(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "last=10", "batch=10")
		w.wait(10 * time.Second)
		w.sink.onCall = on("Put 1", func() error { time.Sleep(3 * time.Second); return nil })
		w.create("out", "test-sink", "consumer.max.poll.records=5")
		w.wait(2 * time.Second)
		w.kill(w.gateway) // in the middle of the first Put
		w.wait(10 * time.Second)
		if got := w.sink.bodies(); len(got) > 0 {
			t.Fatalf("a dead gateway has put %v", got)
		}
		w.start()
		w.wait(time.Minute)
		if got := w.sink.bodies(); !slices.Equal(got, numbers(10)) {
			t.Errorf("the sink has %v, want 1 to 10", got)
		}
	})
}
