package omconnect

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// copying is a gateway that copies a file into another one.
type copying struct {
	file     string // gateway.yaml
	data     string
	from, to string
}

func newCopying(t *testing.T, lines int) copying {
	t.Helper()
	dir := t.TempDir()
	c := copying{
		file: filepath.Join(dir, "gateway.yaml"), data: filepath.Join(dir, "data"),
		from: filepath.Join(dir, "from.txt"), to: filepath.Join(dir, "to.txt"),
	}
	c.append(t, 0, lines)
	text := fmt.Sprintf(`
data: %s
rest.listen: 127.0.0.1:0
connectors:
  reading: {connector.class: file-source, file: %q, topic: lines, follow: true}
  writing: {connector.class: file-sink, file: %q, topics: lines}
`, c.data, c.from, c.to)
	if err := os.WriteFile(c.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// append adds lines with the numbers from first.
func (c copying) append(t *testing.T, first, n int) {
	t.Helper()
	f, err := os.OpenFile(c.from, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range n {
		fmt.Fprintf(f, "line %d\n", first+i)
	}
}

// check compares the two files.
func (c copying) check(t *testing.T) {
	t.Helper()
	if from, to := read(t, c.from), read(t, c.to); from != to {
		t.Errorf("%d bytes arrived, want these %d", len(to), len(from))
	}
}

func TestUntilIdleMovesEverythingAndGoesOnNextTime(t *testing.T) {
	c := newCopying(t, 300)
	code, stdout, stderr := run(t, "run", "-c", c.file, "--until-idle")
	if code != exitGood {
		t.Fatalf("exit %d:\n%s", code, stderr)
	}
	want := "reading  source  RUNNING  300 records\nwriting  sink    RUNNING  300 records\n"
	if stdout != want {
		t.Errorf("the summary is %q, want %q", stdout, want)
	}
	c.check(t)
	if strings.Contains(stderr, clearLine) {
		t.Error("there is a progress line, although stderr is no terminal")
	}
	c.append(t, 300, 20)
	if code, stdout, stderr = run(t, "run", "-c", c.file, "--until-idle"); code != exitGood {
		t.Fatalf("exit %d:\n%s", code, stderr)
	}
	if want := "reading  source  RUNNING  20 records\nwriting  sink    RUNNING  20 records\n"; stdout != want {
		t.Errorf("the second summary is %q, want %q", stdout, want)
	}
	c.check(t)
}

func TestUntilIdleFailsWhenAConnectorDoes(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "gateway.yaml", fmt.Sprintf(`
data: %s/data
connectors:
  reading: {connector.class: file-source, file: %q, topic: lines, restart.max.attempts: 0}
`, dir, dir)) // a folder
	code, stdout, stderr := run(t, "run", "-c", file, "--listen", "127.0.0.1:0", "--until-idle")
	if code != exitFailed || !strings.Contains(stderr, "omconnect: failed: reading") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
	if want := "reading  source  FAILED  0 records\n"; stdout != want {
		t.Errorf("the summary is %q, want %q", stdout, want)
	}
}

func TestAStopIsSoftAndGood(t *testing.T) {
	c := newCopying(t, 10)
	p := begin(t, "run", "-c", c.file, "--log-format", "json")
	p.await(`"msg":"gateway started"`)
	p.stop()
	if code := p.wait(); code != exitGood {
		t.Errorf("exit %d:\n%s", code, p.err)
	}
	if !strings.Contains(p.err.String(), `"msg":"stopping`) {
		t.Errorf("nothing tells of stopping:\n%s", p.err)
	}
	// Everything was given back: the next run has it.
	if code, _, stderr := run(t, "run", "-c", c.file, "--until-idle"); code != exitGood {
		t.Errorf("the next run: exit %d:\n%s", code, stderr)
	}
	c.check(t)
}

// A fuse is a context that is cancelled when it was asked for the n-th time,
// so that a run with each n stops in another phase.
type fuse struct {
	context.Context //nolint:containedctx // it is one
	cancel          context.CancelFunc
	left            atomic.Int64
}

func (f *fuse) burn() {
	if f.left.Add(-1) < 0 {
		f.cancel()
	}
}

func (f *fuse) Done() <-chan struct{} {
	f.burn()
	return f.Context.Done()
}

func (f *fuse) Err() error {
	f.burn()
	return f.Context.Err()
}

func TestAStopInAnyPhaseIsGood(t *testing.T) {
	c := newCopying(t, 10)
	started := false
	for n := int64(0); !started; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fuse{Context: ctx, cancel: cancel}
		f.left.Store(n)
		stderr := newBuffer()
		watched, stopWatching := context.WithCancel(t.Context())
		go func() { // a run that got through is stopped as well
			defer cancel()
			for !strings.Contains(stderr.String(), "gateway started") {
				select {
				case <-stderr.changed:
				case <-watched.Done():
					return
				}
			}
		}()
		code := Run(f, []string{"run", "-c", c.file}, strings.NewReader(""), newBuffer(), stderr)
		stopWatching()
		<-ctx.Done()
		if code != exitGood || strings.Contains(stderr.String(), "omconnect:") {
			t.Fatalf("stopped when asked for the %d. time: exit %d:\n%s", n, code, stderr)
		}
		started = f.left.Load() >= 0
	}
	if code, _, stderr := run(t, "run", "-c", c.file, "--until-idle"); code != exitGood {
		t.Errorf("the next run: exit %d:\n%s", code, stderr)
	}
	c.check(t)
}

func TestAPortInUseStopsBeforeAnythingMoves(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := newCopying(t, 10)
	code, _, stderr := run(t, "run", "-c", c.file, "--listen", taken.Addr().String(), "--until-idle")
	if code != exitFailed {
		t.Errorf("exit %d, want %d", code, exitFailed)
	}
	for _, want := range []string{"is in use", "--listen", taken.Addr().String()} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is missing in %q", want, stderr)
		}
	}
	if _, err := os.Stat(c.to); err == nil {
		t.Error("records were moved")
	}
}

