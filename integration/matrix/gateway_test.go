package matrix

import (
	"net/http"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/gateways"
)

// A gateway is a gateway process in a folder of its own.
type gateway struct {
	*gateways.Process
	t *testing.T
}

// newGateway returns a gateway that does not run yet. Its paths are relative
// to its folder. While a test waits for it no connector may stand in FAILED.
func newGateway(t *testing.T, args ...string) *gateway {
	t.Helper()
	g := &gateway{Process: gateways.New(t, program, args...), t: t}
	g.Env = []string{"GOMAXPROCS=2"} // as on the smallest machine
	g.Watch = g.wantNoneFailed
	return g
}

// wantNoneFailed fails the test when a connector has given up.
func (g *gateway) wantNoneFailed(what string) {
	g.t.Helper()
	code, answer := g.Call(http.MethodGet, "/connectors?expand=omconnect", "")
	if code == http.StatusOK && strings.Contains(answer, `"state":"FAILED"`) {
		g.t.Fatalf("a connector failed while waiting for %s: %s", what, answer)
	}
}

// pause pauses a connector, and waits until it is.
func (g *gateway) pause(connector string) {
	g.t.Helper()
	g.Want(http.StatusAccepted, http.MethodPut, "/connectors/"+connector+"/pause", "")
	g.Is(connector, "PAUSED")
}

// resume resumes a connector, and waits until it runs.
func (g *gateway) resume(connector string) {
	g.t.Helper()
	g.Want(http.StatusAccepted, http.MethodPut, "/connectors/"+connector+"/resume", "")
	g.Is(connector, "RUNNING")
}

// complaints returns the lines of the log that tell of a failure. A task that
// could not start and tries again is a remark: it has moved nothing.
func (g *gateway) complaints() (failures, remarks []string) {
	for line := range strings.Lines(g.Said.String()) {
		line = strings.TrimSpace(line)
		failed := strings.Contains(line, "task failed")
		switch {
		case failed && strings.Contains(line, "level=WARN") && strings.Contains(line, `error="start: `):
			remarks = append(remarks, line)
		case failed || strings.Contains(line, "level=ERROR"):
			failures = append(failures, line)
		}
	}
	return failures, remarks
}

// wantQuiet fails the test when the log tells of a failure.
func (g *gateway) wantQuiet() {
	g.t.Helper()
	failures, remarks := g.complaints()
	for _, line := range failures {
		g.t.Errorf("nothing was wrong with broker and store, but the log has: %s", line)
	}
	for _, line := range remarks {
		g.t.Logf("the log has: %s", line)
	}
}
