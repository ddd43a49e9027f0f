package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
)

const (
	startTimeout = 3 * time.Minute // for each program of a server: on a busy machine a JVM takes one
	stopTimeout  = 60 * time.Second
	maxTries     = 5 // of ports
)

// A Part names an address of a server beside that of [Server.Addr].
type Part string

// The parts of servers.
const (
	Plain      Part = "plain"      // takes neither TLS nor, with Kafka, users: for a look behind the test's back; not RocketMQ
	Management Part = "management" // RabbitMQ's HTTP API
	Broker     Part = "broker"     // RocketMQ's broker
)

// A Server is a broker or store of one's own. Its methods must not be called
// concurrently, but Addr and AddrOf may.
type Server struct {
	kind  kind
	dir   string
	first int // its ports are in a row
	opts  options
	procs []*process.Process // in the order of programs; those of the last start
}

// A kind is one sort of server.
type kind interface {
	// ports is how many a server takes.
	ports() int
	// prepare writes what the programs read, once the ports are known. It leaves
	// data of an earlier server in the folder as it is.
	prepare(ctx context.Context, s *Server) error
	// programs are started in this order and stopped in the other.
	programs(s *Server) []program
	// addr returns the address for clients, or of a part; "" is none.
	addr(s *Server, part Part) string
}

// start chooses ports and starts a server, again with others if somebody has
// taken one of them meanwhile.
func start(ctx context.Context, k kind, dir string, opts []Option) (*Server, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if _, err = os.Stat(dir); err != nil {
		return nil, fmt.Errorf("the folder for a server: %w", err)
	}
	for try := 1; ; try++ {
		s := &Server{kind: k, dir: dir, opts: o}
		if s.first, err = process.Reserve(ctx, k.ports()); err != nil {
			return nil, err
		}
		if err = k.prepare(ctx, s); err == nil {
			err = s.launch(ctx)
		}
		if err == nil {
			return s, nil
		}
		process.Release(s.first, k.ports())
		if !errors.Is(err, errPortTaken) || try == maxTries {
			return nil, err
		}
	}
}

// Addr returns the host and port that clients dial; RocketMQ's is the name
// server's. It stays the same over Stop and Start.
func (s *Server) Addr() string { return s.kind.addr(s, "") }

// AddrOf returns the host and port of a part, or "" if the server has none.
func (s *Server) AddrOf(part Part) string { return s.kind.addr(s, part) }

// Dir returns the folder with the server's configuration, data and logs.
func (s *Server) Dir() string { return s.dir }

// PID returns the id of the server's main process, the one that was started
// last.
func (s *Server) PID() int { return s.procs[len(s.procs)-1].PID() }

// Start starts a server that was stopped or killed, or has ended by itself, on
// the same ports, with the same data and configuration. It returns when it
// answers. Starting one that runs does nothing. The context bounds the start,
// not the server's life.
func (s *Server) Start(ctx context.Context) error {
	if s.running() {
		return nil
	}
	s.Kill() // what is left of it
	return s.launch(ctx)
}

// Stop lets the server write what it has and ends it, and returns when it is
// gone. One that does not end within a minute is killed, which is an error.
// Stopping a server that does not run does nothing.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	var problems []error
	for i, proc := range slices.Backward(s.procs) {
		if err := proc.Stop(ctx, syscall.SIGTERM); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", s.kind.programs(s)[i].name, err))
		}
	}
	return errors.Join(problems...)
}

// Kill ends the server as kill -9 does, and returns when it is gone.
func (s *Server) Kill() {
	for _, proc := range slices.Backward(s.procs) {
		proc.Kill()
	}
}

// Log returns the last lines of what the server's programs have said, over all
// starts, and how those have ended that do not run.
func (s *Server) Log() string {
	var text strings.Builder
	for i, p := range s.kind.programs(s) {
		ended := ""
		if i < len(s.procs) && !s.procs[i].Running() {
			ended = " ended with " + s.procs[i].State().String()
		}
		fmt.Fprintf(&text, "== %s%s ==\n%s\n", p.log(s), ended, s.said(p, 0))
	}
	return text.String()
}

// Close stops the server and gives its ports back. It is not started again.
func (s *Server) Close(ctx context.Context) error {
	err := s.Stop(ctx)
	process.Release(s.first, s.kind.ports())
	return err
}

func (s *Server) running() bool {
	for _, p := range s.procs {
		if !p.Running() {
			return false
		}
	}
	return len(s.procs) > 0
}

func (s *Server) port(i int) string { return process.Addr(s.first + i) }

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(name string, text []byte) error {
	return os.WriteFile(s.file(name), text, 0o600)
}
