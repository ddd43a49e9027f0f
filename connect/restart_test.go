package connect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
)

// starts notes when OnStart was called, and has a hook fail.
type starts struct {
	mu   sync.Mutex
	at   []time.Time
	fail func(n int, hook string) error // n counts the starts, from 1
}

func (s *starts) onCall(_ context.Context, _ connect.Env, hook, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hook == "OnStart" {
		s.at = append(s.at, time.Now())
	}
	if s.fail == nil {
		return nil
	}
	return s.fail(len(s.at), hook)
}

func (s *starts) gaps() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var gaps []time.Duration
	for i := range s.at[1:] {
		gaps = append(gaps, s.at[i+1].Sub(s.at[i]))
	}
	return gaps
}

func inHook(hook string, err error) func(int, string) error {
	return func(_ int, h string) error {
		if h == hook {
			return err
		}
		return nil
	}
}

func TestBackOffDoublesUpToItsCapAndEndsWithTheAttempts(t *testing.T) {
	inWorld(t, func(w *world) {
		s := &starts{fail: inHook("OnStart", errors.New("no"))}
		w.source.onCall = s.onCall
		w.start()
		w.create("in", "test-source", "restart.max.attempts=6", "restart.backoff.ms=1000", "restart.backoff.max.ms=10000")
		w.wait(2500 * time.Millisecond)
		task := w.status("in").Tasks[0]
		if task.State != connect.Retrying || task.Attempts != 2 || time.Until(task.NextRetry) != 500*time.Millisecond || !strings.Contains(task.Cause, "no") {
			t.Errorf("between the attempts the status is %+v, want 2 attempts and the next in 0.5 s", task)
		}
		w.wait(time.Hour / 6)
		want := []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second}
		if got := s.gaps(); !slices.Equal(got, want) {
			t.Errorf("waits between starts: %v, want %v", got, want)
		}
		w.wantState("in", connect.Failed)
		if task := w.status("in").Tasks[0]; task.Attempts != 7 || !task.NextRetry.IsZero() {
			t.Errorf("in the end the status is %+v, want 7 failures and no retry", task)
		}
		s.fail = nil
		w.do(w.catalog.Resume, "in")
		w.wait(10 * time.Millisecond)
		w.wantState("in", connect.Running)
		if task := w.status("in").Tasks[0]; task.Attempts != 0 || task.Cause != "" {
			t.Errorf("resumed, the status is %+v, want it to start counting anew", task)
		}
	})
}

func TestTemporaryFailuresAreTriedForEverAndDoNotUseUpTheAttempts(t *testing.T) {
	inWorld(t, func(w *world) {
		s := &starts{fail: func(n int, hook string) error {
			switch {
			case hook != "OnStart":
				return nil
			case n == 30:
				return errors.New("no")
			case n < 40:
				return errPasses
			}
			return nil
		}}
		w.source.onCall = s.onCall
		w.start()
		w.create("in", "test-source", "restart.max.attempts=1", "restart.backoff.max.ms=4000")
		w.wait(110 * time.Second)
		w.wantState("in", connect.Retrying)
		w.wait(time.Minute)
		w.wantState("in", connect.Running)
	})
}

func TestCountOfAttemptsStartsAnewAfterARunWithoutFailure(t *testing.T) {
	for reset, want := range map[string]connect.State{"20000": connect.Running, "60000": connect.Failed} {
		inWorld(t, func(w *world) {
			begun := time.Now()
			w.source.onCall = on("Poll", func() error {
				if time.Since(begun) > 30*time.Second { // every half a minute
					begun = time.Now()
					return errors.New("no")
				}
				return nil
			})
			w.start()
			w.create("in", "test-source", "restart.max.attempts=2", "restart.reset.ms="+reset)
			w.wait(135 * time.Second)
			w.wantState("in", want)
		})
	}
}

func TestRestartResetsTheAttemptsOfARetryingTask(t *testing.T) {
	inWorld(t, func(w *world) {
		s := &starts{fail: inHook("OnStart", errPasses)}
		w.source.onCall = s.onCall
		w.start()
		w.create("in", "test-source", "restart.backoff.ms=1000", "restart.backoff.max.ms=3600000")
		w.wait(10 * time.Minute)
		before := len(s.gaps())
		w.do(w.catalog.Restart, "in")
		w.wait(4 * time.Second)
		if got := s.gaps()[before+1:]; !slices.Equal(got, []time.Duration{time.Second, 2 * time.Second}) {
			t.Errorf("after a restart the waits are %v, want 1s 2s", got)
		}
	})
}

func TestFailureToDivideTheWorkIsRetriedAndVisible(t *testing.T) {
	inWorld(t, func(w *world) {
		err := errors.New("no such table")
		w.source.split = 2
		w.source.onCall = on("Split", func() error { return err })
		w.start()
		w.create("in", "test-source", "restart.max.attempts=2", "tasks.max=2")
		w.wait(1500 * time.Millisecond)
		s := w.status("in")
		if s.State != connect.Retrying || s.Attempts != 2 || time.Until(s.NextRetry) != 1500*time.Millisecond || !strings.Contains(s.Cause, "no such table") {
			t.Errorf("status %+v, want RETRYING for the second time", s)
		}
		w.wait(time.Minute)
		w.wantState("in", connect.Failed)
		w.do(w.catalog.Pause, "in")
		w.wait(time.Minute)
		w.wantState("in", connect.Paused)
		err = nil
		w.do(w.catalog.Resume, "in")
		w.wait(time.Second)
		w.wantState("in", connect.Running)
		w.do(w.catalog.Stop, "in")
		w.wait(time.Second)
		err = errors.New("no such table")
		w.do(w.catalog.Resume, "in")
		w.wait(time.Minute)
		w.wantState("in", connect.Failed)
		err = nil
		w.do(w.catalog.Resume, "in")
		w.wait(time.Second)
		w.wantState("in", connect.Running)
	})
}

func TestFirstErrorReportedByAConnectorCounts(t *testing.T) {
	for _, class := range []string{"test-source", "test-sink"} {
		inWorld(t, func(w *world) {
			script := map[string]*scripted{"test-source": w.source, "test-sink": w.sink}[class]
			w.start()
			w.create("it", class)
			w.wait(5 * time.Second)
			env := script.env(0)
			env.Fail(errLasts)
			env.Fail(errPasses)
			w.wait(time.Minute)
			w.wantState("it", connect.Failed)
			if got := w.status("it").Cause; !strings.Contains(got, "reported a failure") || !strings.Contains(got, "no date") {
				t.Errorf("%s: cause = %q, want the first one", class, got)
			}
			w.do(w.catalog.Restart, "it")
			w.wait(5 * time.Second)
			env.Fail(errLasts) // of an instance that is gone
			w.wait(time.Minute)
			w.wantState("it", connect.Running)
		})
	}
}
