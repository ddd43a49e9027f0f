package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/embedded"
	"github.com/omconnect/omconnect/oms"
)

// childFolder is the variable that makes the test program a gateway that
// commits until it is killed.
const childFolder = "OMCONNECT_TEST_CHILD_FOLDER"

// child commits 1, 2, 3… for two partitions at once, goes on where the store
// says, and tells each number once it is committed.
func child(dir string) int {
	ctx := context.Background()
	s, err := embedded.Open(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := s.Acquire(ctx, offsets.Owner{Connector: "c"}, "the-gateway", time.Hour)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ps, err := s.Load(ctx, "c")
	n := 0
	if err == nil && len(ps) > 0 {
		_, err = fmt.Sscanf(string(ps[`{"p":1}`]), `{"n":%d}`, &n)
	}
	for ; err == nil; n++ {
		pos := offsets.Position(fmt.Sprintf(`{"n":%d}`, n+1))
		if err = s.Commit(ctx, l, map[offsets.Partition]offsets.Position{`{"p":1}`: pos, `{"p":2}`: pos}); err == nil {
			fmt.Println(n + 1)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestKillLosesNothingThatWasCommitted(t *testing.T) {
	dir := t.TempDir()
	told := 0
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childFolder+"="+dir)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; i < 10+7*round && lines.Scan(); i++ {
			fmt.Sscan(lines.Text(), &told)
		}
		if round == 0 {
			refuseSecond(t, dir)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it told before it died
			fmt.Sscan(lines.Text(), &told)
		}
		if _ = cmd.Wait(); said.Len() > 0 {
			t.Fatalf("the child said: %s", said.String())
		}
		checkCommitted(t, dir, told)
	}
}

// refuseSecond opens a folder that another process has open.
func refuseSecond(t *testing.T, dir string) {
	t.Helper()
	s, err := embedded.Open(dir)
	if !errors.Is(err, oms.ErrHeld) {
		t.Fatalf("opening a file that another process has open: %v, %v, want ErrHeld", s, err)
	}
	for _, part := range []string{dir, embedded.FileName, "another gateway", "stop it"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
}

// checkCommitted finds the last number that was told, or the one after it,
// which may have been committed untold, for both partitions.
func checkCommitted(t *testing.T, dir string, told int) {
	t.Helper()
	s, err := embedded.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ps, err := s.Load(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	fmt.Sscanf(string(ps[`{"p":1}`]), `{"n":%d}`, &got)
	if got != told && got != told+1 || ps[`{"p":1}`] != ps[`{"p":2}`] {
		t.Fatalf("after the kill the positions are %v, the child had told %d", ps, told)
	}
	_, err = s.Acquire(t.Context(), offsets.Owner{Connector: "c"}, "another", time.Hour)
	if !errors.Is(err, oms.ErrHeld) || !strings.Contains(err.Error(), "the-gateway") {
		t.Errorf("acquiring the killed gateway's lease: %v, want ErrHeld", err)
	}
}
