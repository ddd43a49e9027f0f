package omconnect

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/internal/leaks"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata")

func TestMain(m *testing.M) {
	for _, name := range []string{"BROKER", "STATE", "DATA", "LISTEN", "TOKENS", "URL", "TOKEN"} {
		os.Unsetenv("OMCONNECT_" + name) // a developer's own
	}
	if os.Getenv(asProgram) != "" {
		Main()
	}
	// nats-server starts the timer that syncs a stream before it has finished
	// making the stream, and without a lock. With the default of 100 ms the
	// race detector sees that on a busy machine.
	os.Setenv("OMCONNECT_BROKER", "oms:embedded:///?sync.interval.ms=1000")
	// RocketMQ's client library starts this one when it is loaded.
	leaks.Main(m, goleak.IgnoreTopFunction("github.com/patrickmn/go-cache.(*janitor).Run"))
}

// A buffer is what a program writes to, and a test waits for.
type buffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newBuffer() *buffer { return &buffer{changed: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A program is a run of the program in this process.
type program struct {
	t        *testing.T
	out, err *buffer
	stop     context.CancelFunc // as SIGTERM does
	ended    chan struct{}
	code     int
}

// begin runs the program until the test ends, or it ends by itself.
func begin(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &program{t: t, out: newBuffer(), err: newBuffer(), stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.code = Run(ctx, args, strings.NewReader(""), p.out, p.err)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// await returns when stderr has the text.
func (p *program) await(text string) {
	p.t.Helper()
	for !strings.Contains(p.err.String(), text) {
		select {
		case <-p.err.changed:
		case <-p.ended:
			if !strings.Contains(p.err.String(), text) {
				p.t.Fatalf("ended with %d before it said %q:\n%s", p.code, text, p.err)
			}
		case <-p.t.Context().Done():
			p.t.Fatalf("never said %q:\n%s", text, p.err)
		}
	}
}

// wait returns the exit code.
func (p *program) wait() int {
	<-p.ended
	return p.code
}

var restURL = regexp.MustCompile(`msg="REST API answers" url=(\S+)`)

// url returns the address of the API.
func (p *program) url() string {
	p.t.Helper()
	p.await("REST API answers")
	return restURL.FindStringSubmatch(p.err.String())[1]
}

// get returns the status and body of an answer of the API.
func (p *program) get(path string) (status int, body string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url()+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// run runs the program to its end.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := begin(t, args...)
	return p.wait(), p.out.String(), p.err.String()
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for limit := time.After(time.Minute); !cond(); {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("%s does not happen", what)
		}
	}
}

// write makes a file of the test's own, and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// golden compares with what is expected in a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, path), got); diff != "" {
		t.Errorf("%s (-want +got), go test -update rewrites it:\n%s", path, diff)
	}
}
