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

	"github.com/omconnect/omconnect/integration"
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
	conn := dial(t, hostOf(url))
	pid, _ := remembered(t, dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitClosed(t, conn)
	if got := say(t, hostOf(up(t, dir)), "DBSIZE"); got != ":0" {
		t.Errorf("the new server has %s keys, want :0", got)
	}
}

// TestDownSparesAStranger: the remembered process id belongs to somebody else
// by now, here to a Redis at another address and to no Redis at all.
func TestDownSparesAStranger(t *testing.T) {
	mine, other := integration.NewRedis(t), integration.NewRedis(t)
	for name, pid := range map[string]int{"other redis": other.PID(), "no redis": os.Getpid()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			remember(t, dir, pid, mine.Addr())
			if err := integration.Down(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			for _, r := range []*integration.Redis{mine, other} {
				if got := say(t, r.Addr(), "PING"); got != "+PONG" {
					t.Errorf("PING gets %q, want +PONG", got)
				}
			}
		})
	}
}

// TestDownForgetsNothingThatMayRun: that the server could not be asked does
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

func up(t *testing.T, dir string) string {
	t.Helper()
	url, err := integration.Up(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := integration.Down(context.WithoutCancel(t.Context()), dir); err != nil {
			t.Error(err)
		}
	})
	return url
}

func hostOf(url string) string {
	return strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), "/0")
}

type memory struct {
	Redis struct {
		PID  int    `json:"pid"`
		Addr string `json:"addr"`
	} `json:"redis"`
}

func remember(t *testing.T, dir string, pid int, addr string) {
	t.Helper()
	var m memory
	m.Redis.PID, m.Redis.Addr = pid, addr
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "brokers.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remembered(t *testing.T, dir string) (pid int, addr string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "brokers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m memory
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m.Redis.PID, m.Redis.Addr
}
