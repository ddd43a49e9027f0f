package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/integration/servers"
)

func TestServersStandUntilTakenDown(t *testing.T) {
	dir := t.TempDir()
	url := up(t, dir)
	if again := up(t, dir); again != url {
		t.Errorf("Up again gives %s, want %s", again, url)
	}
	conn := dial(t, hostOf(url))
	for range 2 { // the second time there is nothing to do
		if err := integration.Down(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	waitClosed(t, conn)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("Down leaves %v, %v", left, err)
	}
}

func TestUpReplacesAServerThatDied(t *testing.T) {
	dir := t.TempDir()
	url := up(t, dir)
	pid := remembered(t, dir).Programs[0].PID
	if got := say(t, hostOf(url), "SET here 1"); got != "+OK" {
		t.Fatalf("SET gets %q", got)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitGone(t, pid)
	if got := say(t, hostOf(up(t, dir)), "DBSIZE"); got != ":0" {
		t.Errorf("the new server has %s keys, want :0", got)
	}
}

// TestDownSparesAStranger: the remembered process has ended, and its id belongs
// to somebody else by now.
func TestDownSparesAStranger(t *testing.T) {
	other := integration.NewRedis(t)
	for name, pid := range map[string]int{"other redis": other.PID(), "no redis": os.Getpid()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mark := servers.Mark{Dir: filepath.Join(dir, "redis"), Addr: other.Addr()}
			mark.Programs = []servers.ProgramMark{{Name: "redis", PID: pid}}
			remember(t, dir, mark)
			if err := integration.Down(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			if got := say(t, other.Addr(), "PING"); got != "+PONG" {
				t.Errorf("PING gets %q, want +PONG", got)
			}
		})
	}
}

// TestDownForgetsNothingThatMayRun: that the server could not be ended does
// not mean that it is gone.
func TestDownForgetsNothingThatMayRun(t *testing.T) {
	dir := t.TempDir()
	url := up(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := integration.Down(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context has ended", err)
	}
	if again := up(t, dir); again != url {
		t.Errorf("Up gives %s, want %s, which still runs", again, url)
	}
}

func TestDamagedMemoryIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "brokers.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := integration.Up(t.Context(), dir); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Up: got %v, want the name of the damaged file", err)
	}
	if err := integration.Down(t.Context(), dir); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Down: got %v, want the name of the damaged file", err)
	}
}

func TestUpRefusesANameThatItDoesNotKnow(t *testing.T) {
	_, err := integration.Up(t.Context(), t.TempDir(), "redis", "rabbit")
	if err == nil || !strings.Contains(err.Error(), `"rabbit"`) || !strings.Contains(err.Error(), "rabbitmq") {
		t.Errorf("got %v, want the wrong name and those that are known", err)
	}
}

// up makes a Redis stand until the test ends, and returns its URL.
func up(t *testing.T, dir string) string {
	t.Helper()
	found, err := integration.Up(t.Context(), dir, "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := integration.Down(context.WithoutCancel(t.Context()), dir); err != nil {
			t.Error(err)
		}
	})
	if len(found) != 1 || found[0].Name != integration.RedisEnv {
		t.Fatalf("Up finds %v, want one Redis", found)
	}
	return found[0].Value
}

// waitGone waits until no process has the id. One that is killed closes its
// connections while it still listens and holds its lock.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	again, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func hostOf(url string) string {
	return strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), "/0")
}

func remember(t *testing.T, dir string, mark servers.Mark) {
	t.Helper()
	data, err := json.Marshal(map[string]servers.Mark{"redis": mark})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "brokers.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remembered(t *testing.T, dir string) servers.Mark {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "brokers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]servers.Mark
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all["redis"]
}
