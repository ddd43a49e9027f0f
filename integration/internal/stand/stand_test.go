package stand_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/stand"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/internal/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func TestWhatTestsShareIsMadeOnceAndGoneInTheEnd(t *testing.T) {
	var s stand.Stand
	var starts atomic.Int64
	start := func(ctx context.Context, dir string, opts ...servers.Option) (*servers.Server, error) {
		starts.Add(1)
		return servers.StartRedis(ctx, dir, opts...)
	}
	addrs := make([]string, 4)
	var wg sync.WaitGroup
	for i := range addrs {
		wg.Go(func() { addrs[i] = s.Server(t, "redis", start).Addr() })
	}
	wg.Wait()
	if starts.Load() != 1 || addrs[0] != addrs[3] {
		t.Errorf("%d servers were started: %q", starts.Load(), addrs)
	}
	conn, err := net.Dial("tcp", addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	dir, err := s.Dir("some")
	if again, _ := s.Dir("some"); err != nil || again != dir || filepath.Base(dir) != "some" {
		t.Errorf("the folder is %s, and then %s: %v", dir, again, err)
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", addrs[0]); err == nil {
		conn.Close()
		t.Error("the server goes on")
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestAProgramOfTheModuleRuns(t *testing.T) {
	t.Parallel()
	var s stand.Stand
	defer func() {
		if err := s.End(); err != nil {
			t.Error(err)
		}
	}()
	bin, err := s.Program("cmd/omconnect")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := s.Program("cmd/omconnect"); again != bin {
		t.Errorf("it is %s, and then %s", bin, again)
	}
	out, err := exec.CommandContext(t.Context(), bin, "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "omconnect") {
		t.Errorf("it says %s, %v", out, err)
	}
	if _, err := s.Program("cmd/none"); err == nil || !strings.Contains(err.Error(), "build cmd/none") {
		t.Errorf("a program that is not there: %v", err)
	}
}

type exit int

func (e exit) Run() int { return int(e) }

func TestTheExitCodeIsThatOfTheTests(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 1, 3} {
		var s stand.Stand
		if _, err := s.Dir("some"); err != nil {
			t.Fatal(err)
		}
		if got := s.Main(exit(code)); got != code {
			t.Errorf("tests end with %d, the package with %d", code, got)
		}
	}
}

func TestWhatCouldNotBeMadeIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	var l stand.Lazy[int]
	for range 2 {
		if _, err := l.Get(func() (int, error) { return 0, os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := l.Get(func() (int, error) { return 7, nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the third time: %v", err)
	}
}
