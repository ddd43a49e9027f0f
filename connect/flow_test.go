package connect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestRateIsKeptInRecordsAndInBytesByAllTasksTogether(t *testing.T) {
	for _, key := range []string{"rate.records.per.second=50", "rate.bytes.per.second=5000"} { // a message counts as about 100 bytes
		for _, of := range []string{"source", "sink"} {
			t.Run(of+" "+key, func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.broker.Partitions = 4
					w.source.split = 2
					config := map[string][]string{"source": nil, "sink": nil}
					config[of] = []string{key, "tasks.max=2"}
					w.start()
					w.create("in", "test-source", append(config["source"], "every.ms=50", "batch=10")...)
					w.create("out", "test-sink", config["sink"]...)
					w.wait(time.Second)
					before := len(w.sink.bodies())
					w.wait(20 * time.Second)
					if moved := len(w.sink.bodies()) - before; moved < 700 || moved > 1300 {
						t.Errorf("%d records moved in 20 s, want about 1000", moved)
					}
					began := time.Now()
					w.do(w.catalog.Stop, "in")
					w.do(w.catalog.Stop, "out")
					w.eventually(10*time.Second, "stopped", func() bool {
						return w.status("in").State == connect.Stopped && w.status("out").State == connect.Stopped
					})
					if took := time.Since(began); took > 2*time.Second {
						t.Errorf("stopping took %v: the rate holds it up", took)
					}
				})
			})
		}
	}
}

func TestFullLoadIsCommittedBeforeTheIntervalHasPassed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "every.ms=100", "batch=500", "offset.flush.interval.ms=3600000")
		w.wait(10 * time.Second)
		if got := w.position("in"); got < 40_000 {
			t.Errorf("of 50,000 records %d are committed, want all but the last 10,000", got)
		}
	})
}

func TestSourceReadsNoMoreThanItsWindowWhileTheBrokerDoesNotConfirm(t *testing.T) {
	for _, window := range []string{"inflight.max.records=10", "inflight.max.bytes=1100"} {
		inWorld(t, func(w *world) {
			w.broker.ConfirmAfter = time.Minute
			w.start()
			w.create("in", "test-source", "every.ms=10", window)
			w.wait(50 * time.Second)
			if got := w.source.highest(); got < 10 || got > 12 {
				t.Errorf("%s: %d records were read and none is confirmed, want about 10", window, got)
			}
		})
	}
}

func TestSourceStopsWhileTheStoreTakesNoPositionsAndThenGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "every.ms=10", "uncommitted.max.records=100")
		w.wait(10 * time.Second)
		w.store.setFault(away("Commit"))
		w.wait(time.Minute)
		position, read := w.position("in"), w.source.highest()
		if read > position+101 {
			t.Errorf("position %d is committed and %d was read, want at most 100 more", position, read)
		}
		if got := w.source.hooks(); got != "OnStart Seek" {
			t.Errorf("hooks = %s: the source was restarted because the store was away", got)
		}
		w.store.setFault(nil)
		w.wait(10 * time.Second)
		if got := w.position("in"); got < read+400 {
			t.Errorf("with the store back, position %d is committed after %d", got, read)
		}
		if got := w.topic("t")[0]; !slices.Equal(got, numbers(len(got))) {
			t.Error("the broker does not have every number once and in order")
		}
	})
}

func TestStopWhileTheStoreIsAwayForAMomentCommitsAllTheSame(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "every.ms=100")
		w.wait(5 * time.Second)
		w.store.setFault(away("Commit"))
		w.wait(3 * time.Second)
		began := time.Now()
		w.do(w.catalog.Stop, "in")
		w.wait(2 * time.Second)
		w.store.setFault(nil)
		w.eventually(time.Minute, "stopped", func() bool { return w.status("in").State == connect.Stopped })
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("stopping took %v, want it to end soon after the store is back", took)
		}
		if got, want := w.position("in"), w.source.highest(); got != want {
			t.Errorf("position = %d, want %d: all that was read", got, want)
		}
		if got := w.source.hooks(); got != "OnStart Seek OnStop" {
			t.Errorf("hooks = %s, want no failure", got)
		}
	})
}

func TestSourceWithoutPositionsStartsOverAndCommits(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.plain = true
		w.start()
		w.create("in", "test-source", "last=5")
		w.wait(time.Minute)
		w.do(w.catalog.Restart, "in")
		w.wait(time.Minute)
		if got := w.topic("t")[0]; len(got) != 10 || w.position("in") != 5 {
			t.Errorf("the broker has %v and the store %d, want 1 to 5 twice, and 5", got, w.position("in"))
		}
	})
}

func TestBrokerThatIsDownAtTheStartAndInTheMiddleIsWaitedFor(t *testing.T) {
	for _, down := range []error{oms.ErrUnavailable, oms.ErrDenied} {
		for _, mode := range []string{"pull", "push"} {
			t.Run(fmt.Sprint(down, " ", mode), func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.start()
					w.driver.SetDown(down)
					w.create("in", "test-source", "last=60", "restart.backoff.max.ms=5000")
					w.create("out", "test-sink", "restart.backoff.max.ms=5000", "consumer.mode="+mode)
					w.wait(2 * time.Minute)
					w.wantState("in", connect.Retrying)
					w.driver.SetDown(nil)
					w.wait(30 * time.Second)
					w.driver.SetDown(down)
					w.wait(5 * time.Minute)
					w.driver.SetDown(nil)
					w.wait(2 * time.Minute)
					if got := firsts(w.sink.bodies()); !slices.Equal(got, numbers(60)) {
						t.Errorf("the sink has %v, want 1 to 60", got)
					}
					w.wantState("in", connect.Finished)
					w.wantState("out", connect.Running)
				})
			})
		}
	}
}

func TestTopicIsMadeOnlyWhereThatIsWanted(t *testing.T) {
	for enable, want := range map[string]connect.State{"true": connect.Finished, "false": connect.Failed} {
		inWorld(t, func(w *world) {
			w.start()
			w.create("in", "test-source", "last=30", "topic.creation.enable="+enable, "topic.creation.default.partitions=3")
			w.wait(time.Minute)
			w.wantState("in", want)
			if got := w.topic("t"); enable == "true" && len(got) != 3 {
				t.Errorf("the records are in %d partitions, want 3", len(got))
			}
			if got := w.status("in").Cause; enable == "false" && !strings.Contains(got, "t: not found") {
				t.Errorf("cause = %q, want it to name the topic", got)
			}
		})
	}
}
