package connect_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
)

func TestTopicsThatMatchAreReadAlsoThoseThatComeLater(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.broker.Partitions = 3
				got := w.keepLedger()
				w.start()
				w.create("out", "test-sink", "topics=", `topics.regex=orders\..+`, "topics.regex.refresh.interval.ms=1000", "tasks.max=2", "consumer.mode="+mode)
				w.wait(10 * time.Second)
				w.wantState("out", connect.Running) // with nothing to read
				w.fill("orders.new", 0, 50)
				w.fill("orders", 0, 50)
				w.fill("my.orders.new", 0, 50)
				w.wait(3 * time.Second)
				wantSame(t, "the first topic", got.of("out"), filled("orders.new", 0, 50))
				w.fill("orders.paid", 0, 50)
				w.fill("orders.new", 50, 50)
				w.wait(3 * time.Second)
				wantSame(t, "two topics", got.of("out"), together(filled("orders.new", 0, 100), filled("orders.paid", 0, 50)))
				if lag := w.lagOf("connect-out", "orders.new", "orders.paid"); lag != 0 {
					t.Errorf("%d messages are not acknowledged", lag)
				}
				if hooks := w.sink.hooks(); hooks != "OnStart OnStart" {
					t.Errorf("hooks = %s, want the two instances to stay", hooks)
				}
				counts := w.perTask()
				if len(counts) != 2 {
					t.Errorf("records by task: %v, want both to have some", counts)
				}
			})
		})
	}
}

// perTask returns how many records the tasks of the connector out have moved,
// those that have moved any.
func (w *world) perTask() map[int]int64 {
	w.t.Helper()
	w.wait(5 * time.Second) // until it is published
	counts := make(map[int]int64)
	for _, task := range w.status("out").Tasks {
		if task.Records > 0 {
			counts[task.Task] = task.Records
		}
	}
	return counts
}

// What is in hand when other topics match is finished, and comes once.
func TestNothingIsLostOrRepeatedWhenOtherTopicsMatch(t *testing.T) {
	for name, c := range map[string]struct {
		flush bool
		mode  string
	}{
		"pull": {false, "pull"}, "push": {false, "push"}, "pull and flush": {true, "pull"}, "push and flush": {true, "push"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.broker.Partitions = 2
				w.sink.flush = c.flush
				w.sink.onCall = func(_ context.Context, _ connect.Env, hook, _ string) error {
					if hook == "Put" {
						time.Sleep(400 * time.Millisecond)
					}
					return nil
				}
				w.start()
				w.create("out", "test-sink", "topics=", `topics.regex=t\.\d+`, "topics.regex.refresh.interval.ms=500", "tasks.max=3", "consumer.mode="+c.mode, "consumer.max.poll.records=7")
				var want, topics []string
				for i := range 10 {
					topic := fmt.Sprintf("t.%d", i)
					w.fill(topic, 0, 40)
					want, topics = append(want, filled(topic, 0, 40)...), append(topics, topic)
					w.wait(300 * time.Millisecond) // always in the middle of a Put
				}
				w.wait(time.Minute)
				wantSame(t, "all topics", together(w.sink.bodies()), together(want))
				if lag := w.lagOf("connect-out", topics...); lag != 0 {
					t.Errorf("%d messages are not acknowledged", lag)
				}
				w.wantState("out", connect.Running)
			})
		})
	}
}

func TestATopicThatGoesAwayIsNotMadeAgainAndReadWhenItIsBack(t *testing.T) {
	inWorld(t, func(w *world) {
		got := w.keepLedger()
		w.start()
		w.create("out", "test-sink", "topics=", "topics.regex=t.", "topics.regex.refresh.interval.ms=1000")
		w.fill("t1", 0, 10)
		w.fill("t2", 0, 10)
		w.wait(5 * time.Second)
		w.deleteTopic("t1")
		w.wait(time.Minute)
		w.fill("t2", 10, 10)
		w.wait(5 * time.Second)
		if names := w.topicNames(); !slices.Equal(names, []string{"t2"}) {
			t.Errorf("the broker has %v, want the deleted topic to stay away", names)
		}
		wantSame(t, "one gone", got.of("out"), together(filled("t1", 0, 10), filled("t2", 0, 20)))
		w.deleteTopic("t2")
		w.wait(time.Minute)
		w.wantState("out", connect.Running) // with nothing to read
		w.fill("t1", 10, 10)
		w.wait(5 * time.Second)
		wantSame(t, "one is back", got.of("out"), together(filled("t1", 0, 20), filled("t2", 0, 20)))
	})
}

func TestARestartLosesNothingOfTopicsThatMatch(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed: %v", kill), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.broker.Partitions = 2
				w.start()
				w.create("out", "test-sink", "topics=", "topics.regex=t.*", "tasks.max=2", "consumer.max.poll.records=10")
				var want []string
				for round := range 4 {
					for i := range 3 {
						topic := fmt.Sprintf("t%d", round+i)
						w.fill(topic, 100*round, 50)
						want = append(want, filled(topic, 100*round, 50)...)
					}
					w.wait(time.Duration(round) * 11 * time.Second)
					if kill {
						w.kill(w.gateway)
					} else {
						w.shutdown()
					}
					w.fill("tx", 100*round, 5) // while no gateway is there
					want = append(want, filled("tx", 100*round, 5)...)
					w.start()
				}
				w.wait(2 * time.Minute)
				bodies := w.sink.bodies()
				wantSame(t, "after restarts", together(firsts(bodies)), together(want))
				if !kill && len(bodies) != len(want) {
					t.Errorf("%d records were put, want each of %d once", len(bodies), len(want))
				}
			})
		})
	}
}

func TestTwoGatewaysFindTheTopicsThatMatch(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.Partitions = 4
		w.start()
		second := w.spawn("gateway-2")
		w.create("out", "test-sink", "topics=", "topics.regex=t.*", "topics.regex.refresh.interval.ms=3000", "tasks.max=4")
		w.wait(20 * time.Second)
		w.fill("t1", 0, 100)
		w.wait(1300 * time.Millisecond)
		w.fill("t2", 0, 100)
		w.wait(20 * time.Second)
		w.end(second)
		w.fill("t3", 0, 100)
		w.wait(time.Minute)
		wantSame(t, "three topics", together(w.sink.bodies()), together(filled("t1", 0, 100), filled("t2", 0, 100), filled("t3", 0, 100)))
	})
}

func TestAnotherPatternTakesEffectWithItsDefinition(t *testing.T) {
	inWorld(t, func(w *world) {
		got := w.keepLedger()
		w.start()
		w.fill("a", 0, 10)
		w.fill("b", 0, 10)
		w.create("out", "test-sink", "topics=", "topics.regex=a.*", "topics.regex.refresh.interval.ms=1000")
		w.wait(5 * time.Second)
		defs, err := w.store.List(w.t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defs[0].Config["topics.regex"] = "b.*"
		if _, err := w.store.Put(w.t.Context(), defs[0]); err != nil {
			t.Fatal(err)
		}
		w.wait(5 * time.Second)
		w.fill("a", 10, 10)
		w.fill("b2", 0, 10)
		w.wait(5 * time.Second)
		wantSame(t, "one pattern, then the other", got.of("out"), together(filled("a", 0, 10), filled("b", 0, 10), filled("b2", 0, 10)))
	})
}
