package rest_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

const liveConfig = `{"connector.class": "live-source", "topic": "t", "tasks.max": 2}`

// What Kafka Connect's users and tools see of a connector's life.
func TestLifeOfAConnectorOverREST(t *testing.T) {
	alive(t, func(g *living) {
		g.want("POST", "/connectors", `{"name": "in", "config": `+liveConfig+`}`, 201)
		for _, step := range []struct {
			method, path string
			status       int
			states       string
		}{
			{"GET", "", 200, "RUNNING RUNNING RUNNING"},
			{"PUT", "/pause", 202, "PAUSED PAUSED PAUSED"},
			{"PUT", "/pause", 202, "PAUSED PAUSED PAUSED"},
			{"POST", "/restart", 204, "PAUSED PAUSED PAUSED"},
			{"PUT", "/resume", 202, "RUNNING RUNNING RUNNING"},
			{"PUT", "/resume", 202, "RUNNING RUNNING RUNNING"},
			{"PUT", "/stop", 204, "STOPPED"},
			{"PUT", "/stop", 204, "STOPPED"},
			{"POST", "/restart", 204, "STOPPED"},
			{"PUT", "/pause", 202, "PAUSED PAUSED PAUSED"},
			{"PUT", "/stop", 204, "STOPPED"},
			{"PUT", "/resume", 202, "RUNNING RUNNING RUNNING"},
			{"POST", "/restart?includeTasks=true", 202, "RUNNING RUNNING RUNNING"},
			{"POST", "/restart?onlyFailed=true", 202, "RUNNING RUNNING RUNNING"},
		} {
			g.want(step.method, "/connectors/in"+step.path, "", step.status)
			g.wantStates("in", step.states)
		}
		info := g.want("GET", "/connectors/in", "", 200).Body.String()
		if !strings.Contains(info, `"tasks":[{"connector":"in","task":0},{"connector":"in","task":1}]`) {
			t.Errorf("got %s, want two tasks", info)
		}
		g.want("DELETE", "/connectors/in", "", 204)
		for _, path := range []string{"", "/status", "/omconnect"} {
			wantError(t, g.want("GET", "/connectors/in"+path, "", 404), 404)
		}
		if got := g.called("in", "OnDestroyed"); got != 1 {
			t.Errorf("OnDestroyed was called %d times, want once", got)
		}
		g.want("POST", "/connectors", `{"name": "in", "config": `+liveConfig+`}`, 201)
		g.wantStates("in", "RUNNING RUNNING RUNNING")
	})
}

func TestInitialStateIsKept(t *testing.T) {
	alive(t, func(g *living) {
		for state, want := range map[string]string{"STOPPED": "STOPPED", "PAUSED": "PAUSED PAUSED PAUSED", "RUNNING": "RUNNING RUNNING RUNNING"} {
			g.want("POST", "/connectors", `{"name": "`+state+`", "initial_state": "`+state+`", "config": `+liveConfig+`}`, 201)
			g.wantStates(state, want)
			if started := g.called(state, "OnStart") > 0; started != (state == "RUNNING") {
				t.Errorf("%s: started %t", state, started)
			}
			g.want("PUT", "/connectors/"+state+"/resume", "", 202)
			g.wantStates(state, "RUNNING RUNNING RUNNING")
		}
	})
}

