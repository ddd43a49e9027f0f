package integration_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration"
)

func TestRestartKeepsWhatWasWritten(t *testing.T) {
	r := integration.NewRedis(t)
	addr := r.Addr()
	say(t, addr, "SET kept yes")

	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := say(t, addr, "GET kept"); got != "yes" {
		t.Errorf("after Restart GET gives %q, want yes", got)
	}

	r.Kill()
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := say(t, addr, "GET kept"); got != "yes" {
		t.Errorf("after Kill and Restart GET gives %q, want yes", got)
	}
	if r.Addr() != addr {
		t.Errorf("restarted on %s, want %s", r.Addr(), addr)
	}
}

func TestFolderMayBeRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("here", 0o750); err != nil {
		t.Fatal(err)
	}
	r, err := integration.StartRedis(t.Context(), "here")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	if got := say(t, r.Addr(), "CONFIG GET dir"); !strings.HasSuffix(got, "/here") {
		t.Errorf("the server's folder is %s, want here", got)
	}
}

func TestStopAndKillLeaveNoProcess(t *testing.T) {
	for name, end := range map[string]func(*integration.Redis) error{
		"stop": func(r *integration.Redis) error { return r.Stop(t.Context()) },
		"kill": func(r *integration.Redis) error { r.Kill(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := integration.NewRedis(t)
			for range 2 { // the second time there is nothing to do
				if err := end(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := syscall.Kill(r.PID(), 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d: %v, want that it does not exist", r.PID(), err)
			}
		})
	}
}

// TestServerEndsWithAKilledTestProcess runs this test once more as a process
// of its own, which starts a server and is killed.
func TestServerEndsWithAKilledTestProcess(t *testing.T) {
	const inner = "OMCONNECT_TEST_INNER_DIR"
	if dir := os.Getenv(inner); dir != "" {
		r, err := integration.StartRedis(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "server %s\n", r.Addr())
		_, _ = io.Copy(io.Discard, os.Stdin) // until killed
		t.Fatal("was not killed")
	}

	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inner+"="+t.TempDir())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "server ")
	if err != nil || !ok {
		t.Errorf("the inner process says %q: %v", line, err)
	}
	conn := dial(t, addr)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	waitClosed(t, conn)
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	_, err := integration.StartRedis(t.Context(), t.TempDir(), "--no-such-option", "1")
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("got %v, want what redis-server says about its argument", err)
	}
	_, err = integration.StartRedis(t.Context(), t.TempDir()+"/missing")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the folder does not exist", err)
	}
}

func TestStartIsBoundedByItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := integration.StartRedis(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want that the context has ended", r, err)
	}
}

func TestMissingServerSaysHowToInstallIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := integration.StartRedis(t.Context(), t.TempDir())
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "apt-get install redis-server") {
		t.Errorf("got %v, want what to install", err)
	}
}

func TestRedisURLIsFromTheEnvironmentOrStarted(t *testing.T) {
	t.Setenv(integration.RedisEnv, "redis://db.example:6379/3")
	if got := integration.RedisURL(t); got != "redis://db.example:6379/3" {
		t.Errorf("got %q, want what the environment says", got)
	}
	t.Setenv(integration.RedisEnv, "")
	addr := strings.TrimSuffix(strings.TrimPrefix(integration.RedisURL(t), "redis://"), "/0")
	if got := say(t, addr, "CONFIG GET appendonly"); got != "yes" {
		t.Errorf("appendonly is %q, want yes", got)
	}
}

// say sends one command and returns the last line of its answer.
func say(t *testing.T, addr, command string) string {
	t.Helper()
	conn := dial(t, addr)
	defer conn.Close()
	if _, err := io.WriteString(conn, command+"\r\nQUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn) // QUIT closes, and says OK as everything does
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(answer), "\r\n+OK\r\n"), "\r\n")
	return lines[len(lines)-1]
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// waitClosed returns when the process at the other end is gone.
func waitClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server still runs")
	}
}
