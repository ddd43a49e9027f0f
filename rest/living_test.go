package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A living is an API over a gateway that runs, in a bubble of fake time.
type living struct {
	*testing.T
	handler http.Handler
	broker  *mem.Driver
	stop    func()

	mu    sync.Mutex
	hooks map[string][]string                                 // of each connector
	on    func(ctx context.Context, name, hook string) error  // may fail or block
	split func(config oms.KeyValue, limit int) []oms.KeyValue // of a source; one task if nil
}

// alive runs a test against a gateway. What still hangs at its end is let go.
func alive(t *testing.T, test func(*living)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		g := &living{T: t, broker: mem.New(), hooks: make(map[string][]string)}
		registry := new(oms.Registry)
		registry.Register("mem", g.broker)
		brokers := connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "mem"})
		plugins := new(connect.Plugins)
		def := connect.ConfigDef{Keys: []connect.Key{
			{Name: "password", Secret: true, Doc: "Password."},
			{Name: "url", Type: connect.URL, Doc: "Where it is."},
			{Name: "table", Doc: "Table."},
		}}
		plugins.Register(connect.Plugin{Class: "live-source", Kind: connect.KindSource, Def: def, New: func(env connect.Env) (connect.Connector, error) {
			return &liveSource{living: g, env: env}, g.call(context.Background(), env.Connector, "New")
		}})
		plugins.Register(connect.Plugin{Class: "live-sink", Kind: connect.KindSink, Def: def, New: func(env connect.Env) (connect.Connector, error) {
			return &liveSink{liveSource{living: g, env: env}}, nil
		}})
		store := offsets.NewMemory()
		quiet := slog.New(slog.DiscardHandler)
		g.handler = newHandler(connect.NewCatalog(store, plugins, brokers, quiet))
		rt := connect.NewRuntime(connect.Options{Store: store, Plugins: plugins, Brokers: brokers, Gateway: "one", Worker: worker, Logger: quiet})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- rt.Run(ctx) }()
		g.stop = sync.OnceFunc(func() {
			stop()
			if err := errors.Join(<-ended, brokers.Close(context.Background()), store.Close()); err != nil {
				t.Error(err)
			}
		})
		defer g.stop()
		test(g)
	})
}

// call notes a hook, and does what the test wants.
func (g *living) call(ctx context.Context, name, hook string) error {
	g.mu.Lock()
	g.hooks[name] = append(g.hooks[name], hook)
	on := g.on
	g.mu.Unlock()
	if on == nil {
		return nil
	}
	return on(ctx, name, hook)
}

func (g *living) do(on func(ctx context.Context, name, hook string) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on = on
}

// called returns how often a hook was called.
func (g *living) called(name, hook string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.hooks[name] {
		if h == hook {
			n++
		}
	}
	return n
}

// A liveSource makes a record a second.
type liveSource struct {
	*living
	env connect.Env
	n   int
}

func (s *liveSource) OnStart(ctx context.Context, _ oms.KeyValue) error {
	return s.call(ctx, s.env.Connector, "OnStart")
}

func (s *liveSource) OnPause(ctx context.Context) error {
	return s.call(ctx, s.env.Connector, "OnPause")
}

func (s *liveSource) OnStop(ctx context.Context) error { return s.call(ctx, s.env.Connector, "OnStop") }

func (s *liveSource) OnFailed(ctx context.Context, _ error) {
	_ = s.call(ctx, s.env.Connector, "OnFailed")
}

func (s *liveSource) OnDestroyed(ctx context.Context) error {
	return s.call(ctx, s.env.Connector, "OnDestroyed")
}

func (s *liveSource) Split(_ context.Context, config oms.KeyValue, limit int) ([]oms.KeyValue, error) {
	if s.split != nil {
		return s.split(config, limit), nil
	}
	return slices.Repeat([]oms.KeyValue{config}, limit), nil
}

func (s *liveSource) Poll(ctx context.Context) ([]*oms.Message, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.n++
	origin := &oms.Origin{Partition: fmt.Sprintf(`{"task":%d}`, s.env.Task), Position: fmt.Sprintf(`{"n":%d}`, s.n)}
	return []*oms.Message{{Body: []byte("x"), Origin: origin}}, s.call(ctx, s.env.Connector, "Poll")
}

type liveSink struct{ liveSource }

func (s *liveSink) Put(ctx context.Context, _ []*oms.Message) error {
	return s.call(ctx, s.env.Connector, "Put")
}

// want makes a call and insists on its status; then things come to rest.
func (g *living) want(method, path, body string, status int) *httptest.ResponseRecorder {
	g.Helper()
	res := call(g.handler, method, path, body)
	if res.Code != status {
		g.Fatalf("%s %s: got %d %s, want %d", method, path, res.Code, res.Body, status)
	}
	time.Sleep(3 * time.Second)
	synctest.Wait()
	return res
}

// states returns the state of the connector and then those of its tasks.
func (g *living) states(name string) string {
	g.Helper()
	var s struct {
		Connector struct{ State string }
		Tasks     []struct{ State string }
	}
	res := call(g.handler, "GET", "/connectors/"+name+"/status", "")
	if err := json.Unmarshal(res.Body.Bytes(), &s); err != nil || res.Code != 200 {
		g.Fatalf("status of %s: %d %s", name, res.Code, res.Body)
	}
	states := []string{s.Connector.State}
	for _, t := range s.Tasks {
		states = append(states, t.State)
	}
	return strings.Join(states, " ")
}

func (g *living) wantStates(name, want string) {
	g.Helper()
	if got := g.states(name); got != want {
		g.Errorf("%s: got states %s, want %s", name, got, want)
	}
}
