package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
)

// The programs that the tests run, each made once: without the race detector,
// which would slow the volumes down.
var (
	program = sync.OnceValues(func() (string, error) { return build("./cmd/omconnect") }) // as users build it
	crasher = sync.OnceValues(func() (string, error) { return build("./integration/crasher") })

	// The folder that they are in, made with the first of them.
	built = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "omconnect-test-")
		atEnd = func() { _ = os.RemoveAll(dir) }
		return dir, err
	})
	atEnd = func() {}
)

// build makes a program of the module.
func build(pkg string) (string, error) {
	dir, err := built()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", bin, pkg)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return bin, nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	atEnd()
	os.Exit(code)
}

// A transcript is what a process said, over all its starts. It may be read
// while the process runs.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A gateway is a gateway process in a folder of its own.
type gateway struct {
	t      *testing.T
	name   string // what it calls itself in the files of a crasher
	dir    string
	addr   string
	args   []string
	env    []string
	bin    func() (string, error)
	proc   *process.Process
	output *transcript
}

// newGateway returns a gateway that does not run yet. Its paths are relative
// to its folder.
func newGateway(t *testing.T, args ...string) *gateway {
	t.Helper()
	port, err := process.Reserve(t.Context(), 1) // it is stopped and started again
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Release(port, 1) })
	g := &gateway{t: t, name: "a", dir: t.TempDir(), addr: process.Addr(port), args: args, bin: program, output: new(transcript)}
	t.Cleanup(func() {
		if g.proc != nil {
			g.proc.Kill()
		}
		if t.Failed() {
			t.Logf("gateway %s said:\n%s", g.name, tail(g.output.String(), 6000))
		}
	})
	return g
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// file writes a file into the gateway's folder.
func (g *gateway) file(name, content string) {
	g.t.Helper()
	if err := os.WriteFile(g.path(name), []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) path(name string) string { return filepath.Join(g.dir, name) }

// launch starts the process and does not wait for anything.
func (g *gateway) launch() {
	g.t.Helper()
	bin, err := g.bin()
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(g.t.Context()), bin, append([]string{"run", "--listen", g.addr}, g.args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = g.dir, g.output, g.output, process.Tied()
	cmd.Env = append(append(os.Environ(), "OMCONNECT_CRASHER="+g.name), g.env...)
	if g.proc, err = process.Start(cmd); err != nil {
		g.t.Fatal(err)
	}
}

// start starts the process and waits until its API answers.
func (g *gateway) start() {
	g.t.Helper()
	g.launch()
	g.until("the API to answer", func() bool {
		code, _ := g.call(http.MethodGet, "/connectors", "")
		return code == http.StatusOK
	})
}

// id returns what the gateway is called in its store.
func (g *gateway) id() string {
	g.t.Helper()
	id, err := os.ReadFile(g.path("data/gateway.id"))
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.TrimSpace(string(id))
}

// kill ends the process as kill -9 does.
func (g *gateway) kill() { g.proc.Kill() }

// exit waits for the process to end and returns its exit code.
func (g *gateway) exit() int {
	g.t.Helper()
	select {
	case <-g.proc.Exited():
		return g.proc.State().ExitCode()
	case <-time.After(2 * time.Minute):
		g.t.Fatal("the gateway does not end")
		return 0
	}
}

// term stops the process as an operator does.
func (g *gateway) term() {
	g.t.Helper()
	if err := g.proc.Signal(syscall.SIGTERM); err != nil {
		g.t.Fatal(err)
	}
	if code := g.exit(); code != 0 {
		g.t.Fatalf("SIGTERM ended the gateway with exit code %d, want 0", code)
	}
}

// until waits for something to become true. The gateway must not end
// meanwhile.
func (g *gateway) until(what string, holds func() bool) {
	g.t.Helper()
	const patience = 2 * time.Minute
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-g.proc.Exited():
			g.t.Fatalf("the gateway ended (%s) while waiting for %s", g.proc.State(), what)
		case <-deadline:
			_, status := g.call(http.MethodGet, "/connectors?expand=omconnect", "")
			g.t.Fatalf("waited %v in vain for %s; the connectors are %s\n%s", patience, what, status, g.stacks())
		case <-again.C:
		}
	}
}

// stacks ends the gateway and returns what its goroutines were at.
func (g *gateway) stacks() string {
	g.t.Helper()
	from := len(g.output.String())
	if err := g.proc.Signal(syscall.SIGQUIT); err != nil {
		return err.Error()
	}
	<-g.proc.Exited()
	return g.output.String()[from:]
}

// call calls the API. The code is 0 when nothing answers.
func (g *gateway) call(method, path, body string) (code int, answer string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+g.addr+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// want calls the API and fails the test when the answer has another code.
func (g *gateway) want(code int, method, path, body string) string {
	g.t.Helper()
	got, answer := g.call(method, path, body)
	if got != code {
		g.t.Fatalf("%s %s = %d %s, want %d", method, path, got, answer, code)
	}
	return answer
}

// state returns the state of a connector in Kafka Connect's words.
func (g *gateway) state(name string) string {
	g.t.Helper()
	code, answer := g.call(http.MethodGet, "/connectors/"+name+"/status", "")
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
	b, err := os.ReadFile(g.path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		g.t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}
