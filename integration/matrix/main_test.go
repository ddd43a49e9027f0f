package matrix

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
)

// shared is what all tests of the package use: made when it is first asked
// for, ended behind the last test.
var shared stand

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.end(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// A stand is a folder, the program, and servers, at most one of each kind.
type stand struct {
	folder  lazy[string]
	program lazy[string]
	servers sync.Map // name → *lazy[string], the address
	mu      sync.Mutex
	running []*servers.Server
}

// A lazy is a value that is made once.
type lazy[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (l *lazy[T]) get(create func() (T, error)) (T, error) {
	l.once.Do(func() { l.value, l.err = create() })
	return l.value, l.err
}

func (s *stand) dir() (string, error) {
	return s.folder.get(func() (string, error) { return os.MkdirTemp("", "omconnect-matrix-") })
}

// binary returns the gateway as users build it: without the race detector,
// which would slow the volumes down.
func (s *stand) binary() (string, error) {
	return s.program.get(func() (string, error) {
		dir, err := s.dir()
		if err != nil {
			return "", err
		}
		bin := filepath.Join(dir, "omconnect")
		cmd := exec.Command("go", "build", "-o", bin, "./cmd/omconnect")
		cmd.Dir = filepath.Join("..", "..")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the gateway: %w\n%s", err, out)
		}
		return bin, nil
	})
}

type starter func(ctx context.Context, dir string, opts ...servers.Option) (*servers.Server, error)

// addr returns the address of a server: the one that the environment names, or
// else one that is started for the package.
func (s *stand) addr(name, env string, start starter, opts ...servers.Option) (string, error) {
	if addr := os.Getenv(env); env != "" && addr != "" {
		return addr, nil
	}
	l, _ := s.servers.LoadOrStore(name, new(lazy[string]))
	return l.(*lazy[string]).get(func() (string, error) {
		base, err := s.dir()
		if err != nil {
			return "", err
		}
		dir := filepath.Join(base, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		server, err := start(context.Background(), dir, opts...)
		if err != nil {
			return "", err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = append(s.running, server)
		return server.Addr(), nil
	})
}

// end stops what was started and removes the folder.
func (s *stand) end() error {
	var problems []error
	for _, server := range s.running {
		problems = append(problems, server.Close(context.Background()))
	}
	if s.folder.value != "" {
		problems = append(problems, os.RemoveAll(s.folder.value))
	}
	return errors.Join(problems...)
}
