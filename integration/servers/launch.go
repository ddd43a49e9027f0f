package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
)

const logLines = 200 // of a log, in an error: RabbitMQ says its reason before a crash report of 70

var (
	errPortTaken = errors.New("the port was taken meanwhile")
	errEnded     = errors.New("it ended at once")
	errNotYet    = errors.New("its log does not say so yet")
)

// A program is one process of a server.
type program struct {
	name string // its log is name.log
	path string
	args []string
	env  []string // beside the environment of this process
	// ready returns nil once the program answers; what it said since its start
	// tells it from another one on its port.
	ready func(ctx context.Context, pid int, said string) error
}

func (p program) log(s *Server) string  { return s.file(p.name + ".log") }
func (p program) lock(s *Server) string { return s.file(p.name + ".lock") }

// launch starts the programs one after the other, each when the one before it
// is ready. It is all of them or none.
func (s *Server) launch(ctx context.Context) error {
	s.procs = nil
	for _, p := range s.kind.programs(s) {
		err := s.run(ctx, p)
		if err == nil {
			continue
		}
		s.Kill()
		// Not every program says so when it cannot listen.
		if errors.Is(err, errEnded) && process.Free(ctx, s.first, s.kind.ports()) != nil {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	return nil
}

func (s *Server) run(ctx context.Context, p program) error {
	log, err := os.OpenFile(p.log(s), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the program has its own
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.path, p.args...) //nolint:gosec // a server's own command
	cmd.Dir, cmd.Env = s.dir, append(environment(), p.env...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, process.Tied()
	if s.opts.standing {
		cmd.SysProcAttr = process.Detached()
	}
	lock, err := process.Hold(ctx, cmd, p.lock(s))
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	proc, err := process.Start(cmd)
	if err != nil {
		return err
	}
	s.procs = append(s.procs, proc)
	return s.await(ctx, p, proc, before)
}

// environment returns this process's own, without what would steer a server
// past its configuration.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, prefix := range []string{"RABBITMQ_", "ERL_", "ROCKETMQ_", "NAMESRV_ADDR", "NOTIFY_SOCKET"} {
			if strings.HasPrefix(v, prefix) {
				return true
			}
		}
		return false
	})
}

// await returns when the program that was just started is ready.
func (s *Server) await(ctx context.Context, p program, proc *process.Process, logged int64) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	for {
		err := p.ready(ctx, proc.PID(), s.since(p, logged))
		if err == nil && proc.Running() {
			return nil
		}
		select {
		case <-proc.Exited():
			return fmt.Errorf("%w, with %s; %s says:\n%s", errEnded, proc.State(), p.log(s), s.said(p, logged))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w (%w); %s says:\n%s", ctx.Err(), err, p.log(s), s.said(p, logged))
		case <-again.C:
		}
	}
}

// said returns the last lines of what a program has said from that offset of
// its log on.
func (s *Server) said(p program, from int64) string { return lastLines(s.since(p, from)) }

func (s *Server) since(p program, from int64) string {
	log, err := os.ReadFile(p.log(s))
	if err != nil {
		return err.Error()
	}
	return string(log[min(from, int64(len(log))):])
}

func lastLines(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-logLines):], "\n")
}

// listens returns nil if somebody does at addr.
func listens(ctx context.Context, addr string) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// lookPath finds a program, or says what to install.
func lookPath(program, debian string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is not installed: install it (on Debian: apt-get install %s) "+
			"or run make test, which does: %w", program, debian, err)
	}
	return path, nil
}
