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
				g.Args = append(g.Args, "--state", NewRedis(t).URL())
			}
			g.File("in.txt", "1\n2\n3\n")
			g.Start()
			g.Want(http.StatusCreated, http.MethodPost, "/connectors/in", `{"connector.class": "file-source", "file": "in.txt", "follow": true, "topic": "t"}`)
			g.Want(http.StatusCreated, http.MethodPost, "/connectors/out", `{"connector.class": "file-sink", "file": "out.txt", "topics": "t"}`)
			g.Until("three lines", func() bool { return g.lines("out.txt") == 3 })
			g.Want(http.StatusAccepted, http.MethodPut, "/connectors/out/pause", "")
			g.Until("the sink to pause", func() bool { return g.state("out") == "PAUSED" })
			g.Term()

			g.Start()
			g.Until("the source to run", func() bool { return g.state("in") == "RUNNING" })
			g.Until("the sink to be paused still", func() bool { return g.state("out") == "PAUSED" })
			g.Kill()

			g.append("in.txt", "4\n")
			g.Start()
			g.Until("the sink to be paused still", func() bool { return g.state("out") == "PAUSED" })
			if n := g.lines("out.txt"); n != 3 {
				t.Fatalf("the paused sink wrote: %d lines, want 3", n)
			}
			g.Want(http.StatusAccepted, http.MethodPut, "/connectors/out/resume", "")
			g.Until("the fourth line", func() bool { return g.lines("out.txt") == 4 })
			g.Want(http.StatusNoContent, http.MethodDelete, "/connectors/in", "")
			g.Want(http.StatusNotFound, http.MethodGet, "/connectors/in", "")
			g.Term()

			g.Start()
			if got := strings.TrimSpace(g.Want(http.StatusOK, http.MethodGet, "/connectors", "")); got != `["out"]` {
				t.Errorf("connectors = %s, want the one that was not deleted", got)
			}
			g.Term()
			content, err := os.ReadFile(g.Path("out.txt"))
			if err != nil || string(content) != "1\n2\n3\n4\n" {
				t.Errorf("the sink wrote %q, %v; want each line once", content, err)
			}
		})
	}
}

// append appends to a file in the gateway's folder.
func (g *gateway) append(name, content string) {
	g.t.Helper()
	f, err := os.OpenFile(g.Path(name), os.O_APPEND|os.O_WRONLY, 0o600)
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
