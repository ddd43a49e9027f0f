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

var (
	errPasses = &oms.Error{Op: "read", Code: oms.ErrUnavailable, Err: errors.New("no route to host")}
	errLasts  = &oms.Error{Op: "read", Code: oms.ErrFormat, Err: errors.New("no date")}
)

// The state table of the design, cell by cell. For a sink the hooks are the
// same without Seek.
var stateTable = map[string]map[string]struct {
	hooks string
	state connect.State // of the connector; "" when it is gone
	task  connect.State // of its task, if that differs
}{
	"RUNNING": {
		"EOF":             {"OnStop", connect.Finished, ""},
		"error":           {"OnFailed OnStop", connect.Failed, ""},
		"passing error":   {"OnFailed OnStop", connect.Retrying, ""},
		"pause":           {"OnPause", connect.Paused, ""},
		"pause, resume":   {"OnPause OnStop OnStart Seek", connect.Running, ""},
		"stop":            {"OnStop", connect.Stopped, ""},
		"resume":          {"", connect.Running, ""},
		"restart":         {"OnStop OnStart Seek", connect.Running, ""},
		"reconfigure":     {"OnStop OnStart Seek", connect.Running, ""},
		"delete":          {"OnStop OnDestroyed", "", ""},
		"stop of gateway": {"OnStop", connect.Unassigned, ""},
	},
	"PAUSED": {
		"error":           {"OnFailed OnStop", connect.Paused, connect.Failed},
		"passing error":   {"OnFailed OnStop", connect.Paused, ""},
		"error, resume":   {"OnFailed OnStop OnStart Seek", connect.Running, ""},
		"pause":           {"", connect.Paused, ""},
		"stop":            {"OnStop", connect.Stopped, ""},
		"resume":          {"OnStop OnStart Seek", connect.Running, ""},
		"restart":         {"OnStop", connect.Paused, ""},
		"restart, resume": {"OnStop OnStart Seek", connect.Running, ""},
		"reconfigure":     {"OnStop", connect.Paused, ""},
		"delete":          {"OnStop OnDestroyed", "", ""},
		"stop of gateway": {"OnStop", connect.Unassigned, ""},
	},
	"FINISHED": {
		"pause":         {"", connect.Paused, connect.Finished},
		"stop":          {"", connect.Stopped, ""},
		"resume":        {"", connect.Finished, ""},
		"pause, resume": {"OnStart Seek OnStop", connect.Finished, ""},
		"restart":       {"OnStart Seek OnStop", connect.Finished, ""},
		"delete":        {"OnDestroyed", "", ""},
	},
	"RETRYING": {
		"pause":         {"", connect.Paused, ""},
		"pause, resume": {"OnStart Seek", connect.Running, ""},
		"stop":          {"", connect.Stopped, ""},
		"resume":        {"OnStart Seek", connect.Running, ""},
		"restart":       {"OnStart Seek", connect.Running, ""},
		"delete":        {"OnDestroyed", "", ""},
	},
	"FAILED": {
		"pause":         {"", connect.Paused, ""},
		"pause, resume": {"OnStart Seek", connect.Running, ""},
		"stop":          {"", connect.Stopped, ""},
		"resume":        {"OnStart Seek", connect.Running, ""},
		"restart":       {"OnStart Seek", connect.Running, ""},
		"delete":        {"OnDestroyed", "", ""},
	},
	"STOPPED": {
		"pause":         {"", connect.Paused, ""},
		"pause, resume": {"OnStart Seek", connect.Running, ""},
		"stop":          {"", connect.Stopped, ""},
		"resume":        {"OnStart Seek", connect.Running, ""},
		"restart":       {"", connect.Stopped, ""},
		"delete":        {"OnDestroyed", "", ""},
	},
}

