package connect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// schedules returns how many random schedules to run: few of them in every
// run of the tests, many where time is no matter.
func schedules(usual, full int) int {
	if os.Getenv("OMCONNECT_TEST_FULL") != "" {
		return full
	}
	return usual
}

// Random walks through the state table: after each event the hooks that were
// called, and the states that are shown, are exactly those of the model.
func TestRandomWalksFollowTheStateTable(t *testing.T) {
	events := []string{"create", "pause", "resume", "stop", "restart", "change", "gateway", "reconfigure", "delete", "error", "passing error", "end", "more", "resume", "pause"}
	seeds(t, schedules(1000, 30000), func(w *world, r *rand.Rand) {
		m := &model{source: r.IntN(3) > 0, resumer: r.IntN(2) == 0}
		class, script := "test-sink", w.sink
		if m.source {
			class, script = "test-source", w.source
		}
		script.resume = m.resumer
		var ended atomic.Bool
		script.onCall = func(_ context.Context, _ connect.Env, hook, _ string) error {
			if hook == "Poll" && ended.Load() {
				return io.EOF
			}
			return nil
		}
		states := w.watchTasks()
		w.start()
		var walked []string
		for i := range 14 {
			event := events[r.IntN(len(events))]
			if i == 0 {
				event = "create"
			}
			from := *m
			want, can := m.event(event)
			if !can {
				continue
			}
			walked = append(walked, event)
			script.forget()
			ended.Store(m.ended)
			w.cause(script, class, event)
			w.wait(3 * time.Second)
			if got := script.hooks(); got != want {
				w.t.Fatalf("after %v (%+v): hooks %q, want %q", walked, from, got, want)
			}
			w.wantModel(m, walked)
		}
		states.wantAllowed(w.t)
	})
}

// cause makes an event of a model happen to the connector "it".
func (w *world) cause(script *scripted, class, event string) {
	w.t.Helper()
	const never = "restart.backoff.ms=3600000"
	switch event {
	case "create":
		w.create("it", class, never, "restart.backoff.max.ms=3600000")
	case "change":
		w.changeConfig("it")
	case "gateway":
		w.shutdown()
		w.start()
	case "end", "more": // the source knows already
	default:
		w.happen(script, event)
	}
}

// changeConfig gives a connector a configuration that means the same, as
// another gateway.yaml or a later PUT does.
func (w *world) changeConfig(name string) {
	w.t.Helper()
	for range 20 {
		defs, err := w.store.List(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		i := slices.IndexFunc(defs, func(d offsets.Definition) bool { return d.Name == name && !d.Deleted })
		if i < 0 {
			return
		}
		d := defs[i]
		config := oms.KeyValue(d.Config).Clone()
		config["restart.reset.ms"] = fmt.Sprint(600_000 + d.Revision)
		d.Config = config
		if _, err = w.store.Put(w.t.Context(), d); err == nil {
			return
		} else if !errors.Is(err, oms.ErrAborted) {
			w.t.Fatal(err)
		}
	}
	w.t.Fatal("somebody else changes the definition all the time")
}

func (w *world) wantModel(m *model, walked []string) {
	w.t.Helper()
	s, err := w.catalog.Status(w.t.Context(), "it")
	if !m.there {
		if !errors.Is(err, oms.ErrNotFound) {
			w.t.Fatalf("after %v: status %+v, %v; want not found", walked, s, err)
		}
		return
	}
	state, task := m.shown()
	tasks := []connect.State{}
	for _, t := range s.Tasks {
		tasks = append(tasks, t.State)
	}
	if err != nil || s.State != state || (task == "") != (len(tasks) == 0) || (task != "" && !slices.Equal(tasks, []connect.State{task})) {
		w.t.Fatalf("after %v: %s with tasks %v, %v; want %s with %s", walked, s.State, tasks, err, state, task)
	}
	hasCause := m.task == failed || m.task == broken || m.task == retrying
	if len(s.Tasks) > 0 && hasCause && s.Tasks[0].Cause == "" {
		w.t.Fatalf("after %v: no cause in %+v", walked, s.Tasks[0])
	}
}

// A stateLog collects the states of tasks as the runtime logs them: what is
// published leaves out states that were short.
type stateLog struct {
	slog.Handler
	shared *sharedStates
	who    string
}

type sharedStates struct {
	mu     sync.Mutex
	steps  map[string][]connect.State
	number int // of loggers
}

// watchTasks notes the states of all tasks of the gateways started from now on.
func (w *world) watchTasks() *stateLog {
	log := &stateLog{Handler: slog.DiscardHandler, shared: &sharedStates{steps: make(map[string][]connect.State)}}
	w.log = log
	return log
}

func (*stateLog) Enabled(_ context.Context, level slog.Level) bool { return level == slog.LevelDebug }

// WithAttrs is called once for each task: a logger stands for one.
func (l *stateLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	l.shared.number++
	child := *l
	child.who = fmt.Sprintf("%d:%v", l.shared.number, attrs)
	return &child
}

func (l *stateLog) Handle(_ context.Context, rec slog.Record) error {
	if rec.Message != "task state" {
		return nil
	}
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "state" {
			l.shared.mu.Lock()
			defer l.shared.mu.Unlock()
			l.shared.steps[l.who] = append(l.shared.steps[l.who], connect.State(a.Value.String()))
		}
		return true
	})
	return nil
}

// wantAllowed fails the test for a step that the state table does not have.
func (l *stateLog) wantAllowed(t *testing.T) {
	t.Helper()
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	if len(l.shared.steps) == 0 {
		t.Error("no task was started, or none has logged its states")
	}
	for who, steps := range l.shared.steps {
		before := connect.Unassigned
		for i, s := range steps {
			if !slices.Contains(taskEdges[before], s) {
				t.Errorf("task %s: %s after %s, in %v", who, s, before, steps[:i+1])
			}
			before = s
		}
	}
}
