package rest_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/rest"
)

var since = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// one is a catalog of one status.
type one struct {
	rest.Catalog
	status   connect.Status
	restarts int
}

func (o *one) Status(context.Context, string) (connect.Status, error) { return o.status, nil }
func (o *one) Restart(context.Context, string) error                  { o.restarts++; return nil }

func task(n int, state connect.State, trace string) connect.TaskStatus {
	return connect.TaskStatus{Task: n, State: state, Worker: "w2:1", Trace: trace}
}

func TestStatusHasOnlyKafkaConnectsWords(t *testing.T) {
	type state = map[string]any
	for _, tc := range []struct {
		name      string
		status    connect.Status
		connector state
		tasks     []any
	}{
		{
			"nobody runs it",
			connect.Status{State: connect.Unassigned},
			state{"state": "UNASSIGNED", "worker_id": worker},
			[]any{},
		}, {
			"running",
			connect.Status{State: connect.Running, Worker: "w1:1", Tasks: []connect.TaskStatus{task(0, connect.Running, "old")}},
			state{"state": "RUNNING", "worker_id": "w1:1"},
			[]any{state{"id": 0., "state": "RUNNING", "worker_id": "w2:1"}},
		}, {
			"some tasks failed",
			connect.Status{State: connect.Degraded, Worker: "w1:1", Trace: "why", Tasks: []connect.TaskStatus{task(0, connect.Running, ""), task(1, connect.Failed, "why")}},
			state{"state": "RUNNING", "worker_id": "w1:1"},
			[]any{state{"id": 0., "state": "RUNNING", "worker_id": "w2:1"}, state{"id": 1., "state": "FAILED", "worker_id": "w2:1", "trace": "why"}},
		}, {
			"failed with a cause only",
			connect.Status{State: connect.Failed, Cause: "why", Tasks: []connect.TaskStatus{{Task: 0, State: connect.Failed, Cause: "why"}}},
			state{"state": "FAILED", "worker_id": worker, "trace": "why"},
			[]any{state{"id": 0., "state": "FAILED", "worker_id": worker, "trace": "why"}},
		}, {
			"retrying",
			connect.Status{State: connect.Retrying, Worker: "w1:1", Trace: "why", Tasks: []connect.TaskStatus{task(0, connect.Retrying, "why")}},
			state{"state": "RESTARTING", "worker_id": "w1:1", "trace": "why"},
			[]any{state{"id": 0., "state": "RESTARTING", "worker_id": "w2:1", "trace": "why"}},
		}, {
			"finished",
			connect.Status{State: connect.Finished, Worker: "w1:1", Tasks: []connect.TaskStatus{task(0, connect.Finished, "")}},
			state{"state": "RUNNING", "worker_id": "w1:1"},
			[]any{state{"id": 0., "state": "RUNNING", "worker_id": "w2:1"}},
		}, {
			"paused",
			connect.Status{State: connect.Paused, Worker: "w1:1", Tasks: []connect.TaskStatus{task(0, connect.Running, ""), task(1, connect.Failed, "why")}},
			state{"state": "PAUSED", "worker_id": "w1:1"},
			[]any{state{"id": 0., "state": "PAUSED", "worker_id": "w2:1"}, state{"id": 1., "state": "PAUSED", "worker_id": "w2:1"}},
		}, {
			"stopped",
			connect.Status{State: connect.Stopped, Worker: "w1:1", Tasks: []connect.TaskStatus{task(0, connect.Stopped, "")}},
			state{"state": "STOPPED", "worker_id": "w1:1"},
			[]any{},
		}, {
			"words of another version",
			connect.Status{State: "DANCING", Worker: "w1:1", Tasks: []connect.TaskStatus{task(0, "SINGING", ""), task(1, connect.Stopped, "")}},
			state{"state": "UNASSIGNED", "worker_id": "w1:1"},
			[]any{state{"id": 0., "state": "UNASSIGNED", "worker_id": "w2:1"}, state{"id": 1., "state": "UNASSIGNED", "worker_id": "w2:1"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.status.Name, tc.status.Kind = "orders", connect.KindSource
			res := call(newHandler(&one{status: tc.status}), "GET", "/connectors/orders/status", "")
			var got any
			if err := json.Unmarshal(res.Body.Bytes(), &got); err != nil || res.Code != 200 {
				t.Fatalf("got %d %s", res.Code, res.Body)
			}
			want := state{"name": "orders", "type": "source", "connector": tc.connector, "tasks": tc.tasks}
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("status differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTypeOfAnUnknownClassIsThereAllTheSame(t *testing.T) {
	res := call(newHandler(&one{status: connect.Status{Name: "orders", State: connect.Unassigned}}), "GET", "/connectors/orders/status", "")
	golden(t, "status-unknown-type", res.Body.Bytes())
}

func TestDetailHasEverythingThatIsKnown(t *testing.T) {
	local := since.In(time.FixedZone("somewhere", 3600)) // shown in UTC
	h := newHandler(&one{status: connect.Status{
		Name: "orders", Kind: connect.KindSource, Target: offsets.TargetRunning, Origin: "gateway.yaml:12",
		State: connect.Degraded, Worker: "w1:1", Since: local, By: "task failed", Cause: "disk full", Trace: "disk full\nat /data",
		Tasks: []connect.TaskStatus{
			{Task: 0, State: connect.Retrying, Worker: "w1:1", Since: local, By: "poll", Attempts: 3, NextRetry: local.Add(time.Minute), Cause: "disk full", Trace: "disk full\nat /data", Records: 7},
			{Task: 1, State: connect.Finished, Worker: "w1:1", Since: local, Records: 9007199254740993},
		},
	}})
	golden(t, "detail", call(h, "GET", "/connectors/orders/omconnect", "").Body.Bytes())
	golden(t, "detail-as-status", call(h, "GET", "/connectors/orders/status", "").Body.Bytes())
}

func TestDetailLeavesOutWhatIsNotKnown(t *testing.T) {
	w := newWorld(t)
	w.define("orders", ordersConfig)
	golden(t, "detail-new", w.want("GET", "/connectors/orders/omconnect", "", 200).Body.Bytes())
}

func TestRestartWithOptions(t *testing.T) {
	failed := connect.Status{Name: "orders", Kind: connect.KindSink, Target: offsets.TargetRunning, State: connect.Degraded, Worker: "w1:1", Tasks: []connect.TaskStatus{
		task(0, connect.Running, ""), task(1, connect.Failed, "why"),
	}}
	retrying := failed
	retrying.State, retrying.Tasks = connect.Running, []connect.TaskStatus{task(0, connect.Running, ""), task(1, connect.Retrying, "why")}
	paused := failed
	paused.Target, paused.State = offsets.TargetPaused, connect.Paused
	for _, tc := range []struct {
		golden, query string
		status        connect.Status
		restarts      int
	}{
		{"restart-tasks", "includeTasks=true", failed, 1},
		{"restart-failed", "includeTasks=true&onlyFailed=true", failed, 1},
		{"restart-none-failed", "onlyFailed=true", retrying, 0},
		{"restart-paused", "includeTasks=true", paused, 1},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			c := &one{status: tc.status}
			res := call(newHandler(c), "POST", "/connectors/orders/restart?"+tc.query, "")
			if res.Code != 202 || c.restarts != tc.restarts {
				t.Errorf("got %d and %d restarts, want 202 and %d", res.Code, c.restarts, tc.restarts)
			}
			golden(t, tc.golden, res.Body.Bytes())
		})
	}
}
