package connect_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var seed = flag.Uint64("seed", 0, "run the random tests with this seed only")

// seeds runs a test in a world for each of n seeds. The name of the subtest
// has the seed.
func seeds(t *testing.T, n int, test func(*world, *rand.Rand)) {
	t.Helper()
	first := rand.Uint64() % 1e9
	if *seed != 0 {
		first, n = *seed, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inWorld(t, func(w *world) { test(w, rand.New(rand.NewPCG(seed, seed))) })
		})
		if !ok {
			return
		}
	}
}

func TestInvariant1PositionIsCommittedOnlyOnceAllBeforeItIsConfirmedAndDurable(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.ConfirmAfter, w.broker.DurableAfter = 3*time.Second, 4*time.Second
		w.start()
		w.create("in", "test-source")
		begin := time.Now()
		for range 60 {
			w.wait(500 * time.Millisecond)
			// Number n is sent in second n, and durable seven seconds later.
			durable := int(time.Since(begin).Seconds()) - 7
			if got := w.position("in"); got > max(0, durable) {
				t.Fatalf("after %v position %d is committed, and only %d is durable", time.Since(begin), got, durable)
			}
		}
		if got := w.position("in"); got < 20 {
			t.Errorf("after 30 s the position is only %d", got)
		}
	})
}

func TestInvariant1PowerCutLosesNothingBeforeThePosition(t *testing.T) {
	seeds(t, 20, func(w *world, r *rand.Rand) {
		w.broker.ConfirmAfter = time.Duration(r.IntN(3000)) * time.Millisecond
		w.broker.DurableAfter = time.Duration(r.IntN(3000)) * time.Millisecond
		w.start()
		w.create("in", "test-source", "every.ms=50", "last=400", "batch=3")
		w.wait(time.Duration(1000+r.IntN(5000)) * time.Millisecond)
		w.kill(w.gateway)
		w.driver.PowerCut()
		position, stored := w.position("in"), w.topic("t")[0]
		if lost := missing(stored, position); len(lost) > 0 {
			w.t.Fatalf("position %d is committed, and the broker has lost %v", position, lost)
		}
		w.start()
		w.wait(5 * time.Minute)
		w.wantState("in", connect.Finished)
		if lost := missing(w.topic("t")[0], 400); len(lost) > 0 {
			w.t.Fatalf("lost for good: %v", lost)
		}
	})
}

// missing returns the numbers up to n that a list does not have.
func missing(list []string, n int) []string {
	return slices.DeleteFunc(numbers(n), func(s string) bool { return slices.Contains(list, s) })
}

func TestInvariant2MessageIsAcknowledgedOnlyAfterTheSinkSaidItIsSafe(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		for _, flush := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, flush %v", mode, flush), func(t *testing.T) {
				seeds(t, 5, func(w *world, r *rand.Rand) {
					var mu sync.Mutex
					w.sink.flush = flush
					w.sink.onCall = func(_ context.Context, _ connect.Env, hook, _ string) error {
						mu.Lock()
						defer mu.Unlock()
						switch {
						case hook == "Put" && r.IntN(4) == 0:
							return &connect.PartialError{Index: 0, Err: fmt.Errorf("not now")}
						case (hook == "Put" || hook == "Flush") && r.IntN(4) == 0:
							return fmt.Errorf("not now")
						}
						return nil
					}
					w.broker.OnAck = func(m *oms.Message) error {
						if !slices.Contains(w.sink.bodies(), string(m.Body)) {
							w.t.Errorf("message %s was acknowledged before it was safe", m.Body)
						}
						return nil
					}
					w.start()
					w.create("in", "test-source", "last=60", "every.ms=100")
					w.create("out", "test-sink", "consumer.mode="+mode, "consumer.max.poll.records=7", "restart.max.attempts=-1", "restart.backoff.max.ms=1000")
					w.wait(5 * time.Minute)
					if got, want := firsts(w.sink.bodies()), numbers(60); !slices.Equal(got, want) {
						w.t.Errorf("safe at the sink: %v, want 1 to 60", got)
					}
				})
			})
		}
	}
}

func TestInvariant3SourceIsToldOnlyWhatTheStoreHas(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.onCall = func(_ context.Context, _ connect.Env, hook, _ string) error {
			if stored := w.position("in"); hook == "Committed" && w.source.told() > stored {
				w.t.Errorf("the source was told of %d, and the store has %d", w.source.told(), stored)
			}
			return nil
		}
		w.start()
		w.create("in", "test-source", "every.ms=100")
		for _, fault := range []func(context.Context, string) error{away("Commit"), hanging("Commit"), nil} {
			w.wait(10 * time.Second)
			told := w.source.told()
			if told < 80 {
				t.Fatalf("the source was told of %d only", told)
			}
			w.store.setFault(fault)
			w.wait(30 * time.Second)
			if fault != nil && w.source.told() > told+20 {
				t.Errorf("without the store the source was told of %d after %d", w.source.told(), told)
			}
			w.store.setFault(nil)
		}
		w.do(w.catalog.Stop, "in")
		w.wait(time.Minute)
		if told, stored := w.source.told(), w.position("in"); told != stored {
			t.Errorf("at the end the source was told of %d, and the store has %d", told, stored)
		}
	})
}