func TestFailedTasksAreRestarted(t *testing.T) {
	alive(t, func(g *living) {
		var broken atomic.Bool
		broken.Store(true)
		g.do(func(_ context.Context, name, hook string) error {
			if broken.Load() && name == "in" && hook == "Poll" {
				return &oms.Error{Op: "read", Code: oms.ErrFormat, Err: errors.New("no date in row 7")}
			}
			return nil
		})
		g.want("POST", "/connectors/in", liveConfig, 201)
		g.want("POST", "/connectors/good", liveConfig, 201)
		g.wantStates("in", "FAILED FAILED FAILED")
		if got := g.want("GET", "/connectors/in/status", "", 200).Body.String(); strings.Count(got, "no date in row 7") != 3 {
			t.Errorf("got %s, want the trace of the connector and of both tasks", got)
		}
		g.want("PUT", "/connectors/in/pause", "", 202) // Kafka Connect takes that too
		g.want("PUT", "/connectors/in/resume", "", 202)
		g.wantStates("in", "FAILED FAILED FAILED")
		broken.Store(false)
		started := g.called("good", "OnStart")
		for _, query := range []string{"?onlyFailed=true", "?onlyFailed=true&includeTasks=true"} {
			res := g.want("POST", "/connectors/good/restart"+query, "", 202).Body.String()
			if strings.Contains(res, "RESTARTING") || g.called("good", "OnStart") != started {
				t.Errorf("what has not failed was restarted: %s", res)
			}
		}
		res := g.want("POST", "/connectors/in/restart?onlyFailed=true&includeTasks=true", "", 202).Body.String()
		if got := strings.Count(res, `"state":"RESTARTING"`); got != 3 {
			t.Errorf("got %s, want connector and tasks RESTARTING", res)
		}
		g.wantStates("in", "RUNNING RUNNING RUNNING")
		wantError(t, g.want("POST", "/connectors/none/restart?includeTasks=true", "", 404), 404)
		wantError(t, g.want("POST", "/connectors/none/restart", "", 404), 404)
	})
}

func TestBrokerOutageIsNotTheAPIs(t *testing.T) {
	alive(t, func(g *living) {
		g.want("POST", "/connectors/in", liveConfig, 201)
		g.broker.SetDown(oms.ErrUnavailable)
		g.want("PUT", "/connectors/in/pause", "", 202)
		g.want("POST", "/connectors/out", `{"connector.class": "live-sink", "topics": "t"}`, 201)
		g.want("POST", "/connectors/more", liveConfig, 201)
		g.want("PUT", "/connectors/in/resume", "", 202)
		g.want("GET", "/connectors?expand=status&expand=info", "", 200)
		g.want("DELETE", "/connectors/more", "", 204)
		g.broker.SetDown(nil)
		time.Sleep(2 * time.Minute)
		g.wantStates("in", "RUNNING RUNNING RUNNING")
		g.wantStates("out", "RUNNING RUNNING")
		if g.called("out", "Put") == 0 {
			t.Error("the sink has got nothing when the broker was back")
		}
	})
}

// A connector that does not return from a hook blocks itself only.
func TestBlockingConnectorDoesNotBlockTheAPI(t *testing.T) {
	for _, hook := range []string{"New", "OnStart", "Poll", "OnPause", "OnStop", "OnFailed", "OnDestroyed"} {
		t.Run(hook, func(t *testing.T) {
			alive(t, func(g *living) {
				release := make(chan struct{})
				defer g.stop()
				defer close(release)
				g.do(func(_ context.Context, name, h string) error {
					switch {
					case name == "bad" && h == hook:
						<-release
					case name == "bad" && h == "Poll" && hook == "OnFailed":
						return errors.New("to see OnFailed")
					}
					return nil
				})
				prompt := func(method, path, body string, status int) {
					t.Helper()
					began := time.Now()
					res := call(g.handler, method, path, body)
					if res.Code != status || time.Since(began) > time.Second {
						t.Errorf("%s %s: got %d %s after %v, want %d at once", method, path, res.Code, res.Body, time.Since(began), status)
					}
					time.Sleep(2 * time.Second)
				}
				prompt("POST", "/connectors/bad", liveConfig, 201)
				prompt("POST", "/connectors/good", liveConfig, 201)
				g.wantStates("good", "RUNNING RUNNING RUNNING")
				for _, verb := range []string{"pause", "resume"} {
					prompt("PUT", "/connectors/bad/"+verb, "", 202)
				}
				prompt("POST", "/connectors/bad/restart", "", 204)
				prompt("PUT", "/connectors/bad/stop", "", 204)
				prompt("GET", "/connectors?expand=status&expand=info&expand=omconnect", "", 200)
				prompt("DELETE", "/connectors/bad", "", 204)
				prompt("GET", "/connectors/bad", "", 404)
				prompt("PUT", "/connectors/good/pause", "", 202)
				g.wantStates("good", "PAUSED PAUSED PAUSED")
				time.Sleep(5 * time.Minute) // until every instance that hangs is abandoned
				prompt("POST", "/connectors/bad", liveConfig, 201)
			})
		})
	}
}
