package integration

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestDefinitionsPositionsAndPausesSurviveRestarts restarts the gateway, softly
// and by kill, between the steps of a connector's life.
func TestDefinitionsPositionsAndPausesSurviveRestarts(t *testing.T) {
	for _, state := range []string{"embedded", "redis"} {
		t.Run(state, func(t *testing.T) {
			g := newGateway(t)
			if state == "redis" {
				g.args = append(g.args, "--state", NewRedis(t).URL())
			}
			g.file("in.txt", "1\n2\n3\n")
			g.start()
			g.want(http.StatusCreated, http.MethodPost, "/connectors/in", `{"connector.class": "file-source", "file": "in.txt", "follow": true, "topic": "t"}`)
			g.want(http.StatusCreated, http.MethodPost, "/connectors/out", `{"connector.class": "file-sink", "file": "out.txt", "topics": "t"}`)
			g.until("three lines", func() bool { return g.lines("out.txt") == 3 })
			g.want(http.StatusAccepted, http.MethodPut, "/connectors/out/pause", "")
			g.until("the sink to pause", func() bool { return g.state("out") == "PAUSED" })
			g.term()

			g.start()
			g.until("the source to run", func() bool { return g.state("in") == "RUNNING" })
			g.until("the sink to be paused still", func() bool { return g.state("out") == "PAUSED" })
			g.kill()

			g.append("in.txt", "4\n")
			g.start()
			g.until("the sink to be paused still", func() bool { return g.state("out") == "PAUSED" })
			if n := g.lines("out.txt"); n != 3 {
				t.Fatalf("the paused sink wrote: %d lines, want 3", n)
			}
			g.want(http.StatusAccepted, http.MethodPut, "/connectors/out/resume", "")
			g.until("the fourth line", func() bool { return g.lines("out.txt") == 4 })
			g.want(http.StatusNoContent, http.MethodDelete, "/connectors/in", "")
			g.want(http.StatusNotFound, http.MethodGet, "/connectors/in", "")
			g.term()

			g.start()
			if got := strings.TrimSpace(g.want(http.StatusOK, http.MethodGet, "/connectors", "")); got != `["out"]` {
				t.Errorf("connectors = %s, want the one that was not deleted", got)
			}
			g.term()
			content, err := os.ReadFile(g.path("out.txt"))
			if err != nil || string(content) != "1\n2\n3\n4\n" {
				t.Errorf("the sink wrote %q, %v; want each line once", content, err)
			}
		})
	}
}

// append appends to a file in the gateway's folder.
func (g *gateway) append(name, content string) {
	g.t.Helper()
	f, err := os.OpenFile(g.path(name), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := f.WriteString(content); err != nil {
		g.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		g.t.Fatal(err)
	}
}
