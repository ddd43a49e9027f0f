package omconnect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
)

// asProgram has this test binary be the program, for the tests below.
const asProgram = "OMCONNECT_TEST_AS_PROGRAM"

// process starts the program as a process of its own.
func process(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	stderr = newBuffer()
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stderr
}

// until waits for a text in the stderr of a process.
func until(ctx context.Context, t *testing.T, stderr *buffer, text string) {
	t.Helper()
	for !strings.Contains(stderr.String(), text) {
		select {
		case <-stderr.changed:
		case <-ctx.Done():
			t.Fatalf("never said %q:\n%s", text, stderr)
		}
	}
}

func TestSIGTERMStopsAProcessWithExitCode0(t *testing.T) {
	c := newCopying(t, 10)
	for _, s := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, stderr := process(t, "run", "-c", c.file)
		until(t.Context(), t, stderr, "gateway started")
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v:\n%s", s, err, stderr)
		}
	}
}

func TestAProcessTellsBadUsageByItsExitCode(t *testing.T) {
	cmd, stderr := process(t, "run", "--nosuch")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitUsage {
		t.Errorf("%v:\n%s", err, stderr)
	}
}

// TestAKilledProcessLosesNothing kills a gateway while it copies, three times.
// Lines may be there twice afterwards; each is whole, and none is missing.
func TestAKilledProcessLosesNothing(t *testing.T) {
	const lines = 30_000
	c := newCopying(t, lines)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for i := range 3 {
		before := size(c.to)
		cmd, stderr := process(t, "run", "-c", c.file)
		c.append(t, lines+1000*i, 1000)
		for size(c.to) == before { // until it is in the middle of it
			select {
			case <-look.C:
			case <-t.Context().Done():
				t.Fatalf("nothing arrived:\n%s", stderr)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the process was not killed")
		}
	}
	if code, _, stderr := run(t, "run", "-c", c.file, "--until-idle"); code != exitGood {
		t.Fatalf("exit %d:\n%s", code, stderr)
	}
	arrived := make(map[string]bool)
	for line := range strings.Lines(read(t, c.to)) {
		arrived[line] = true
	}
	sent := 0
	for line := range strings.Lines(read(t, c.from)) {
		sent++
		if !arrived[line] {
			t.Fatalf("%q is missing, the %d. of the file", line, sent)
		}
		delete(arrived, line)
	}
	if len(arrived) > 0 {
		t.Errorf("%d lines arrived that were never sent", len(arrived))
	}
}

// size is that of a file, 0 while there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func TestTheReadmesConfigurationIsGood(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) == 0 {
		t.Error("README.md has no YAML: is the test looking for the right thing?")
	}
	for i, block := range append(blocks, []string{"", read(t, "examples/quickstart/gateway.yaml")}) {
		path := write(t, fmt.Sprintf("%d.yaml", i), block[1])
		if _, err := loadSettings(gatewayFlags{}, path, &connect.DefaultPlugins); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorsKeepTheirCause(t *testing.T) {
	err := badUsage("x: %w", os.ErrNotExist)
	if _, ok := errors.AsType[usageError](err); !ok || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %#v", err)
	}
}
