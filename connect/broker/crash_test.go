package broker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A guard fails the test when a record is acknowledged at the source's broker
// whose position is not in the store.
func (w *world) guard(connector string) func(*oms.Message) error {
	return func(m *oms.Message) error {
		if m.Topic != "t" {
			return nil
		}
		ps, err := w.store.Load(w.t.Context(), connector)
		if err != nil {
			return nil //nolint:nilerr // the test is over
		}
		var at int64
		if p, ok := ps[offsets.Partition(fmt.Sprintf(`{"partition":%d,"topic":"t"}`, m.Partition))]; ok {
			if _, err := fmt.Sscanf(string(p), `{"offset":%d}`, &at); err != nil {
				w.t.Errorf("position %s: %v", p, err)
			}
		}
		if m.Offset >= at {
			w.t.Errorf("offset %d of partition %d is acknowledged, and the store is at %d", m.Offset, m.Partition, at)
		}
		return nil
	}
}

func TestAKilledGatewayLosesNothingAndRepeatsWhatWasNotAcknowledged(t *testing.T) {
	options := map[string]mem.Options{
		"a": {Partitions: 2, ConfirmAfter: 20 * time.Millisecond, DurableAfter: 100 * time.Millisecond},
		"b": {Partitions: 3}, "c": {Partitions: 2, ConfirmAfter: 30 * time.Millisecond, DurableAfter: 200 * time.Millisecond},
	}
	var w *world
	options["b"] = mem.Options{Partitions: 3, OnAck: func(m *oms.Message) error { return w.guard("in")(m) }}
	inWorld(t, options, func(made *world) {
		w = made
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t", "tasks.max=2", "source.max.poll.records=7", "rate.records.per.second=300")
		w.create("out", "broker-sink", "topics=t", "sink.broker=c", "tasks.max=2")
		const batch, rounds = 300, 9
		most := rounds * batch
		for i := range rounds {
			w.number("b", "t", i*batch, batch)
			w.wait(time.Duration(137*(i+1)) * time.Millisecond) // a little later each time
			most += (i+1)*batch - int(w.acknowledged("b", "connect-in", "t"))
			w.kill()
			w.start()
		}
		w.eventually("everything is at c", func() bool { return len(once(w.bodies("c", "t"))) == rounds*batch })
		same(t, once(w.bodies("c", "t")), numbers(rounds*batch))
		w.eventually("everything is acknowledged", func() bool { return w.acknowledged("b", "connect-in", "t") == rounds*batch })
		if n := len(w.topic("a", "t")); n > most {
			t.Errorf("%d records have come to a, at most %d are explained by what was not acknowledged at each kill", n, most)
		}
	})
}

func TestASoftStopRepeatsNothing(t *testing.T) {
	inWorld(t, map[string]mem.Options{"a": {ConfirmAfter: 10 * time.Millisecond, DurableAfter: 300 * time.Millisecond}, "b": {Partitions: 4}}, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t", "tasks.max=3", "rate.records.per.second=200")
		const batch, rounds = 150, 6
		for i := range rounds {
			w.number("b", "t", i*batch, batch)
			w.wait(time.Duration(173*(i+1)) * time.Millisecond)
			w.shutdown()
			w.start()
		}
		w.has("a", "t", rounds*batch)
		same(t, w.bodies("a", "t"), numbers(rounds*batch))
	})
}

func TestNothingIsAcknowledgedWhileTheStoreIsAway(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t")
		w.number("b", "t", 0, 100)
		w.has("a", "t", 100)
		w.store.away.Store(true)
		w.number("b", "t", 100, 100)
		w.has("a", "t", 200)
		w.wait(time.Minute)
		if n := w.acknowledged("b", "connect-in", "t"); n != 100 {
			t.Errorf("%d are acknowledged while the store is away, want the 100 from before", n)
		}
		w.store.away.Store(false)
		w.eventually("all are acknowledged", func() bool { return w.acknowledged("b", "connect-in", "t") == 200 })
		same(t, w.bodies("a", "t"), numbers(200))
	})
}

func TestBrokersThatGoAwayAndComeBackAreWaitedFor(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t")
		w.create("out", "broker-sink", "topics=t", "sink.broker=c")
		n := 0
		for _, away := range []string{"b", "a", "c"} {
			w.number("b", "t", n, 50)
			n += 50
			w.wait(50 * time.Millisecond)
			w.drivers[away].SetDown(&oms.Error{Op: "call", Code: oms.ErrUnavailable})
			w.wait(2 * time.Minute)
			w.drivers[away].SetDown(nil)
		}
		w.eventually("everything is at c", func() bool { return len(once(w.bodies("c", "t"))) == n })
		same(t, once(w.bodies("c", "t")), numbers(n))
	})
}

func TestASinkWhoseTargetIsAwaySaysSo(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("out", "broker-sink", "topics=t", "sink.broker=c")
		w.number("a", "t", 0, 10)
		w.has("c", "t", 10)
		w.drivers["c"].SetDown(&oms.Error{Op: "call", Code: oms.ErrUnavailable})
		w.number("a", "t", 10, 10)
		cause := w.cause("out", connect.Retrying)
		if !strings.Contains(cause, "unavailable") {
			t.Errorf("the cause is %q, want that the target is unavailable", cause)
		}
		if n := w.acknowledged("a", "connect-out", "t"); n != 10 {
			t.Errorf("%d are acknowledged, want the 10 that are at the target", n)
		}
		w.drivers["c"].SetDown(nil)
		w.eventually("all are at c", func() bool { return len(once(w.bodies("c", "t"))) == 20 })
	})
}

func TestWhatIsConfirmedAndLostToAPowerCutComesAgain(t *testing.T) {
	inWorld(t, map[string]mem.Options{"c": {DurableAfter: 2 * time.Second}}, func(w *world) {
		w.start()
		w.create("out", "broker-sink", "topics=t", "sink.broker=c")
		w.number("a", "t", 0, 500)
		w.eventually("they are at c", func() bool { return len(w.topic("c", "t")) == 500 })
		w.drivers["c"].PowerCut()
		w.kill()
		w.start()
		w.eventually("they are at c again", func() bool { return len(once(w.bodies("c", "t"))) == 500 })
	})
}

func TestAPausedSourceGivesBackItsPartitions(t *testing.T) {
	inWorld(t, map[string]mem.Options{"b": {Partitions: 2}}, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t", "source.group=shared", "source.max.poll.records=10", "rate.records.per.second=100")
		w.number("b", "t", 0, 200)
		w.wait(700 * time.Millisecond)
		w.do(w.catalog.Pause, "in")
		w.cause("in", connect.Paused)
		members := func() (members []oms.Member) {
			w.client("b", func(ctx context.Context, c *oms.Client) {
				groups, err := c.Groups()
				if err == nil {
					members, err = groups.Members(ctx, "shared", []string{"t"})
				}
				if err != nil {
					t.Error(err)
				}
			})
			return members
		}
		if got := members(); len(got) > 0 {
			t.Errorf("members of the group while the source is paused: %v", got)
		}
		before := len(w.topic("a", "t"))
		if n := w.acknowledged("b", "shared", "t"); int(n) != before {
			t.Errorf("%d are acknowledged, and %d are at the target", n, before)
		}
		w.wait(time.Minute)
		if now := len(w.topic("a", "t")); now != before || now == 200 {
			t.Errorf("%d records at the target, then %d, of 200: nothing is to move in a pause", before, now)
		}
		w.do(w.catalog.Resume, "in")
		w.has("a", "t", 200)
		same(t, w.bodies("a", "t"), numbers(200))
	})
}
