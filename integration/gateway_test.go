package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/gateways"
	"github.com/omconnect/omconnect/integration/internal/stand"
)

// shared is what all tests of the package use.
var shared stand.Stand

// The programs that the tests run.
func program() (string, error) { return shared.Program("cmd/omconnect") }
func crasher() (string, error) { return shared.Program("integration/crasher") }

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// A gateway is a gateway process in a folder of its own.
type gateway struct {
	*gateways.Process
	t    *testing.T
	name string // what it calls itself in the files of a crasher
}

// newGateway returns a gateway that does not run yet. Its paths are relative
// to its folder.
func newGateway(t *testing.T, args ...string) *gateway {
	t.Helper()
	g := &gateway{Process: gateways.New(t, program, args...), t: t, name: "a"}
	g.plan("")
	return g
}

// plan says where a crasher kills or stops itself at its next start; "" for
// nowhere.
func (g *gateway) plan(crash string) {
	g.Env = []string{"OMCONNECT_CRASHER=" + g.name, "OMCONNECT_CRASH=" + crash}
}

// state returns the state of a connector in Kafka Connect's words.
func (g *gateway) state(name string) string {
	g.t.Helper()
	code, answer := g.Call(http.MethodGet, "/connectors/"+name+"/status", "")
	if code != http.StatusOK {
		return ""
	}
	var status struct {
		Connector struct{ State string }
	}
	if err := json.Unmarshal([]byte(answer), &status); err != nil {
		g.t.Fatal(err)
	}
	return status.Connector.State
}

// lines returns how many complete lines a file in the gateway's folder has.
func (g *gateway) lines(name string) int {
	b, err := os.ReadFile(g.Path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		g.t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}
