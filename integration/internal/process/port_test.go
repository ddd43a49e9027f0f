package process_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/process"
)

func TestPortsAreNotThoseOfOutgoingConnections(t *testing.T) {
	for range 20 {
		port, err := process.FreePorts(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		if port < process.FirstPort || port+5 > process.LastPort {
			t.Errorf("got port %d, want five from %d to %d", port, process.FirstPort, process.LastPort)
		}
	}
}

func TestTakenPortIsNotFree(t *testing.T) {
	first, err := process.Reserve(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer process.Release(first, 3)
	if err := process.Free(t.Context(), first, 3); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", process.Addr(first+2))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := process.Free(t.Context(), first, 3); err == nil {
		t.Errorf("ports %d to %d are free, though somebody listens on the last", first, first+2)
	}
}

// TestReservedPortIsNobodyElses runs this test once more as a process of its
// own, which reserves ports until its input ends.
func TestReservedPortIsNobodyElses(t *testing.T) {
	const inner = "OMCONNECT_TEST_INNER_PORTS"
	if os.Getenv(inner) != "" {
		first, err := process.Reserve(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "ports %d\n", first)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}

	first, err := process.Reserve(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{first - 2, first, first + 2} {
		if err := process.ReserveAt(from, 3); err == nil {
			t.Errorf("%d to %d are reserved here, and can be reserved again from %d", first, first+2, from)
		}
	}
	process.Release(first, 3)
	if err := process.ReserveAt(first, 3); err != nil {
		t.Errorf("after Release: %v", err)
	}
	process.Release(first, 3)

	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inner+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	other, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "ports ")))
	if err != nil {
		t.Fatalf("the inner process says %q", line)
	}
	if err := process.ReserveAt(other, 1); err == nil {
		t.Errorf("port %d can be reserved, though another process has it", other)
	}
	stdin.Close()
	_, _ = io.Copy(io.Discard, stderr)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := process.ReserveAt(other, 1); err != nil {
		t.Errorf("port %d of a process that has ended: %v", other, err)
	}
	process.Release(other, 1)
}
