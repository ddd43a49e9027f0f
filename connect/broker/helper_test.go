package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/broker"
	"github.com/omconnect/omconnect/connect/transform"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// A limited broker lacks some capabilities, as others do.
type limited struct {
	*mem.Driver
	without []oms.Capability
}

// Capabilities implements oms.Driver.
func (l limited) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	caps := l.Driver.Capabilities(ap)
	for _, c := range l.without {
		caps.Claims[c] = oms.Support{Note: "a limited broker"}
	}
	return caps
}

// A shelf is a store that takes no positions while it is away.
type shelf struct {
	offsets.Store
	away atomic.Bool
}

// Commit implements offsets.Positions.
func (s *shelf) Commit(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
	if s.away.Load() {
		return &oms.Error{Op: "commit", Code: oms.ErrUnavailable}
	}
	return s.Store.Commit(ctx, l, ps)
}

// A journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(part string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), part)
}

// A world is a bubble of fake time with brokers and a store in memory, and a
// gateway on them, whose own broker is a.
type world struct {
	t       *testing.T
	drivers map[string]*mem.Driver
	limits  map[string][]oms.Capability
	store   *shelf
	log     *journal

	brokers *connect.Brokers
	catalog *connect.Catalog
	rt      *connect.Runtime
	stop    context.CancelFunc
	ended   chan error
}

// inWorld runs a test in a bubble with brokers a, b and c, where options do not
// say otherwise.
func inWorld(t *testing.T, options map[string]mem.Options, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		w := &world{
			t: t, drivers: make(map[string]*mem.Driver), limits: make(map[string][]oms.Capability),
			store: &shelf{Store: offsets.NewMemory()}, log: new(journal),
		}
		for _, name := range []string{"a", "b", "c"} {
			w.drivers[name] = mem.New(options[name])
		}
		defer func() {
			w.shutdown()
			if err := w.store.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(w)
	})
}

// start starts a gateway; again after shutdown or kill.
func (w *world) start() {
	w.t.Helper()
	registry, plugins := new(oms.Registry), new(connect.Plugins)
	for name, d := range w.drivers {
		registry.Register(name, limited{d, w.limits[name]})
	}
	transform.Register(plugins)
	plugins.Register(broker.SourcePlugin())
	plugins.Register(broker.SinkPlugin())
	w.brokers = connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "a", "alias": "oms:b:///"})
	logger := slog.New(slog.NewTextHandler(w.log, nil))
	w.catalog = connect.NewCatalog(w.store, plugins, w.brokers, logger)
	w.rt = connect.NewRuntime(connect.Options{Store: w.store, Plugins: plugins, Brokers: w.brokers, Gateway: "g", Worker: "g:1", Logger: logger, Grace: 5 * time.Second})
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.ended = stop, make(chan error, 1)
	go func() { w.ended <- w.rt.Run(ctx) }()
}

// shutdown stops the gateway softly.
func (w *world) shutdown() {
	w.t.Helper()
	if w.stop == nil {
		return
	}
	w.stop()
	if err := <-w.ended; err != nil {
		w.t.Errorf("Run = %v", err)
	}
	w.stop = nil
	_ = w.brokers.Close(context.Background())
}

// kill ends the gateway as kill -9 does: from this moment on nothing that it
// does has an effect, and its connections are gone.
func (w *world) kill() {
	w.t.Helper()
	w.store.away.Store(true)
	for _, d := range w.drivers {
		d.SetDown(&oms.Error{Op: "call", Code: oms.ErrUnavailable})
	}
	w.shutdown()
	for _, d := range w.drivers {
		d.SetDown(nil)
	}
	w.store.away.Store(false)
}

func (w *world) tryCreate(name, class string, config ...string) error {
	kv := oms.KeyValue{"connector.class": class}
	for _, c := range config {
		k, v, _ := strings.Cut(c, "=")
		kv[k] = v
	}
	_, err := w.catalog.Create(w.t.Context(), connect.Request{Name: name, Config: kv})
	return err
}

// create defines a connector; config is a list of key=value.
func (w *world) create(name, class string, config ...string) {
	w.t.Helper()
	if err := w.tryCreate(name, class, config...); err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
}

func (w *world) do(call func(context.Context, string) error, name string) {
	w.t.Helper()
	if err := call(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// wait lets time pass, and what happens in it come to rest.
func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Minute); !so(); w.wait(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("it never came: %s", what)
		}
	}
}

// cause waits for a state of a connector, and returns why it is in it.
func (w *world) cause(name string, want connect.State) string {
	w.t.Helper()
	var s connect.Status
	w.eventually(fmt.Sprintf("%s is %s", name, want), func() bool {
		var err error
		s, err = w.catalog.Status(w.t.Context(), name)
		return err == nil && s.State == want
	})
	for _, task := range s.Tasks {
		if task.Cause != "" {
			return task.Cause
		}
	}
	return s.Cause
}
