package connect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestWaitIdleReturnsWhenEverythingIsMoved(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.ConfirmAfter = 3 * time.Second
		w.sink.flush = true
		w.start()
		w.create("in", "test-source", "last=5", "every.ms=4000")
		w.create("out", "test-sink")
		if err := w.rt.WaitIdle(w.t.Context()); err != nil {
			t.Error(err)
		}
		if got, want := w.sink.bodies(), numbers(5); !slices.Equal(got, want) {
			t.Errorf("idle with %v at the sink, want %v", got, want)
		}
	})
}

func TestWaitIdleNamesWhatFailed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.onCall = on("Poll 3", func() error { return errLasts })
		w.start()
		w.create("in", "test-source", "last=5")
		w.create("out", "test-sink")
		err := w.rt.WaitIdle(w.t.Context())
		if err == nil || !strings.Contains(err.Error(), "failed: in") {
			t.Errorf("WaitIdle = %v, want an error that names the connector in", err)
		}
		if got, want := w.sink.bodies(), numbers(2); !slices.Equal(got, want) {
			t.Errorf("idle with %v at the sink, want %v", got, want)
		}
	})
}

// What a connector was told a moment ago counts, also when it takes long.
func TestWaitIdleIsNotFooledByATaskThatWasJustToldSomething(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"restarted": func(w *world) { w.do(w.catalog.Restart, "in") },
		"resumed": func(w *world) {
			w.do(w.catalog.Pause, "in")
			w.wait(time.Minute)
			w.do(w.catalog.Resume, "in")
		},
		"resumed at once": func(w *world) {
			w.do(w.catalog.Pause, "in")
			w.do(w.catalog.Resume, "in")
			w.do(w.catalog.Restart, "in")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.source.plain = true // it moves everything again
				w.start()
				w.create("in", "test-source", "last=5")
				w.create("out", "test-sink")
				if err := w.rt.WaitIdle(w.t.Context()); err != nil {
					t.Fatal(err)
				}
				w.store.setFault(hanging("Publish"))
				tell(w)
				if err := w.rt.WaitIdle(w.t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := len(w.sink.bodies()); got != 10 {
					t.Errorf("idle with %d records at the sink, want 10", got)
				}
			})
		})
	}
}

func TestWaitIdleWaitsForWhatIsRetriedAndNotForWhatIsPaused(t *testing.T) {
	inWorld(t, func(w *world) {
		until := time.Now().Add(time.Hour / 4)
		w.sink.onCall = func(_ context.Context, _ connect.Env, hook, _ string) error {
			if hook == "Put" && time.Now().Before(until) {
				return oms.ErrBusy
			}
			return nil
		}
		w.start()
		w.create("in", "test-source", "last=5")
		w.create("out", "test-sink")
		w.create("asleep", "test-sink")
		w.do(w.catalog.Pause, "asleep")
		if err := w.rt.WaitIdle(w.t.Context()); err != nil || time.Now().Before(until) {
			t.Errorf("WaitIdle = %v at %v before the sink was mended", err, time.Until(until))
		}
		if got, want := w.sink.bodies(), numbers(5); !slices.Equal(got, want) {
			t.Errorf("idle with %v at the sink, want %v", got, want)
		}
		var moved []int64
		for _, p := range w.rt.Progress() { // asleep, in, out
			moved = append(moved, p.Records)
		}
		if !slices.Equal(moved, []int64{0, 5, 5}) {
			t.Errorf("progress %v, want 0, 5 and 5 records", w.rt.Progress())
		}
		w.create("endless", "test-source", "every.ms=100")
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
		defer cancel()
		if err := w.rt.WaitIdle(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with an endless source WaitIdle = %v, want the end of its context", err)
		}
	})
}
