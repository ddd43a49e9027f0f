package integration

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
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
	for range 10 { // somebody may take the port meanwhile
		port, err := freePort(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		said := new(transcript)
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), bin, "nats-server", strconv.Itoa(port), dir)
		cmd.Stderr, cmd.SysProcAttr = said, tied()
		proc, err := start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if answers(t, proc, said) {
			t.Cleanup(proc.kill)
			return redisAddr(port)
		}
		t.Logf("the NATS server on port %d said:\n%s", port, said)
	}
	t.Fatal("no NATS server starts")
	return ""
}

// answers waits until a NATS server is ready, or has ended.
func answers(t *testing.T, proc *process, said *transcript) bool {
	t.Helper()
	deadline := time.After(startTimeout)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !strings.Contains(said.String(), "nats-server is ready") {
		select {
		case <-proc.exited:
			return false
		case <-deadline:
			proc.kill()
			return false
		case <-again.C:
		}
	}
	return true
}
