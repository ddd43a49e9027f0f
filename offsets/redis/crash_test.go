package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// position counts.
func position(n int) map[offsets.Partition]offsets.Position {
	p := offsets.Position(fmt.Sprintf(`{"n":%d}`, n))
	return map[offsets.Partition]offsets.Position{`{"p":1}`: p, `{"p":2}`: p}
}

// TestKilledRedisLosesNothingThatWasCommitted kills the server while
// positions are committed, and brings it back.
func TestKilledRedisLosesNothingThatWasCommitted(t *testing.T) {
	r := integration.NewRedis(t, "--appendfsync", "always")
	s := open(t, r.URL()+"?durability=disk")
	l := acquire(t, s, "c", time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	told := make(chan int, 1<<16)
	ended := make(chan error, 1)
	go func() {
		defer close(told)
		for n := 1; ; n++ {
			err := s.Commit(ctx, l, position(n))
			switch {
			case ctx.Err() != nil:
				ended <- nil
				return
			case err == nil:
				told <- n
			case !oms.IsTemporary(err):
				ended <- err
				return
			}
		}
	}()
	last := 0
	for range 3 {
		for range 50 {
			n, ok := <-told
			if !ok {
				t.Fatal(<-ended)
			}
			last = n
		}
		r.Kill()
		if err := r.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What was told until now is in the store, or something later.
		for drained := false; !drained; {
			select {
			case last = <-told:
			default:
				drained = true
			}
		}
		if got := stored(t, s); got < last {
			t.Fatalf("after a restart the position is %d, and %d was committed", got, last)
		}
	}
	stop()
	for n := range told {
		last = n
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := stored(t, s); got < last {
		t.Fatalf("the position is %d, and %d was committed", got, last)
	}
	_, err := s.Acquire(t.Context(), l.Owner, "another", time.Hour)
	if !errors.Is(err, oms.ErrHeld) {
		t.Errorf("the lease did not outlive the restarts: %v", err)
	}
}

// stored returns what position has counted to.
func stored(t *testing.T, s *redis.Store) int {
	t.Helper()
	var ps map[offsets.Partition]offsets.Position
	await(t, "the server", func(ctx context.Context) (_ bool, err error) {
		ps, err = s.Load(ctx, "c")
		return err == nil, err
	})
	n := 0
	if len(ps) == 0 {
		return 0
	}
	if _, err := fmt.Sscanf(string(ps[`{"p":1}`]), `{"n":%d}`, &n); err != nil || len(ps) != 2 {
		t.Fatalf("the positions are %v, %v", ps, err)
	}
	return n
}

// TestFailoverThatRepeatsAnEpochFences has a master and a replica that both
// grant the same epoch, as they do when the last write is not replicated.
func TestFailoverThatRepeatsAnEpochFences(t *testing.T) {
	master, replica := integration.NewRedis(t, "--repl-diskless-sync-delay", "0"), integration.NewRedis(t)
	host, port, _ := strings.Cut(master.Addr(), ":")
	onReplica := client(t, replica.Addr())
	if err := onReplica.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	a, b := open(t, master.URL()+"?durability=replicas=1"), open(t, replica.URL())
	if err := b.Check(t.Context()); oms.CodeOf(err) != oms.ErrUnavailable || !strings.Contains(err.Error(), "replica of "+master.Addr()) {
		t.Errorf("a store on a replica: %v, want ErrUnavailable naming the master", err)
	}
	var first offsets.Lease
	await(t, "replication", func(ctx context.Context) (_ bool, err error) {
		first, err = a.Acquire(ctx, offsets.Owner{Connector: "c"}, "a", time.Hour)
		if err == nil {
			err = a.Commit(ctx, first, position(1))
		}
		return err == nil, err
	})
	if err := a.Release(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if n, err := client(t, master.Addr()).Wait(t.Context(), 1, time.Second).Result(); err != nil {
		t.Fatal(n, err)
	}
	await(t, "the release at the replica", func(ctx context.Context) (bool, error) {
		n, err := onReplica.Exists(ctx, "omc:{default:c}:lease:0").Result()
		return n == 0, err
	})

	if err := onReplica.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil { // promoted
		t.Fatal(err)
	}
	la, err := a.Acquire(t.Context(), first.Owner, "a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	err = a.Commit(t.Context(), la, position(2))
	if oms.CodeOf(err) != oms.ErrUnavailable || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("a commit on the old master: %v, want ErrUnavailable: no replica has it", err)
	}
	lb, err := b.Acquire(t.Context(), first.Owner, "b", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if epoch(la) != epoch(lb) || la.Token == lb.Token {
		t.Fatalf("the tokens are %s and %s: this test wants the same epoch", la.Token, lb.Token)
	}
	if err := b.Commit(t.Context(), la, position(3)); oms.CodeOf(err) != oms.ErrFenced || !strings.Contains(err.Error(), "b's now") {
		t.Errorf("the former owner's commit with the same epoch: %v, want ErrFenced naming b", err)
	}
	if err := b.Commit(t.Context(), lb, position(4)); err != nil {
		t.Error(err)
	}
	if got := stored(t, b); got != 4 {
		t.Errorf("the position is %d, want 4", got)
	}
}

func epoch(l offsets.Lease) string {
	e, _, _ := strings.Cut(l.Token, ":")
	return e
}

// childURL is the variable that makes the test program a gateway that takes
// a lease of half a second, and commits for each line that it reads.
const childURL = "OMCONNECT_TEST_CHILD_URL"

func child(url string) int {
	ctx := context.Background()
	s, err := redis.Open(url, quiet)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	l, err := s.Acquire(ctx, offsets.Owner{Connector: "c"}, "the-child", 500*time.Millisecond)
	fmt.Println("acquired", err)
	for in, n := bufio.NewScanner(os.Stdin), 1; in.Scan(); n++ {
		err := s.Commit(ctx, l, position(n))
		fmt.Println(n, oms.CodeOf(err), err)
	}
	return 0
}

// TestPausedOwnerIsFenced stops a gateway's process, as a debugger, a virtual
// machine or a long swap does, until its lease has ended.
func TestPausedOwnerIsFenced(t *testing.T) {
	r := integration.NewRedis(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+r.URL())
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("the child says %q, want %q", lines.Text(), want)
		}
	}
	says("acquired <nil>")
	fmt.Fprintln(in)
	says("1  <nil>")
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s := open(t, r.URL())
	var l offsets.Lease
	await(t, "the end of the lease", func(ctx context.Context) (_ bool, err error) {
		l, err = s.Acquire(ctx, offsets.Owner{Connector: "c"}, "the-parent", time.Hour)
		return err == nil, err
	})
	if err := s.Commit(t.Context(), l, position(7)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in)
	says("2 " + string(oms.ErrFenced))
	if !strings.Contains(lines.Text(), "the-parent") {
		t.Errorf("the error %q does not name the new owner", lines.Text())
	}
	if got := stored(t, s); got != 7 {
		t.Errorf("the position is %d, want 7", got)
	}
}
