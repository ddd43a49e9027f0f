package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
)

// patience is how long something may take that is not bounded otherwise. It is
// met only by what hangs.
const patience = 2 * time.Minute

// A transcript is what a process said, over all its starts.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A gateway is a gateway process in a folder of its own.
type gateway struct {
	t    *testing.T
	dir  string
	addr string
	args []string
	proc *process.Process
	said transcript
}

// newGateway returns a gateway that does not run yet. Its paths are relative
// to its folder.
func newGateway(t *testing.T, args ...string) *gateway {
	t.Helper()
	port, err := process.Reserve(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, dir: t.TempDir(), addr: process.Addr(port), args: args}
	t.Cleanup(func() {
		if g.proc != nil {
			g.proc.Kill()
		}
		process.Release(port, 1)
		if t.Failed() {
			text := g.said.String()
			t.Logf("the gateway was started with %q, and said at last:\n%s", args, text[max(0, len(text)-8000):])
		}
	})
	return g
}

func (g *gateway) path(name string) string { return filepath.Join(g.dir, name) }

// launch starts the process and does not wait for anything.
func (g *gateway) launch(args ...string) {
	g.t.Helper()
	bin, err := shared.binary()
	if err != nil {
		g.t.Fatal(err)
	}
	args = append(append([]string{"run", "--listen", g.addr}, g.args...), args...)
	cmd := exec.CommandContext(context.WithoutCancel(g.t.Context()), bin, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = g.dir, &g.said, &g.said, process.Tied()
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2") // as on the smallest machine
	if g.proc, err = process.Start(cmd); err != nil {
		g.t.Fatal(err)
	}
}

// start starts the process and waits until its API answers.
func (g *gateway) start() {
	g.t.Helper()
	g.launch()
	g.until("the API to answer", func() bool {
		code, _ := g.call(http.MethodGet, "/connectors", "")
		return code == http.StatusOK
	})
}

// kill ends the process as kill -9 does.
func (g *gateway) kill() { g.proc.Kill() }

// term stops the process as an operator does.
func (g *gateway) term() {
	g.t.Helper()
	if err := g.proc.Signal(syscall.SIGTERM); err != nil {
		g.t.Fatal(err)
	}
	g.exits()
}

// exits waits until the process ends, which must be in good order.
func (g *gateway) exits() {
	g.t.Helper()
	select {
	case <-g.proc.Exited():
	case <-time.After(patience):
		g.t.Fatalf("the gateway has not ended after %v", patience)
	}
	if state := g.proc.State(); state.ExitCode() != 0 {
		g.t.Fatalf("the gateway ended with %s, want exit code 0", state)
	}
}

// until waits for something to become true. The gateway must not end
// meanwhile, and no connector may stand in FAILED.
func (g *gateway) until(what string, holds func() bool) {
	g.t.Helper()
	g.untilBy(what, holds, nil)
}

// untilBy is until for what may take long, as long as the number that progress
// returns grows.
func (g *gateway) untilBy(what string, holds func() bool, progress func() int) {
	g.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	last := -1
	for tick := 1; !holds(); tick++ {
		if progress != nil {
			if now := progress(); now != last {
				last = now
				deadline.Reset(patience)
			}
		}
		if tick%40 == 0 {
			g.wantNoneFailed(what)
		}
		select {
		case <-g.proc.Exited():
			g.t.Fatalf("the gateway ended (%s) while waiting for %s", g.proc.State(), what)
		case <-deadline.C:
			_, status := g.call(http.MethodGet, "/connectors?expand=omconnect", "")
			g.t.Fatalf("waited %v in vain for %s; the connectors are %s", patience, what, status)
		case <-again.C:
		}
	}
}

// wantNoneFailed fails the test when a connector has given up.
func (g *gateway) wantNoneFailed(what string) {
	g.t.Helper()
	code, answer := g.call(http.MethodGet, "/connectors?expand=omconnect", "")
	if code == http.StatusOK && strings.Contains(answer, `"state":"FAILED"`) {
		g.t.Fatalf("a connector failed while waiting for %s: %s", what, answer)
	}
}

// call calls the API. The code is 0 when nothing answers.
func (g *gateway) call(method, path, body string) (code int, answer string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+g.addr+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// want calls the API and fails the test when the answer has another code.
func (g *gateway) want(code int, method, path, body string) {
	g.t.Helper()
	if got, answer := g.call(method, path, body); got != code {
		g.t.Fatalf("%s %s = %d %s, want %d", method, path, got, answer, code)
	}
}

// A detail is what is known of what a connector is doing.
type detail struct {
	State string
	Tasks []struct {
		State   string
		Records int // moved since the gateway started
	}
}

func (d detail) records() (n int) {
	for _, task := range d.Tasks {
		n += task.Records
	}
	return n
}

func (g *gateway) detail(connector string) (d detail) {
	g.t.Helper()
	code, answer := g.call(http.MethodGet, "/connectors/"+connector+"/omconnect", "")
	if code != http.StatusOK {
		return d
	}
	if err := json.Unmarshal([]byte(answer), &d); err != nil {
		g.t.Fatal(err)
	}
	return d
}

// is waits until a connector and all its tasks are in a state.
func (g *gateway) is(connector, state string) {
	g.t.Helper()
	g.until(fmt.Sprintf("%s to be %s", connector, state), func() bool {
		d := g.detail(connector)
		for _, task := range d.Tasks {
			if task.State != state {
				return false
			}
		}
		return d.State == state && len(d.Tasks) > 0
	})
}

// pause pauses a connector, and waits until it is.
func (g *gateway) pause(connector string) {
	g.t.Helper()
	g.want(http.StatusAccepted, http.MethodPut, "/connectors/"+connector+"/pause", "")
	g.is(connector, "PAUSED")
}

// resume resumes a connector, and waits until it runs.
func (g *gateway) resume(connector string) {
	g.t.Helper()
	g.want(http.StatusAccepted, http.MethodPut, "/connectors/"+connector+"/resume", "")
	g.is(connector, "RUNNING")
}

// complaints returns the lines of the log that tell of a failure. A task that
// could not start and tries again is a remark: it has moved nothing.
func (g *gateway) complaints() (failures, remarks []string) {
	for line := range strings.Lines(g.said.String()) {
		line = strings.TrimSpace(line)
		failed := strings.Contains(line, "task failed")
		switch {
		case failed && strings.Contains(line, "level=WARN") && strings.Contains(line, `error="start: `):
			remarks = append(remarks, line)
		case failed || strings.Contains(line, "level=ERROR"):
			failures = append(failures, line)
		}
	}
	return failures, remarks
}

// wantQuiet fails the test when the log tells of a failure.
func (g *gateway) wantQuiet() {
	g.t.Helper()
	failures, remarks := g.complaints()
	for _, line := range failures {
		g.t.Errorf("nothing was wrong with broker and store, but the log has: %s", line)
	}
	for _, line := range remarks {
		g.t.Logf("the log has: %s", line)
	}
}
