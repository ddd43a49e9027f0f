package connect_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
)

// Each hook of a connector panics, and each does not return: its connector
// fails, others go on, and it can be stopped and deleted all the same.
func TestHooksThatPanicOrDoNotReturnAreContained(t *testing.T) {
	hooks := map[string][]string{
		"test-source": {"New", "Split", "OnStart", "Seek", "Poll", "Committed", "OnPause", "OnResume", "OnStop", "OnFailed", "OnDestroyed"},
		"test-sink":   {"New", "OnStart", "HandlesTombstones", "Put", "Flush", "OnPause", "OnResume", "OnStop", "OnFailed", "OnDestroyed"},
	}
	for class, list := range hooks {
		for _, hook := range list {
			for _, how := range []string{"panics", "does not return"} {
				if hook == "HandlesTombstones" && how != "panics" {
					continue
				}
				t.Run(strings.Join([]string{class, hook, how}, " "), func(t *testing.T) {
					inWorld(t, func(w *world) { testContained(w, class, hook, how) })
				})
			}
		}
	}
}

func testContained(w *world, class, hook, how string) {
	late := connect.LateReturns()
	release := make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	defer let()
	trap := func(_ context.Context, env connect.Env, h, _ string) error {
		switch {
		case env.Connector != "bad":
		case h == hook && how == "panics":
			panic("boo")
		case h == hook:
			<-release
		case h == "Poll" && hook == "OnFailed", h == "Put" && hook == "OnFailed":
			return errors.New("to see OnFailed")
		}
		return nil
	}
	w.source.onCall, w.sink.onCall = trap, trap
	w.source.resume, w.sink.resume = true, true
	if hook == "Split" {
		w.source.split, w.source.resume = 2, false
	}
	if hook == "Flush" {
		w.sink.flush, w.sink.resume = true, false
	}
	w.start()
	w.create("good", "test-source")
	w.create("sink", "test-sink")
	w.create("bad", class, "restart.max.attempts=1")
	steps := []struct {
		command func(context.Context, string) error
		within  time.Duration
		reached func() bool
	}{
		{w.catalog.Pause, 2 * time.Minute, func() bool { return w.status("bad").State == connect.Paused }},
		{w.catalog.Resume, 2 * time.Minute, func() bool { return true }},
		{w.catalog.Stop, 2 * time.Minute, func() bool { return w.status("bad").State == connect.Stopped }},
		{w.catalog.Delete, 2 * time.Minute, func() bool {
			defs, err := w.store.List(w.t.Context())
			return err == nil && len(defs) == 2
		}},
	}
	patience := 150 * time.Second
	if hook == "Put" || hook == "Flush" {
		patience = 8 * time.Minute // their bound is the longest
	}
	w.wait(patience)
	if slow := hook == "New" || hook == "OnStart" || hook == "Poll" || hook == "Put"; slow {
		s := w.status("bad")
		if s.State != connect.Failed || !strings.Contains(s.Cause, hook) {
			w.t.Errorf("the connector is %s because of %q, want FAILED because of %s", s.State, s.Cause, hook)
		}
		if how == "panics" && !strings.Contains(s.Trace, "contain_test.go") {
			w.t.Errorf("the trace has no stack: %q", s.Trace)
		}
	}
	for i, step := range steps {
		before := len(w.sink.bodies())
		began := time.Now()
		w.do(step.command, "bad")
		w.eventually(step.within, fmt.Sprintf("step %d", i), step.reached)
		w.wait(20 * time.Second)
		if moved, want := len(w.sink.bodies())-before, int(time.Since(began).Seconds()); moved < want-5 {
			w.t.Errorf("step %d: the other connectors have moved %d records in %d s", i, moved, want)
		}
	}
	let()
	w.wait(time.Second)
	if counted := connect.LateReturns() - late; how == "does not return" && counted == 0 {
		w.t.Error("a late return was not counted")
	}
}

func TestHangingStoreHoldsUpNeitherRecordsNorStops(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		const connectors = 10
		for i := range connectors {
			w.create(fmt.Sprintf("in%d", i), "test-source")
		}
		w.create("out", "test-sink")
		w.wait(10 * time.Second)
		w.store.setFault(hanging("Publish", "Withdraw"))
		before := len(w.sink.bodies())
		w.wait(5 * time.Minute)
		if moved := len(w.sink.bodies()) - before; moved < connectors*295 {
			t.Errorf("while statuses hang, %d records have moved in 5 minutes, want about %d", moved, connectors*300)
		}
		if got := w.source.hooks(); strings.Contains(got, "OnFailed") {
			t.Error("a lease was lost because statuses hang")
		}
		w.store.setFault(hanging("Publish", "Withdraw", "Release", "Commit"))
		began := time.Now()
		w.shutdown()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("stopping %d connectors with a hanging store took %v", connectors, took)
		}
	})
}

func TestStoreThatIsAwayAtTheStartIsWaitedFor(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "last=5")
		w.shutdown()
		for _, fault := range []func(context.Context, string) error{away(), hanging("Acquire", "Load", "Publish", "Withdraw")} {
			w.store.setFault(fault)
			w.start()
			w.wait(5 * time.Minute)
			w.store.setFault(nil)
			w.eventually(time.Minute, "the source works", func() bool { return w.position("in") == 5 })
			w.shutdown()
		}
	})
}

func TestCorruptPositionIsRefusedNamingConnectorAndPartition(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "last=10")
		w.wait(5 * time.Second)
		w.do(w.catalog.Stop, "in")
		w.wait(time.Second)
		w.store.setFault(only([]string{"corrupt"}, func(context.Context) error { return errAway }))
		w.do(w.catalog.Resume, "in")
		w.wait(time.Minute)
		w.wantState("in", connect.Failed)
		if got := w.status("in").Cause; !strings.Contains(got, "connector in") || !strings.Contains(got, `{"task":0}`) {
			t.Errorf("cause = %q, want it to name connector and partition", got)
		}
		w.store.setFault(nil)
		w.do(w.catalog.Restart, "in")
		w.wait(time.Minute)
		if got := w.topic("t")[0]; len(got) != 10 {
			t.Errorf("the broker has %v, want 1 to 10: nothing from the start again", got)
		}
	})
}

func TestShortOutagesOfTheStoreCostNoLease(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source")
		for range 20 {
			w.wait(3700 * time.Millisecond)
			w.store.setFault([]func(context.Context, string) error{away(), hanging("Renew")}[w.position("in")%2])
			w.wait(3 * time.Second)
			w.store.setFault(nil)
		}
		if got := w.source.hooks(); got != "OnStart Seek" {
			t.Errorf("hooks = %s, want the source to run all the time", got)
		}
	})
}

func TestLostStateIsNotStartedOverInSilence(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source")
		w.wait(5 * time.Second)
		w.store.setFault(only([]string{"Renew", "Commit"}, func(context.Context) error { return offsets.ErrStateLost }))
		w.wait(5 * time.Second)
		w.wantState("in", connect.Failed)
		w.store.setFault(nil)
	})
}
