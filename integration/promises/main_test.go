package promises

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
)

// shared is what all tests of the package use: made when it is first asked
// for, ended behind the last test.
var shared stand

// atOnce is how many tests run at the same time, however few cores there are:
// most of them wait for something most of the time.
const atOnce = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err) // the flag is the testing package's
	}
	code := m.Run()
	if err := shared.end(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// A stand is a folder, certificates, and servers.
type stand struct {
	folder       lazy[string]
	certificates lazy[*servers.Certificates]
	servers      sync.Map // name → *lazy[*servers.Server]
	mu           sync.Mutex
	running      []*servers.Server
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

// dir returns a folder that goes with the last test.
func (s *stand) dir(name string) (string, error) {
	base, err := s.folder.get(func() (string, error) { return os.MkdirTemp("", "omconnect-promises-") })
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// papers returns the certificates of the servers that have some.
func (s *stand) papers(t *testing.T) *servers.Certificates {
	t.Helper()
	c, err := s.certificates.get(func() (*servers.Certificates, error) {
		dir, err := s.dir("certificates")
		if err != nil {
			return nil, err
		}
		return servers.NewCertificates(dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type starter func(ctx context.Context, dir string, opts ...servers.Option) (*servers.Server, error)

// server returns the server of that name.
func (s *stand) server(t *testing.T, name string, start starter, opts []servers.Option) *servers.Server {
	t.Helper()
	l, _ := s.servers.LoadOrStore(name, new(lazy[*servers.Server]))
	server, err := l.(*lazy[*servers.Server]).get(func() (*servers.Server, error) {
		dir, err := s.dir(name)
		if err != nil {
			return nil, err
		}
		server, err := start(context.Background(), dir, opts...)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = append(s.running, server)
		return server, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// end stops what was started and removes the folder.
func (s *stand) end() error {
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
