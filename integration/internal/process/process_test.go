package process_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
	"github.com/omconnect/omconnect/internal/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const patience = 30 * time.Second

func TestKillEndsWhatTheProcessHasStarted(t *testing.T) {
	p, child := family(t, process.Tied(), "")
	p.Kill()
	p.Kill() // there is nothing left to kill
	if p.Running() {
		t.Error("it still runs")
	}
	if ws, ok := p.State().Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %s, want the signal KILL", p.State())
	}
	wantGone(t, child)
}

func TestStopAsksFirst(t *testing.T) {
	p, child := family(t, process.Tied(), "trap 'exit 7' TERM")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Stop(ctx, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := p.State().ExitCode(); got != 7 {
		t.Errorf("it ended with code %d, want 7, its own", got)
	}
	wantGone(t, child)
	if err := p.Stop(ctx, syscall.SIGTERM); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	p, child := family(t, process.Tied(), "trap '' TERM")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ctx, syscall.SIGTERM); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was killed when the context ended", err)
	}
	wantGone(t, child)
}

func TestProgramThatIsMissingIsAnError(t *testing.T) {
	cmd := exec.Command(filepath.Join(t.TempDir(), "missing"))
	if _, err := process.Start(cmd); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}

func TestEndEndsTheHolderOfTheLock(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	p, child := holder(t, lock, "trap '' TERM")
	if held, err := process.Held(lock); err != nil || !held {
		t.Fatalf("held: %v, %v, want true", held, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // patience with the first holder
	defer cancel()
	if _, err := process.Hold(short, exec.Command("true"), lock); err == nil || !strings.Contains(err.Error(), lock) {
		t.Errorf("a second holder gets %v, want that the folder is taken", err)
	}
	if err := process.End(short, p.PID(), lock); err != nil {
		t.Fatal(err)
	}
	if held, err := process.Held(lock); err != nil || held {
		t.Errorf("held: %v, %v, want false", held, err)
	}
	wantGone(t, child)
	<-p.Exited()
}

func TestEndSparesWhoeverHasTheIDNow(t *testing.T) {
	p, _ := family(t, process.Tied(), "")
	lock := filepath.Join(t.TempDir(), "lock")
	for range 2 { // without the file, then with one that nobody holds
		if err := process.End(t.Context(), p.PID(), lock); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(lock, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !p.Running() {
		t.Error("a stranger was ended")
	}
	p.Kill()
}

// family starts a shell with a child, and returns both.
func family(t *testing.T, attr *syscall.SysProcAttr, before string) (p *process.Process, child int) {
	t.Helper()
	return run(t, script(before), attr)
}

func holder(t *testing.T, lock, before string) (p *process.Process, child int) {
	t.Helper()
	cmd := script(before)
	file, err := process.Hold(t.Context(), cmd, lock)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return run(t, cmd, process.Detached())
}

func script(before string) *exec.Cmd {
	return exec.Command("sh", "-c", before+"\nsleep 600 & echo $!\nwait\nwait")
}

func run(t *testing.T, cmd *exec.Cmd, attr *syscall.SysProcAttr) (p *process.Process, child int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cmd.Stdout, cmd.SysProcAttr = w, attr
	if p, err = process.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if child, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return p, child
}

func wantGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		select {
		case <-deadline:
			t.Fatalf("process %d is still there", pid)
		case <-again.C:
		}
	}
}
