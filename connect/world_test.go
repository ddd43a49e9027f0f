package connect_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/transform"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A world is a bubble of fake time with a broker and a store in memory, and
// one or more gateways on them. The fields of the first group may be set
// before the first start.
type world struct {
	t       *testing.T
	broker  mem.Options
	options connect.Options // what is set here is kept
	source  *scripted
	sink    *scripted
	wrap    func(oms.Driver) oms.Driver       // around the broker, if not nil
	around  func(offsets.Store) offsets.Store // around the store, if not nil
	log     slog.Handler                      // of the gateways; nothing is logged if nil

	store  *faultyStore
	driver *mem.Driver
	*gateway
	gateways []*gateway
	forever  chan struct{} // closed at the end of the test
}

// A gateway is one process of a world.
type gateway struct {
	dead    atomic.Bool // from here on nothing that it does has an effect
	brokers *connect.Brokers
	plugins *connect.Plugins
	catalog *connect.Catalog
	rt      *connect.Runtime
	stop    context.CancelFunc
	ended   chan error
}

// inWorld runs a test in a bubble. Whatever was started is stopped at its end,
// and the bubble does not end while a goroutine is left. The hooks of all
// instances must have been called in a legal order.
func inWorld(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		w := &world{t: t, store: &faultyStore{Store: offsets.NewMemory()}, source: new(scripted), sink: new(scripted), forever: make(chan struct{})}
		defer w.close() // also when the test fails half-way
		test(w)
	})
}

func (w *world) close() {
	for _, g := range w.gateways {
		w.end(g)
	}
	w.wait(time.Second) // so that what hangs is late for sure
	close(w.forever)
	w.wait(2 * time.Minute) // for what sleeps
	for _, s := range []*scripted{w.source, w.sink} {
		for _, wrong := range s.check() {
			w.t.Errorf("illegal: %s", wrong)
		}
	}
	if err := w.store.Close(); err != nil {
		w.t.Errorf("close the store: %v", err)
	}
}

// start starts a gateway. Called again after shutdown or kill it starts
// another one on the same broker and store.
func (w *world) start() { w.gateway = w.spawn("gateway-1") }

// spawn starts one more gateway.
func (w *world) spawn(id string) *gateway {
	w.t.Helper()
	if w.driver == nil {
		w.driver = mem.New(w.broker)
	}
	g := new(gateway)
	var driver oms.Driver = &mortalDriver{Driver: w.driver, dead: &g.dead}
	if w.wrap != nil {
		driver = w.wrap(driver)
	}
	registry := new(oms.Registry)
	registry.Register("mem", driver)
	g.brokers = connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "mem"})
	plugins := new(connect.Plugins)
	g.plugins = plugins
	transform.Register(plugins)
	plugins.Register(connect.Plugin{
		Class: "test-source", Kind: connect.KindSource, Def: scriptDef,
		New: func(env connect.Env) (connect.Connector, error) { return w.source.newSource(env, g) },
	})
	plugins.Register(connect.Plugin{
		Class: "test-sink", Kind: connect.KindSink, Def: scriptDef,
		New: func(env connect.Env) (connect.Connector, error) { return w.sink.newSink(env, g) },
	})
	var store offsets.Store = &mortalStore{faultyStore: w.store, dead: &g.dead}
	if w.around != nil {
		store = w.around(store)
	}
	logger := slog.New(slog.DiscardHandler)
	if w.log != nil {
		logger = slog.New(w.log)
	}
	g.catalog = connect.NewCatalog(store, plugins, g.brokers, logger)
	opts := w.options
	opts.Store, opts.Plugins, opts.Brokers, opts.Logger = store, plugins, g.brokers, logger
	opts.Gateway, opts.Worker = id, id+":8083"
	g.rt = connect.NewRuntime(opts)
	ctx, stop := context.WithCancel(context.Background())
	g.stop, g.ended = stop, make(chan error, 1)
	go func() { g.ended <- g.rt.Run(ctx) }()
	w.gateways = append(w.gateways, g)
	return g
}