func TestInvariant4FormerOwnersCommitFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source")
		w.wait(10 * time.Second)
		err := w.store.Alter(w.t.Context(), "in", map[offsets.Partition]offsets.Position{`{"task":0}`: `{"n":1000}`}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			w.wait(200 * time.Millisecond)
			if w.position("in") < 1000 {
				t.Fatal("the former owner has committed over the altered position")
			}
		}
		if got := w.source.hooks(); got != "OnStart Seek OnFailed OnStop OnStart Seek" {
			t.Errorf("hooks = %s, want one failure and a new start", got)
		}
		if got := w.position("in"); got < 1003 {
			t.Errorf("the new owner has come to %d, want it to go on from 1000", got)
		}
	})
}

func TestInvariant4OwnerStopsBeforeALeaseEndsThatTheStoreDoesNotRenew(t *testing.T) {
	stubborn := func(context.Context) error { time.Sleep(time.Minute); return errAway } // not even for its context
	for name, fault := range map[string]func(context.Context, string) error{
		"refused": away("Renew", "Acquire"), "hanging": hanging("Renew", "Acquire"), "deaf": only([]string{"Renew", "Acquire"}, stubborn),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.start()
				w.create("in", "test-source", "every.ms=100")
				w.wait(9 * time.Second)
				w.store.setFault(fault)
				cut := time.Now()
				w.wait(10 * time.Second)
				if last := w.source.pollers(); len(last) != 1 || w.source.lastPoll().Sub(cut) > 8*time.Second {
					t.Errorf("the last poll was %v after the store was gone, want it at least 2 s before the lease ended", w.source.lastPoll().Sub(cut))
				}
				w.store.setFault(nil)
				w.wait(2 * time.Minute)
				if got := len(w.source.pollers()); got != 2 {
					t.Errorf("%d instances have polled, want a second one when the store was back", got)
				}
			})
		})
	}
}

func TestInvariant4SecondGatewayTakesOverWhenTheFirstIsGone(t *testing.T) {
	for name, end := range map[string]func(*world, *gateway){
		"stopped": (*world).end, "killed": (*world).kill,
		"cut off": func(_ *world, g *gateway) { g.dead.Store(true) }, // it lives, and reaches nobody
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.start()
				first := w.gateway
				w.create("in", "test-source", "every.ms=100")
				w.wait(time.Second)
				w.gateway = w.spawn("gateway-2")
				w.wait(time.Minute)
				if got := w.source.pollers(); len(got) != 1 {
					t.Fatalf("%d instances have polled while the first gateway runs the task", len(got))
				}
				if s := w.status("in"); s.State != connect.Running || len(s.Tasks) != 1 || s.Tasks[0].Worker != "gateway-1:8083" {
					t.Errorf("the gateway that waits is seen in the status: %+v", s)
				}
				end(w, first)
				w.wait(30 * time.Second)
				pollers := w.source.pollers()
				if len(pollers) != 2 {
					t.Fatalf("the instances that polled: %v; want the second one once, after the first", pollers)
				}
				if s := w.status("in"); len(s.Tasks) != 1 || s.Tasks[0].State != connect.Running || s.Tasks[0].Worker != "gateway-2:8083" {
					t.Errorf("after the takeover: %+v", s)
				}
			})
		})
	}
}

func TestInvariant5StopIsSoftWithinTheGraceAndThenHard(t *testing.T) {
	for confirmAfter, want := range map[time.Duration]struct {
		position int
		hooks    string
		took     time.Duration
	}{
		10 * time.Second: {3, "OnStart Seek OnStop", 10 * time.Second},
		time.Hour:        {0, "OnStart Seek OnFailed OnStop", 25 * time.Second},
	} {
		inWorld(t, func(w *world) {
			w.broker.ConfirmAfter = confirmAfter
			w.start()
			w.create("in", "test-source")
			w.wait(3500 * time.Millisecond)
			stopped := time.Now()
			w.shutdown()
			if took := time.Since(stopped); took > want.took+time.Second {
				t.Errorf("stopping took %v, want at most about %v", took, want.took)
			}
			if got := w.position("in"); got != want.position {
				t.Errorf("position = %d, want %d", got, want.position)
			}
			if got := w.source.count("Poll"); got != 3 {
				t.Errorf("%d polls, want none after the stop", got)
			}
			if got := w.source.hooks(); got != want.hooks {
				t.Errorf("hooks = %s, want %s", got, want.hooks)
			}
		})
	}
}
