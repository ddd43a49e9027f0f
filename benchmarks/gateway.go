package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// A gateway is the program itself, as a process.
type gateway struct {
	cmd     *exec.Cmd
	started time.Time
	url     chan string // of its API, once it is told
	exited  chan struct{}
	err     error // of the process; read it after exited
	peak    int64 // of its memory, as far as it was looked at; read it after exited
}

// build makes the program, as users build it.
func (b *bench) build(ctx context.Context) error {
	b.program = filepath.Join(b.dir, "omconnect")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.program, "github.com/omconnect/omconnect/cmd/omconnect") //nolint:gosec // a path of ours
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}

// lookEvery is how often the memory of a process is looked at. Its peak is the
// kernel's, so that only what grows in the last moment is missed.
const lookEvery = 20 * time.Millisecond

var restURL = regexp.MustCompile(`msg="REST API answers" url=(\S+)`)

// launch starts a gateway in a folder that has its gateway.yaml. It ends with
// ctx at the latest.
func (b *bench) launch(ctx context.Context, dir string, args ...string) (*gateway, error) {
	args = append([]string{"run", "-c", "gateway.yaml", "--data", "data", "--listen", "127.0.0.1:0"}, args...)
	cmd := exec.CommandContext(ctx, b.program, args...) //nolint:gosec // a program of ours
	cmd.Dir, cmd.WaitDelay = dir, patience
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	g := &gateway{cmd: cmd, started: time.Now(), url: make(chan string, 1), exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go g.attend(stderr)
	return g, nil
}

// attend reads what the process logs until it ends, and looks at its memory
// meanwhile.
func (g *gateway) attend(stderr io.Reader) {
	defer close(g.exited)
	said := make(chan []byte, 1)
	go func() {
		var last []byte
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			last = append(append(last[max(0, len(last)-4096):], lines.Bytes()...), '\n')
			if m := restURL.FindSubmatch(lines.Bytes()); m != nil {
				g.url <- string(m[1])
			}
		}
		said <- last
	}()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if m, err := memoryOf(g.cmd.Process.Pid); err == nil {
				g.peak = m.peak
			}
		case last := <-said:
			if err := g.cmd.Wait(); err != nil {
				g.err = fmt.Errorf("the gateway: %w; it said at last:\n%s", err, last)
			}
			return
		}
	}
}

var errNoURL = errors.New("the gateway does not tell the address of its API")

// api waits for the address of the API.
func (g *gateway) api() (string, error) {
	select {
	case url := <-g.url:
		return url, nil
	case <-g.exited:
		return "", errors.Join(errNoURL, g.err)
	case <-time.After(patience):
		return "", errNoURL
	}
}

// wait returns when the process has ended by itself.
func (g *gateway) wait() error {
	<-g.exited
	return g.err
}

// stop ends the process as an operator does.
func (g *gateway) stop() error {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return g.wait()
}

// cpu is what the process has taken in all, once it has ended.
func (g *gateway) cpu() time.Duration {
	return g.cmd.ProcessState.UserTime() + g.cmd.ProcessState.SystemTime()
}

// folder makes a folder that holds a gateway.yaml.
func (b *bench) folder(yaml string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "gateway-")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(yaml), 0o600)
}