func TestAnAddressThatCannotBeIsBadUsage(t *testing.T) {
	for _, address := range []string{"nonsense", "127.0.0.1:99999", "0.0.0.0:0", ":0"} {
		code, _, stderr := run(t, "run", "--data", t.TempDir(), "--listen", address)
		if code != exitUsage || !strings.Contains(stderr, "omconnect: REST: ") {
			t.Errorf("%s: exit %d, %q", address, code, stderr)
		}
	}
}

func TestConnectorsOfTheFileCanBePausedOverREST(t *testing.T) {
	c := newCopying(t, 10)
	p := begin(t, "run", "-c", c.file)
	p.await("gateway started")
	if status, body := p.get("/connectors"); status != http.StatusOK || body != "[\"reading\",\"writing\"]\n" {
		t.Errorf("GET /connectors: %d %s", status, body)
	}
	for _, args := range [][]string{{"pause", "writing"}, {"status", "writing"}, {"list"}} {
		code, stdout, stderr := run(t, append([]string{"connectors", "--url", p.url()}, args...)...)
		if code != exitGood {
			t.Errorf("%q: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
	if code, _, stderr := run(t, "connectors", "--url", p.url(), "delete", "writing"); code != exitFailed || !strings.Contains(stderr, c.file+":6") {
		t.Errorf("a connector of the file was deleted, or its line is not told: %d %s", code, stderr)
	}
	p.stop()
	if code := p.wait(); code != exitGood {
		t.Fatalf("exit %d:\n%s", code, p.err)
	}
	// The file is applied again, and the pause is kept.
	p = begin(t, "run", "-c", c.file)
	p.await("gateway started")
	if _, stdout, _ := run(t, "connectors", "--url", p.url(), "status", "writing"); !strings.Contains(stdout, "target      PAUSED") {
		t.Errorf("the pause did not outlive the restart:\n%s", stdout)
	}
}

func TestAWrongOptionOfABrokerIsBadUsage(t *testing.T) {
	code, _, stderr := run(t, "run", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--broker", "oms:embedded:///?durability=maybe&nosuch=1")
	if code != exitUsage || !strings.Contains(stderr, `durability: "maybe" is not one of`) || !strings.Contains(stderr, "nosuch: unknown key") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestAFileDoesNotTakeOverAConnectorOfREST(t *testing.T) {
	c := newCopying(t, 10)
	p := begin(t, "run", "--data", c.data, "--listen", "127.0.0.1:0")
	p.await("gateway started")
	if code, _, stderr := run(t, "connectors", "--url", p.url(), "create", "writing", "connector.class=log-sink", "topics=lines"); code != exitGood {
		t.Fatalf("create: exit %d: %s", code, stderr)
	}
	p.stop()
	p.wait()
	code, _, stderr := run(t, "run", "-c", c.file)
	if code != exitUsage || !strings.Contains(stderr, "was created over REST") || !strings.Contains(stderr, c.file+":6") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}
