// Package stand keeps what the tests of a package share: a folder, programs and
// servers. Each is made when it is first asked for, and gone behind the last
// test.
package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/gateways"
	"github.com/omconnect/omconnect/integration/servers"
)

// A Lazy is a value that is made once, or once not. The zero value is ready,
// and may be used concurrently.
type Lazy[T any] struct {
	once  sync.Once
	value T
	err   error
}

// Get returns what create made the first time, or why it did not.
func (l *Lazy[T]) Get(create func() (T, error)) (T, error) {
	l.once.Do(func() { l.value, l.err = create() })
	return l.value, l.err
}

// A Stand belongs to the tests of one package. The zero value is ready, and may
// be used concurrently.
type Stand struct {
	folder   Lazy[string]
	programs sync.Map // folder in the module → *Lazy[string], the path
	servers  sync.Map // name → *Lazy[*servers.Server]
	mu       sync.Mutex
	running  []*servers.Server
}

// Main runs the tests of a package, ends the stand, and returns the exit code.
func (s *Stand) Main(m interface{ Run() int }) int {
	code := m.Run()
	if err := s.End(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// Dir returns a folder of that name in that of the stand; made if it is not
// there.
func (s *Stand) Dir(name string) (string, error) {
	base, err := s.folder.Get(func() (string, error) { return os.MkdirTemp("", "omconnect-test-") })
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// Program returns the path of a program of the module, named by its folder
// there.
func (s *Stand) Program(pkg string) (string, error) {
	l, _ := s.programs.LoadOrStore(pkg, new(Lazy[string]))
	return l.(*Lazy[string]).Get(func() (string, error) { //nolint:forcetypeassert // the map has no other
		dir, err := s.Dir("bin")
		if err != nil {
			return "", err
		}
		return gateways.Build(dir, pkg)
	})
}

// A Starter starts a server in a folder, as those of package servers do.
type Starter func(ctx context.Context, dir string, opts ...servers.Option) (*servers.Server, error)

// Server returns the server of that name, started the first time.
func (s *Stand) Server(tb testing.TB, name string, start Starter, opts ...servers.Option) *servers.Server {
	tb.Helper()
	l, _ := s.servers.LoadOrStore(name, new(Lazy[*servers.Server]))
	server, err := l.(*Lazy[*servers.Server]).Get(func() (*servers.Server, error) { //nolint:forcetypeassert // the map has no other
		dir, err := s.Dir(name)
		if err != nil {
			return nil, err
		}
		server, err := start(context.WithoutCancel(tb.Context()), dir, opts...)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = append(s.running, server)
		return server, nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return server
}

// End stops the servers, side by side, and removes the folder.
func (s *Stand) End() error {
	problems := make([]error, len(s.running), len(s.running)+1)
	var wg sync.WaitGroup
	for i, server := range s.running {
		wg.Go(func() { problems[i] = server.Close(context.Background()) })
	}
	wg.Wait()
	if s.folder.value != "" {
		problems = append(problems, os.RemoveAll(s.folder.value))
	}
	return errors.Join(problems...)
}
