package connect_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestTasksHaveTheirOwnPositionsAndGoOnFromThem(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.split = 5
		w.start()
		w.create("in", "test-source", "tasks.max=3", "last=20")
		w.wait(5500 * time.Millisecond)
		w.shutdown()
		w.start()
		w.wait(time.Minute)
		w.wantState("in", connect.Finished)
		ps, err := w.store.Load(w.t.Context(), "in")
		if err != nil || len(ps) != 3 {
			t.Fatalf("positions %v, %v; want three partitions", ps, err)
		}
		if got := w.topic("t")[0]; len(got) != 60 {
			t.Errorf("the broker has %d records, want 3 times 20 and none twice", len(got))
		}
		for task := range 3 {
			if env := w.source.env(task); env.Tasks != 3 || env.Connector != "in" || env.Config["last"] != "20" {
				t.Errorf("task %d was started with %+v", task, env)
			}
		}
	})
}

func TestConnectorIsDegradedWhenOneTaskFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.split = 2
		w.source.onCall = func(_ context.Context, env connect.Env, hook, _ string) error {
			if hook == "Poll" && env.Task == 1 {
				return errLasts
			}
			return nil
		}
		w.start()
		w.create("in", "test-source", "tasks.max=2")
		w.wait(10 * time.Second)
		s := w.status("in")
		if s.State != connect.Degraded || s.Tasks[0].State != connect.Running || s.Tasks[1].State != connect.Failed || !strings.Contains(s.Cause, "no date") {
			t.Errorf("status %+v, want DEGRADED with the cause of task 1", s)
		}
		if got := w.position("in"); got < 8 {
			t.Errorf("position = %d: the other task does not go on", got)
		}
	})
}

func TestReconfigureDividesTheWorkAnew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.split = 3
		w.start()
		w.create("in", "test-source", "tasks.max=4")
		w.wait(time.Second)
		for _, parts := range []int{3, 1, 4} {
			w.source.mu.Lock()
			w.source.split = parts
			w.source.mu.Unlock()
			w.source.env(0).Reconfigure()
			w.wait(5 * time.Second)
			if got := len(w.status("in").Tasks); got != parts {
				t.Errorf("%d tasks are shown, want %d", got, parts)
			}
		}
		w.do(w.catalog.Pause, "in")
		w.wait(5 * time.Second)
		w.source.mu.Lock()
		w.source.split = 2
		w.source.mu.Unlock()
		w.source.env(0).Reconfigure()
		w.wait(5 * time.Second)
		w.wantState("in", connect.Paused)
		w.do(w.catalog.Resume, "in")
		w.wait(5 * time.Second)
		if got := len(w.status("in").Tasks); got != 2 {
			t.Errorf("divided while paused, %d tasks run, want 2", got)
		}
		if got := w.source.count("Split"); got != 5 {
			t.Errorf("Split was called %d times, want 5", got)
		}
	})
}

func TestImpossibleDivisionsAreRefused(t *testing.T) {
	for parts, split := range map[int]func(oms.KeyValue) []oms.KeyValue{
		0: func(oms.KeyValue) []oms.KeyValue { return nil },
		3: func(c oms.KeyValue) []oms.KeyValue { return []oms.KeyValue{c, c, c} },
	} {
		inWorld(t, func(w *world) {
			w.start()
			w.plugins.Register(connect.Plugin{Class: "bad-source", Kind: connect.KindSource, New: func(connect.Env) (connect.Connector, error) {
				return badSplitter{split: split}, nil
			}})
			w.create("in", "bad-source", "topic=t", "tasks.max=2", "restart.max.attempts=0")
			w.wait(time.Second)
			w.wantState("in", connect.Failed)
			if got, want := w.status("in").Cause, fmt.Sprintf("into %d tasks, with tasks.max=2", parts); !strings.Contains(got, want) {
				t.Errorf("cause = %q, want %q", got, want)
			}
		})
	}
}

type badSplitter struct {
	connect.Hooks
	split func(oms.KeyValue) []oms.KeyValue
}

func (badSplitter) Poll(context.Context) ([]*oms.Message, error) { return nil, nil }

func (b badSplitter) Split(_ context.Context, config oms.KeyValue, _ int) ([]oms.KeyValue, error) {
	return b.split(config), nil
}

func TestPluginThatIsNotWhatItSaysFails(t *testing.T) {
	check := connect.ConfigDef{Check: func(oms.KeyValue) oms.KeyErrors { panic("boo") }}
	for name, p := range map[string]connect.Plugin{
		"neither a Source nor a Sink": {New: func(connect.Env) (connect.Connector, error) { return connect.Hooks{}, nil }},
		"no licence":                  {New: func(connect.Env) (connect.Connector, error) { return nil, errors.New("no licence") }},
		"panic: boo":                  {New: func(connect.Env) (connect.Connector, error) { return connect.Hooks{}, nil }, Def: check},
	} {
		inWorld(t, func(w *world) {
			p.Class, p.Kind = "odd-source", connect.KindSource
			w.start()
			w.plugins.Register(p)
			// Not by the catalog: its caller would have to bear the panic.
			if _, err := w.store.Put(w.t.Context(), definitionOf("in", settings("odd-source", "topic=t", "restart.max.attempts=0"))); err != nil {
				t.Fatal(err)
			}
			w.wait(time.Minute)
			w.wantState("in", connect.Failed)
			if got := w.status("in").Cause; !strings.Contains(got, name) {
				t.Errorf("cause = %q, want %q", got, name)
			}
			w.do(w.catalog.Delete, "in")
			w.wait(time.Minute)
			if _, err := w.catalog.Get(w.t.Context(), "in"); !errors.Is(err, oms.ErrNotFound) {
				t.Errorf("deleted, Get returns %v", err)
			}
		})
	}
}