// shutdown stops the gateway softly.
func (w *world) shutdown() { w.t.Helper(); w.end(w.gateway) }

func (w *world) end(g *gateway) {
	w.t.Helper()
	if g.stop == nil {
		return
	}
	g.stop()
	if err := <-g.ended; err != nil {
		w.t.Errorf("Run = %v", err)
	}
	g.stop = nil
	if err := g.brokers.Close(context.Background()); err != nil && !g.dead.Load() {
		w.t.Errorf("close the brokers: %v", err)
	}
}

// kill is kill -9: from this moment on nothing that the gateway does has an
// effect, and its connections are gone.
func (w *world) kill(g *gateway) {
	g.dead.Store(true)
	g.stop()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = g.brokers.Close(gone)
}

// create defines a connector; config is a list of key=value.
func (w *world) create(name, class string, config ...string) {
	w.t.Helper()
	if err := w.tryCreate(name, class, config...); err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
}

func (w *world) tryCreate(name, class string, config ...string) error {
	_, err := w.catalog.Create(w.t.Context(), connect.Request{Name: name, Config: settings(class, config...)})
	return err
}

func settings(class string, config ...string) oms.KeyValue {
	kv := oms.KeyValue{"connector.class": class}
	switch class {
	case "test-source":
		kv["topic"] = "t"
	case "test-sink":
		kv["topics"] = "t"
	}
	for _, c := range config {
		k, v, _ := strings.Cut(c, "=")
		kv[k] = v
	}
	return kv
}

func definitionOf(name string, config oms.KeyValue) offsets.Definition {
	return offsets.Definition{Name: name, Config: config, Target: offsets.TargetRunning, Origin: offsets.OriginAPI}
}

func (w *world) do(call func(context.Context, string) error, name string) {
	w.t.Helper()
	if err := call(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// wait lets time pass, and everything that happens in it come to rest.
func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) status(name string) connect.Status {
	w.t.Helper()
	s, err := w.catalog.Status(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) wantState(name string, want connect.State) {
	w.t.Helper()
	if s := w.status(name); s.State != want {
		w.t.Fatalf("%s is %s, want %s; status %+v", name, s.State, want, s)
	}
}

// position returns the sum of the committed positions of the scripted source's
// tasks, 0 if there is none.
func (w *world) position(name string) int {
	w.t.Helper()
	ps, err := w.store.Load(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	sum := 0
	for _, p := range ps {
		var n int
		if _, err := fmt.Sscanf(string(p), `{"n":%d}`, &n); err != nil {
			w.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// topic returns the bodies that a topic holds, by partition, in order.
func (w *world) topic(name string) map[int][]string {
	w.t.Helper()
	ctx := w.t.Context()
	conn, err := w.driver.Open(ctx, oms.AccessPoint{Driver: "mem"})
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := conn.OpenReceiver(ctx, oms.ReceiverConfig{Topics: []string{name}, Group: "check-" + time.Now().String()[:29], MaxUnacked: 1e9, MaxUnackedBytes: 1 << 40})
	if err != nil {
		w.t.Fatal(err)
	}
	bodies := make(map[int][]string)
	for {
		patience, cancel := context.WithTimeout(ctx, time.Millisecond)
		msgs, err := r.Receive(patience, 1e9)
		cancel()
		if err != nil {
			break
		}
		for _, m := range msgs {
			bodies[m.Partition] = append(bodies[m.Partition], string(m.Body))
		}
	}
	if err := conn.Close(ctx); err != nil {
		w.t.Error(err)
	}
	return bodies
}

// eventually waits until something is so, at most for a time.
func (w *world) eventually(within time.Duration, what string, so func() bool) {
	w.t.Helper()
	for end := time.Now().Add(within); !so(); w.wait(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not within %v: %s", within, what)
		}
	}
}
