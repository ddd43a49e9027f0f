package integration

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/internal/gateways"
	"github.com/omconnect/omconnect/integration/internal/process"
)

// newNATS starts a NATS server as a process of its own, which ends with the
// test, and returns its address. What it confirms is on the disk.
func newNATS(t *testing.T) (addr string) {
	t.Helper()
	bin, err := crasher()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 10 { // somebody who reserves nothing may take the port meanwhile
		port, err := process.Reserve(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { process.Release(port, 1) })
		said := new(gateways.Transcript)
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), bin, "nats-server", strconv.Itoa(port), dir)
		cmd.Stderr, cmd.SysProcAttr = said, process.Tied()
		proc, err := process.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if answers(t, proc, said) {
			t.Cleanup(proc.Kill)
			return process.Addr(port)
		}
		t.Logf("the NATS server on port %d said:\n%s", port, said)
	}
	t.Fatal("no NATS server starts")
	return ""
}

// answers waits until a NATS server is ready, or has ended.
func answers(t *testing.T, proc *process.Process, said *gateways.Transcript) bool {
	t.Helper()
	deadline := time.After(time.Minute)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !strings.Contains(said.String(), "nats-server is ready") {
		select {
		case <-proc.Exited():
			return false
		case <-deadline:
			proc.Kill()
			return false
		case <-again.C:
		}
	}
	return true
}
