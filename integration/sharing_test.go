package integration

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAKilledGatewayWithABrokerOfItsOwnComesBack: its place among those that
// share the store is still its own, and nobody else may come.
func TestAKilledGatewayWithABrokerOfItsOwnComesBack(t *testing.T) {
	t.Parallel()
	state := NewRedis(t)
	args := []string{"--state", state.URL()}
	g, other := newGateway(t, args...), newGateway(t, args...)
	for range 3 {
		g.Start()
		g.Kill()
		other.Launch()
		if code := other.Exit(); code != 2 {
			t.Fatalf("another gateway ended with exit code %d, want 2", code)
		}
	}
	if said := other.Said.String(); strings.Count(said, "shared with gateway "+g.ID()+" ("+g.Addr+", broker embedded)") != 3 {
		t.Errorf("the other gateway said:\n%s", said)
	}
	g.Start()
	g.Term()
	other.Start()
	other.Term()
}

// TestAGatewayThatIsAloneGoesOnWithoutItsRedis takes the store away for longer
// than a lease.
func TestAGatewayThatIsAloneGoesOnWithoutItsRedis(t *testing.T) {
	t.Parallel()
	state := NewRedis(t)
	g := newGateway(t, "--state", state.URL())
	g.File("in.txt", "1\n")
	g.Start()
	g.Want(http.StatusCreated, http.MethodPost, "/connectors/in", `{"connector.class": "file-source", "file": "in.txt", "follow": true, "topic": "t"}`)
	g.Want(http.StatusCreated, http.MethodPost, "/connectors/out", `{"connector.class": "file-sink", "file": "out.txt", "topics": "t"}`)
	g.Until("the first line", func() bool { return g.lines("out.txt") == 1 })
	state.Kill()
	<-time.After(12 * time.Second) // a lease has 10
	g.append("in.txt", "2\n")
	g.Until("a line without the store", func() bool { return g.lines("out.txt") == 2 })
	if err := state.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.Until("the source to run, as the store says", func() bool { return g.state("in") == "RUNNING" })
	g.append("in.txt", "3\n")
	g.Until("a line with the store", func() bool { return g.lines("out.txt") == 3 })
	g.Term()
	g.Start() // from the positions of the last run
	g.append("in.txt", "4\n")
	g.Until("a line of the next run", func() bool { return g.lines("out.txt") == 4 })
	g.Term()
	if content, err := os.ReadFile(g.Path("out.txt")); err != nil || string(content) != "1\n2\n3\n4\n" {
		t.Errorf("the sink wrote %q, %v; want each line once", content, err)
	}
	if said := g.Said.String(); strings.Contains(said, "task failed") {
		t.Errorf("a task was stopped:\n%s", said)
	}
}
