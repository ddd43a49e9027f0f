package gateways

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
)

// A Process is a gateway process in a folder of its own, to which its paths
// are relative. It may be started again after it has ended, on the same port.
// The fields may be changed between two starts.
type Process struct {
	API
	Dir  string
	Addr string // of its REST API
	Args []string
	Env  []string               // beside the test's own
	Bin  func() (string, error) // makes the program, or finds it
	Said Transcript

	tb   testing.TB
	proc *process.Process
}

// New returns a gateway that does not run yet. It ends with the test; when the
// test has failed, the end of what it said is logged.
func New(tb testing.TB, bin func() (string, error), args ...string) *Process {
	tb.Helper()
	port, err := process.Reserve(tb.Context(), 1)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Process{tb: tb, Dir: tb.TempDir(), Addr: process.Addr(port), Args: args, Bin: bin}
	p.API = NewAPI(tb, p)
	tb.Cleanup(func() {
		if p.proc != nil {
			p.proc.Kill()
		}
		process.Release(port, 1)
		if tb.Failed() {
			tb.Logf("the gateway at %s was started with %q, and said at last:\n%s", p.Addr, p.Args, p.Said.Tail(8000))
		}
	})
	return p
}

// URL returns where the REST API answers while the process runs.
func (p *Process) URL() string { return "http://" + p.Addr }

// Ended returns a channel that is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.proc.Exited() }

// How says how the process has ended.
func (p *Process) How() string { return p.State().String() }

// State returns how the process has ended. It must have.
func (p *Process) State() *os.ProcessState { return p.proc.State() }

// Path returns the path of a file in the gateway's folder.
func (p *Process) Path(name string) string { return filepath.Join(p.Dir, name) }

// File writes a file into the gateway's folder.
func (p *Process) File(name, content string) {
	p.tb.Helper()
	if err := os.WriteFile(p.Path(name), []byte(content), 0o600); err != nil {
		p.tb.Fatal(err)
	}
}

// ID returns what the gateway is called in its store.
func (p *Process) ID() string {
	p.tb.Helper()
	id, err := os.ReadFile(p.Path("data/gateway.id"))
	if err != nil {
		p.tb.Fatal(err)
	}
	return strings.TrimSpace(string(id))
}

// Launch starts the process, with more arguments if there are some, and does
// not wait for anything.
func (p *Process) Launch(args ...string) {
	p.tb.Helper()
	bin, err := p.Bin()
	if err != nil {
		p.tb.Fatal(err)
	}
	args = append(append([]string{"run", "--listen", p.Addr}, p.Args...), args...)
	cmd := exec.CommandContext(context.WithoutCancel(p.tb.Context()), bin, args...) //nolint:gosec // the test's own program
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.Dir, &p.Said, &p.Said, process.Tied()
	cmd.Env = append(os.Environ(), p.Env...)
	if p.proc, err = process.Start(cmd); err != nil {
		p.tb.Fatal(err)
	}
}

// Start starts the process and waits until its API answers.
func (p *Process) Start() {
	p.tb.Helper()
	p.Launch()
	p.Until("the API to answer", func() bool {
		code, _ := p.Call(http.MethodGet, "/connectors", "")
		return code == http.StatusOK
	})
}

// Signal sends the process a signal.
func (p *Process) Signal(sig os.Signal) {
	p.tb.Helper()
	if err := p.proc.Signal(sig); err != nil {
		p.tb.Fatal(err)
	}
}

// Kill ends the process as kill -9 does.
func (p *Process) Kill() { p.proc.Kill() }

// Term stops the process as an operator does, which must end in good order.
func (p *Process) Term() {
	p.tb.Helper()
	p.Signal(syscall.SIGTERM)
	p.Finish()
}

// Finish waits until the process ends, which must be in good order.
func (p *Process) Finish() {
	p.tb.Helper()
	if code := p.Exit(); code != 0 {
		p.tb.Fatalf("the gateway ended with %s, want exit code 0", p.How())
	}
}

// Exit waits until the process ends and returns its exit code; -1 when a
// signal has ended it.
func (p *Process) Exit() int {
	p.tb.Helper()
	select {
	case <-p.Ended():
		return p.State().ExitCode()
	case <-time.After(Patience):
		p.tb.Fatalf("the gateway has not ended after %v\n%s", Patience, p.Stacks())
		return 0
	}
}

// Stacks ends the process and returns what its goroutines were at.
func (p *Process) Stacks() string {
	from := len(p.Said.String())
	if err := p.proc.Signal(syscall.SIGQUIT); err != nil {
		return err.Error()
	}
	<-p.Ended()
	return p.Said.String()[from:]
}
