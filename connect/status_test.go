package connect

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/offsets"
)

func TestStateOfAConnectorIsDerivedFromItsTasks(t *testing.T) {
	for tasks, want := range map[string]State{
		"":                            Running,
		"RUNNING":                     Running,
		"RUNNING RUNNING":             Running,
		"RUNNING RETRYING":            Running,
		"RUNNING FINISHED":            Running,
		"RUNNING UNASSIGNED":          Running,
		"UNASSIGNED UNASSIGNED":       Unassigned,
		"FINISHED FINISHED":           Finished,
		"RETRYING RETRYING":           Retrying,
		"FAILED FAILED":               Failed,
		"FAILED RUNNING":              Degraded,
		"FAILED FINISHED":             Degraded,
		"RUNNING FAILED RETRYING":     Degraded,
		"UNASSIGNED FINISHED RUNNING": Running,
	} {
		var list []TaskStatus
		for i, state := range strings.Fields(tasks) {
			task := TaskStatus{Task: i, State: State(state)}
			if task.State == Failed || task.State == Retrying {
				task.Cause, task.Trace = "cause", "trace"
			}
			list = append(list, task)
		}
		state, cause, trace := overall(list)
		if state != want {
			t.Errorf("tasks %q: %s, want %s", tasks, state, want)
		}
		if known := state == Failed || state == Degraded || state == Retrying; known != (cause == "cause") || known != (trace == "trace") {
			t.Errorf("tasks %q: cause %q and trace %q, want them just where something has failed", tasks, cause, trace)
		}
	}
}

func TestWhatHoldsUpATaskThatRunsIsShownUnlessSomethingHasFailed(t *testing.T) {
	held := TaskStatus{State: Running, Cause: "held", Trace: "held, in full"}
	failed := TaskStatus{State: Failed, Cause: "failed", Trace: "failed, in full"}
	for want, tasks := range map[string][]TaskStatus{
		"RUNNING held":    {{State: Running}, held, {State: Retrying, Cause: "retried"}},
		"DEGRADED failed": {held, failed},
		"RUNNING ":        {{State: Running}, {State: Retrying, Cause: "retried"}},
	} {
		state, cause, trace := overall(tasks)
		if got := string(state) + " " + cause; got != want || cause != "" && trace != cause+", in full" {
			t.Errorf("tasks %+v: %q with trace %q, want %q", tasks, got, trace, want)
		}
	}
}

func TestStatusIsGatheredFromWhatIsPublished(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	in := Info{Name: "in", Kind: KindSource, Target: offsets.TargetRunning, Origin: "gateway.yaml:3"}
	if s := gather(in, nil); s.State != Unassigned || s.Tasks == nil || s.Origin != in.Origin || s.Kind != KindSource {
		t.Errorf("of a connector that nobody runs: %+v, want UNASSIGNED and no tasks", s)
	}
	s := gather(in, []offsets.Status{
		{Task: offsets.ConnectorTask, State: "RUNNING", Worker: "w:1", Since: at, By: "definition"},
		{Task: 0, State: "RUNNING", Records: 7},
		{Task: 1, State: "FAILED", Cause: "no", Trace: "no, in full", Attempts: 3},
	})
	if s.State != Degraded || s.Cause != "no" || s.Worker != "w:1" || !s.Since.Equal(at) || len(s.Tasks) != 2 || s.Tasks[0].Records != 7 || s.Tasks[1].Attempts != 3 {
		t.Errorf("status %+v, want DEGRADED with the cause of task 1", s)
	}
	// What the connector as a whole is counts before what its tasks last said.
	s = gather(in, []offsets.Status{{Task: 0, State: "RUNNING"}, {Task: offsets.ConnectorTask, State: "STOPPED"}})
	if s.State != Stopped {
		t.Errorf("state %s, want STOPPED", s.State)
	}
}
