package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
)

type (
	done          struct{}
	restartAnswer struct {
		Status int
		Body   *ConnectorStatus
	}
)

// controlRoutes are the calls that tell a connector what to do. They return
// once it is written down; the runtime then makes it so.
func (a *api) controlRoutes(h huma.API) {
	for _, r := range []struct {
		route
		do func(context.Context, string) error
	}{
		{route{id: "pause", method: http.MethodPut, path: "/connectors/{name}/pause", success: http.StatusAccepted, summary: "Have a connector stop reading and keep what is costly"}, a.catalog.Pause},
		{route{id: "resume", method: http.MethodPut, path: "/connectors/{name}/resume", success: http.StatusAccepted, summary: "Have a connector run again"}, a.catalog.Resume},
		{route{id: "stop", method: http.MethodPut, path: "/connectors/{name}/stop", success: http.StatusNoContent, summary: "Have a connector release everything"}, a.catalog.Stop},
		{route{id: "delete", method: http.MethodDelete, path: "/connectors/{name}", success: http.StatusNoContent, summary: "Delete a connector"}, a.catalog.Delete},
	} {
		r.fails = []int{404, 409, 503, 504}
		add(a, h, r.route, func(ctx context.Context, in *command) (*done, error) {
			return new(done), r.do(ctx, in.Name)
		})
	}
	add(a, h, route{
		id: "restart", method: http.MethodPost, path: "/connectors/{name}/restart", success: http.StatusAccepted,
		summary: "Have a connector start anew from its positions", fails: []int{404, 409, 503, 504},
		answers: map[string]*huma.Response{"204": {Description: "It will restart; this is the answer without options"}},
	}, a.restart)
}

func (a *api) restart(ctx context.Context, in *restart) (*restartAnswer, error) {
	if !in.IncludeTasks && !in.OnlyFailed {
		if err := a.catalog.Restart(ctx, in.Name); err != nil {
			return nil, err
		}
		return &restartAnswer{Status: http.StatusNoContent}, nil
	}
	s, err := a.catalog.Status(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if !in.OnlyFailed || hasFailed(s) {
		if err := a.catalog.Restart(ctx, in.Name); err != nil {
			return nil, err
		}
		s = restarting(s)
	}
	told := a.newStatus(s)
	return &restartAnswer{Status: http.StatusAccepted, Body: &told}, nil
}

// hasFailed reports whether a connector waits for somebody to restart it. One
// that will be tried again by itself does not.
func hasFailed(s connect.Status) bool {
	return s.State == connect.Failed || slices.ContainsFunc(s.Tasks, func(t connect.TaskStatus) bool { return t.State == connect.Failed })
}

// restarting returns the status that is about to be true: the store has the
// one from before the restart still. A restart starts nothing that is told to
// stand.
func restarting(s connect.Status) connect.Status {
	if s.Target != offsets.TargetRunning {
		return s
	}
	s.State, s.Trace, s.Cause = stateRestarting, "", ""
	s.Tasks = slices.Clone(s.Tasks)
	for i := range s.Tasks {
		s.Tasks[i].State, s.Tasks[i].Trace, s.Tasks[i].Cause = stateRestarting, "", ""
	}
	return s
}