func TestEveryCellOfTheStateTable(t *testing.T) {
	for _, class := range []string{"test-source", "test-sink"} {
		for from, row := range stateTable {
			for events, want := range row {
				if class == "test-sink" && (from == "FINISHED" || events == "EOF") {
					continue
				}
				t.Run(fmt.Sprintf("%s %s, %s", class, from, events), func(t *testing.T) {
					inWorld(t, func(w *world) {
						script := w.source
						if class == "test-sink" {
							script, want.hooks = w.sink, strings.ReplaceAll(want.hooks, " Seek", "")
						}
						w.start()
						w.bring(class, from)
						script.forget()
						for event := range strings.SplitSeq(events, ", ") {
							w.happen(script, event)
						}
						if got := script.hooks(); got != want.hooks {
							t.Errorf("hooks = %q, want %q", got, want.hooks)
						}
						if want.state == "" {
							if _, err := w.catalog.Status(w.t.Context(), "it"); !errors.Is(err, oms.ErrNotFound) {
								t.Errorf("status of a deleted connector: %v, want not found", err)
							}
							return
						}
						w.wantState("it", want.state)
						if want.task == "" {
							want.task = want.state
						}
						for _, task := range w.status("it").Tasks {
							if task.State != want.task {
								t.Errorf("the task is %s, want %s", task.State, want.task)
							}
						}
					})
				})
			}
		}
	}
}

// bring makes a connector and brings it into a state.
func (w *world) bring(class, state string) {
	w.t.Helper()
	config := []string{"restart.backoff.ms=3600000", "restart.backoff.max.ms=3600000"}
	script := w.sink
	if class == "test-source" {
		script = w.source
		config = append(config, map[bool]string{true: "last=2", false: "last=30"}[state == "FINISHED"])
	}
	w.create("it", class, config...)
	w.wait(5 * time.Second)
	switch state {
	case "PAUSED":
		w.happen(script, "pause")
	case "RETRYING":
		w.happen(script, "passing error")
	case "FAILED":
		w.happen(script, "error")
	case "STOPPED":
		w.happen(script, "stop")
	}
	w.wantState("it", connect.State(state))
}

// happen has an event happen to the connector, and waits until it has had its
// effect.
func (w *world) happen(script *scripted, event string) {
	w.t.Helper()
	commands := map[string]func(context.Context, string) error{
		"pause": w.catalog.Pause, "stop": w.catalog.Stop, "resume": w.catalog.Resume,
		"restart": w.catalog.Restart, "delete": w.catalog.Delete,
	}
	switch event {
	case "EOF":
		w.wait(time.Minute)
	case "error":
		script.env(0).Fail(errLasts)
	case "passing error":
		script.env(0).Fail(errPasses)
	case "reconfigure":
		script.env(0).Reconfigure()
	case "stop of gateway":
		w.shutdown()
	default:
		w.do(commands[event], "it")
	}
	w.wait(5 * time.Second)
}

func TestPausedResumerGoesOnWithTheSameInstance(t *testing.T) {
	for _, class := range []string{"test-source", "test-sink"} {
		inWorld(t, func(w *world) {
			w.source.resume, w.sink.resume = true, true
			script := w.source
			if class == "test-sink" {
				script = w.sink
			}
			w.start()
			w.bring(class, "PAUSED")
			script.forget()
			w.happen(script, "resume")
			if got := script.hooks(); got != "OnResume" {
				t.Errorf("%s: hooks = %s, want OnResume only", class, got)
			}
			w.wantState("it", connect.Running)
			script.forget()
			w.happen(script, "error") // reported through the Env of the start before the pause
			if got := script.hooks(); got != "OnFailed OnStop" {
				t.Errorf("%s: hooks after a failure = %q, want OnFailed OnStop", class, got)
			}
			w.wantState("it", connect.Failed)
		})
	}
}

func TestPauseOfAConnectorThatIsStartingIsNoFailure(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.onCall = func(ctx context.Context, _ connect.Env, hook, _ string) error {
			if hook == "OnStart" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		w.start()
		w.create("it", "test-source")
		w.wait(5 * time.Second)
		w.wantState("it", connect.Unassigned)
		w.happen(w.source, "pause")
		w.wantState("it", connect.Paused)
		if s := w.status("it"); s.Tasks[0].Cause != "" || s.Tasks[0].Attempts != 0 {
			t.Errorf("the pause counts as a failure: %+v", s.Tasks[0])
		}
		if got := w.source.hooks(); got != "OnStart OnStop" {
			t.Errorf("hooks = %s, want OnStart OnStop", got)
		}
	})
}
