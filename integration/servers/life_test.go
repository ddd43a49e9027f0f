package servers_test

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/internal/leaks"
)

func TestMain(m *testing.M) {
	// One goroutine of the Kafka client's meters stays for the whole process.
	leaks.Main(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

const patience = 2 * time.Minute

// lives takes a server through its life: it is stopped and killed, leaves no
// process behind, and comes back at its address with what kept says it has.
func lives(t *testing.T, s *servers.Server, kept func()) {
	t.Helper()
	addr := s.Addr()
	kept()
	for _, end := range []struct {
		name string
		end  func() error
	}{
		{"Stop", func() error { return s.Stop(t.Context()) }},
		{"Kill", func() error { s.Kill(); return nil }},
	} {
		mark := s.Mark()
		for range 2 { // the second time there is nothing to do
			if err := end.end(); err != nil {
				t.Fatalf("%s: %v", end.name, err)
			}
		}
		gone(t, end.name, mark)
		if err := s.Start(t.Context()); err != nil {
			t.Fatalf("Start after %s: %v", end.name, err)
		}
		if s.Addr() != addr {
			t.Errorf("after %s and Start the address is %s, want %s", end.name, s.Addr(), addr)
		}
		kept()
	}
	was := s.Mark()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, p := range s.Mark().Programs {
		if p != was.Programs[i] {
			t.Errorf("Start of a server that runs gives %v, want %v as before", p, was.Programs[i])
		}
	}
}

// gone waits until nothing is left of the server that had this mark: no member
// of a process group, nobody who holds its folder, nobody at its address.
func gone(t *testing.T, after string, m servers.Mark) {
	t.Helper()
	for _, p := range m.Programs {
		until(t, p.Name+" to leave no process after "+after, func() bool {
			return errors.Is(syscall.Kill(-p.PID, 0), syscall.ESRCH)
		})
	}
	stands, err := m.Stands(t.Context())
	if err != nil || stands {
		t.Errorf("after %s the server stands: %v, %v", after, stands, err)
	}
	until(t, "nobody to listen after "+after, func() bool {
		return errors.Is(dial(m.Addr), syscall.ECONNREFUSED)
	})
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-again.C:
		}
	}
}

// loopback reports every port, but for some, on which one of the server's
// processes listens to the world.
func loopback(t *testing.T, s *servers.Server, except ...int) {
	t.Helper()
	own := map[string]string{} // inodes of sockets, to the program
	for _, p := range s.Mark().Programs {
		for _, inode := range socketsOf(t, p.PID) {
			own[inode] = p.Name
		}
	}
	if len(own) == 0 {
		t.Fatal("no socket of the server is found: does the test look in the right place?")
	}
	listening := 0
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != "0A" || own[fields[9]] == "" {
				continue
			}
			listening++
			if port, err := strconv.ParseUint(fields[1][len(fields[1])-4:], 16, 16); err == nil && slices.Contains(except, int(port)) {
				continue
			}
			address, _, _ := strings.Cut(fields[1], ":")
			if !slices.Contains([]string{"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}, address) {
				t.Errorf("%s listens at %s (%s), want 127.0.0.1 or ::1", own[fields[9]], fields[1], table)
			}
		}
	}
	if listening == 0 {
		t.Error("the server listens nowhere: does the test look in the right place?")
	}
}

func socketsOf(t *testing.T, pid int) (inodes []string) {
	t.Helper()
	folder := procFolder(pid)
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		link, err := os.Readlink(folder + "/" + f.Name())
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	return inodes
}
