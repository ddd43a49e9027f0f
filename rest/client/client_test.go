package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
	"github.com/omconnect/omconnect/rest/client"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// gateway serves the real API over a store and a broker in memory.
func gateway(t *testing.T) (*client.Client, *offsets.Memory) {
	t.Helper()
	registry := new(oms.Registry)
	registry.Register("mem", mem.New())
	brokers := connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "oms:mem:///"})
	ps := new(connect.Plugins)
	ps.Register(connect.Plugin{
		Class: "db-source", Kind: connect.KindSource, Doc: "A source.",
		New: func(connect.Env) (connect.Connector, error) { return nil, errors.New("nothing runs here") },
	})
	store, quiet := offsets.NewMemory(), slog.New(slog.DiscardHandler)
	srv := httptest.NewServer(rest.New(rest.Options{Catalog: connect.NewCatalog(store, ps, brokers, quiet), Worker: "127.0.0.1:8083", Logger: quiet}))
	t.Cleanup(func() {
		srv.Close()
		if err := brokers.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return newClient(t, srv.URL), store
}

func newClient(t *testing.T, address string) *client.Client {
	t.Helper()
	c, err := client.New(address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func config() map[string]string {
	return map[string]string{"connector.class": "db-source", "topic": "orders", "tasks.max": "2"}
}

func TestEveryCallReachesTheGateway(t *testing.T) {
	c, store := gateway(t)
	ctx := t.Context()
	const name = "b%2Fü?#:@" // every character that a path must escape, and still a name
	made, err := c.Create(ctx, name, config())
	if err != nil {
		t.Fatal(err)
	}
	want := client.Connector{Name: name, Type: "source", Config: config()}
	want.Config["name"] = name
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	got, err := c.Get(ctx, name)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("got %v (-want +got):\n%s", err, diff)
	}
	for _, step := range []struct {
		name   string
		call   func(context.Context, string) error
		target offsets.Target
	}{
		{"pause", c.Pause, offsets.TargetPaused},
		{"stop", c.Stop, offsets.TargetStopped},
		{"resume", c.Resume, offsets.TargetRunning},
		{"restart", c.Restart, offsets.TargetRunning},
	} {
		if err := step.call(ctx, name); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if s, err := c.Status(ctx, name); err != nil || s.Target != string(step.target) {
			t.Errorf("after %s: got target %s, %v, want %s", step.name, s.Target, err, step.target)
		}
	}
	defs, err := store.List(ctx)
	if err != nil || len(defs) != 1 || defs[0].Restarts != 1 {
		t.Errorf("got %+v, %v, want one restart", defs, err)
	}
	if err := c.Delete(ctx, name); err != nil {
		t.Error(err)
	}
	wantCode(t, c.Delete(ctx, name), 404, "connector "+name+" not found")
}

func TestStatusAndListHaveEverything(t *testing.T) {
	c, store := gateway(t)
	ctx := t.Context()
	if list, err := c.List(ctx); err != nil || list == nil || len(list) != 0 {
		t.Errorf("got %v, %v of an empty gateway, want an empty list", list, err)
	}
	for _, name := range []string{"b", "a"} {
		if _, err := c.Create(ctx, name, config()); err != nil {
			t.Fatal(err)
		}
	}
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, s := range []offsets.Status{
		{Connector: "b", Task: offsets.ConnectorTask, Worker: "w:1", State: "RUNNING", Since: since, By: "created"},
		{Connector: "b", Task: 0, Worker: "w:1", State: "RETRYING", Since: since, By: "poll", Cause: "why", Trace: "why\nin full", Attempts: 2, NextRetry: since.Add(time.Second), Records: 9007199254740993},
	} {
		if err := store.Publish(ctx, s, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	want := []client.Status{
		{Name: "a", Type: "source", State: "UNASSIGNED", Target: "RUNNING", Origin: "api", Tasks: []client.Task{}},
		{
			Name: "b", Type: "source", State: "RETRYING", Target: "RUNNING", Origin: "api", Worker: "w:1", Since: since, By: "created", Cause: "why", Trace: "why\nin full",
			Tasks: []client.Task{{ID: 0, State: "RETRYING", Worker: "w:1", Since: since, By: "poll", Attempts: 2, NextRetry: since.Add(time.Second), Cause: "why", Trace: "why\nin full", Records: 9007199254740993}},
		},
	}
	list, err := c.List(ctx)
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	one, err := c.Status(ctx, "b")
	if diff := cmp.Diff(want[1], one); err != nil || diff != "" {
		t.Errorf("status: %v (-want +got):\n%s", err, diff)
	}
}

// TestStatusHasEveryField holds the two ends' types together: a field that the
// API gains would be dropped here in silence.
func TestStatusHasEveryField(t *testing.T) {
	c, _ := gateway(t)
	if _, err := c.Create(t.Context(), "a", config()); err != nil {
		t.Fatal(err)
	}
	fields := func(v any) map[string]any {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	now := time.Now()
	server := fields(rest.ConnectorDetail{WorkerID: "x", Since: now, By: "x", Cause: "x", Trace: "x", Tasks: []rest.TaskDetail{{WorkerID: "x", Since: now, By: "x", NextRetry: now, Cause: "x", Trace: "x"}}})
	here := fields(client.Status{Worker: "x", Since: now, By: "x", Cause: "x", Trace: "x", Tasks: []client.Task{{Worker: "x", Since: now, By: "x", NextRetry: now, Cause: "x", Trace: "x"}}})
	if diff := cmp.Diff(server, here); diff != "" {
		t.Errorf("the fields differ (-server +client):\n%s", diff)
	}
}

func wantCode(t *testing.T, err error, code int, message string) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Error(), message) {
		t.Errorf("got %v, want code %d and a message with %q", err, code, message)
	}
}

func TestErrorsCarryCodeAndMessage(t *testing.T) {
	c, _ := gateway(t)
	ctx := t.Context()
	_, err := c.Get(ctx, "none")
	wantCode(t, err, 404, "connector none not found")
	_, err = c.Status(ctx, "a/b")
	wantCode(t, err, 400, "slash")
	_, err = c.Create(ctx, "a", nil)
	wantCode(t, err, 400, "connector.class: missing")
	if _, err = c.Create(ctx, "a", config()); err != nil {
		t.Fatal(err)
	}
	_, err = c.Create(ctx, "a", config())
	wantCode(t, err, 409, "already exists")
	for _, err := range []error{c.Delete(ctx, ""), c.Pause(ctx, "")} { // must not become another call
		if !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("got %v for an empty name, want ErrInvalid", err)
		}
	}
}

func TestNoGatewayIsExplained(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	_, err = newClient(t, addr).List(t.Context())
	if !errors.Is(err, oms.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	for _, want := range []string{"no gateway answers at " + addr, "connection refused", "omconnect run"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestSomethingElseAtTheAddressIsExplained(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"page":           func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
		"page not found": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "nothing here", http.StatusNotFound) },
		"other error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, `{"detail": "x"}`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			_, err := newClient(t, srv.URL).List(t.Context())
			if err == nil || !strings.Contains(err.Error(), "is no omconnect gateway") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCancelledCallIsTheCallersDoing(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := newClient(t, srv.URL).Pause(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, oms.ErrUnavailable) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8083": "127.0.0.1:8083", "http://localhost:8083/": "localhost:8083", "https://gw.example": "gw.example", "[::1]:8083": "[::1]:8083",
	} {
		if got := newClient(t, address).Address(); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	for _, address := range []string{"", "http://", "ftp://x", "http://u:s3cret@x", "http://x?y=s3cret", "http://x#y", "u:s3cret@x y:%zz", "redis://:s3cret@x"} {
		_, err := client.New(address)
		if !errors.Is(err, oms.ErrInvalid) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: got %v, want ErrInvalid without a secret", address, err)
		}
	}
}

func TestPathOfTheAddressIsKept(t *testing.T) {
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.RequestURI }))
	defer srv.Close()
	if err := newClient(t, srv.URL+"/gw/").Restart(t.Context(), "a b"); err != nil {
		t.Error(err)
	}
	if asked != "/gw/connectors/a%20b/restart" {
		t.Errorf("got %s", asked)
	}
}
