package connect_test

import (
	"slices"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
)

func TestRecordsGoFromSourceToSink(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "last=5")
		w.create("out", "test-sink")
		w.wait(time.Minute)
		if got, want := w.sink.bodies(), numbers(5); !slices.Equal(got, want) {
			t.Errorf("the sink got %v, want %v", got, want)
		}
		w.wantState("in", connect.Finished)
		w.wantState("out", connect.Running)
		if got := w.position("in"); got != 5 {
			t.Errorf("the committed position is %d, want 5", got)
		}
		if got, want := w.source.hooks(), "OnStart Seek OnStop"; got != want {
			t.Errorf("hooks = %s, want %s", got, want)
		}
	})
}

func TestPauseFinishesWhatWasReadAndResumeGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.ConfirmAfter = 10 * time.Second
		w.start()
		w.create("in", "test-source", "last=100")
		w.wait(3500 * time.Millisecond)
		w.do(w.catalog.Pause, "in")
		w.wait(5 * time.Minute)
		w.wantState("in", connect.Paused)
		if got := w.position("in"); got != 3 {
			t.Errorf("paused at position %d, want 3", got)
		}
		w.do(w.catalog.Resume, "in")
		w.wait(5 * time.Minute)
		if got := w.position("in"); got != 100 {
			t.Errorf("resumed up to position %d, want 100", got)
		}
		if got, want := w.source.hooks(), "OnStart Seek OnPause OnStop OnStart Seek OnStop"; got != want {
			t.Errorf("hooks = %s, want %s", got, want)
		}
	})
}

func TestDeleteStopsAndDestroys(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source")
		w.wait(10 * time.Second)
		w.do(w.catalog.Delete, "in")
		w.wait(10 * time.Second)
		if got, want := w.source.hooks(), "OnStart Seek OnStop OnDestroyed"; got != want {
			t.Errorf("hooks = %s, want %s", got, want)
		}
		if defs, err := w.store.List(w.t.Context()); err != nil || len(defs) > 0 {
			t.Errorf("definitions left: %v, %v", defs, err)
		}
		w.create("in", "test-source", "last=20")
		w.wait(time.Minute)
		w.wantState("in", connect.Finished)
	})
}
