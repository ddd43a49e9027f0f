package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { leaks.Main(m) }

// A world is an API over a real catalog, a store in memory and a broker in
// memory. No runtime runs: tests say themselves what one would publish.
type world struct {
	t       *testing.T
	store   *offsets.Memory
	handler http.Handler
}

const worker = "127.0.0.1:8083"

func newWorld(t *testing.T) *world {
	t.Helper()
	brokers := connect.NewBrokers(registry(), map[string]string{connect.DefaultBroker: "oms:mem:///"})
	store := offsets.NewMemory()
	t.Cleanup(func() {
		if err := brokers.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, store: store, handler: newHandler(connect.NewCatalog(store, plugins(), brokers, slog.New(slog.DiscardHandler)))}
}

func newHandler(c rest.Catalog) http.Handler {
	return rest.New(rest.Options{Catalog: c, Version: "0.1.0", Worker: worker, Logger: slog.New(slog.DiscardHandler)})
}

func registry() *oms.Registry {
	r := new(oms.Registry)
	r.Register("mem", mem.New())
	return r
}

func plugins() *connect.Plugins {
	none := func(connect.Env) (connect.Connector, error) { return nil, errors.New("nothing runs here") }
	ps := new(connect.Plugins)
	ps.Register(connect.Plugin{
		Class: "db-source", Kind: connect.KindSource, Doc: "A source.", New: none,
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "table", Required: true, Doc: "Table to read."},
			{Name: "limit", Type: connect.Long, Doc: "Most rows."},
			{Name: "password", Secret: true, Doc: "Password."},
			{Name: "url", Type: connect.URL, Doc: "Where it is."},
			{Name: "durable", Type: connect.Bool, Doc: "Insist on it."},
		}},
		Needs: func(config oms.KeyValue) []oms.Need {
			if config["durable"] == "true" {
				return []oms.Need{{Capability: oms.Persistent, Key: "durable"}}
			}
			return nil
		},
	})
	ps.Register(connect.Plugin{Class: "db-sink", Kind: connect.KindSink, Doc: "A sink.", New: none})
	return ps
}

const ordersConfig = `{"connector.class": "db-source", "table": "orders", "topic": "orders"}`

// define creates a connector as POST /connectors/{name} does.
func (w *world) define(name, config string) {
	w.t.Helper()
	w.want(http.MethodPost, "/connectors/"+name, config, http.StatusCreated)
}

// publish says what a runtime would say of a connector (Task is
// offsets.ConnectorTask) or a task.
func (w *world) publish(statuses ...offsets.Status) {
	w.t.Helper()
	for _, s := range statuses {
		if err := w.store.Publish(w.t.Context(), s, time.Hour); err != nil {
			w.t.Fatal(err)
		}
	}
}

// want makes a call and insists on its status.
func (w *world) want(method, path, body string, status int) *httptest.ResponseRecorder {
	w.t.Helper()
	res := call(w.handler, method, path, body)
	if res.Code != status {
		w.t.Fatalf("%s %s: got %d %s, want %d", method, path, res.Code, res.Body, status)
	}
	return res
}

// call makes a call with the headers given as pairs.
func call(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res := httptest.NewRecorder()
	h.ServeHTTP(res, req)
	return res
}

// wantError insists on an error body of that status and returns its message.
func wantError(t *testing.T, res *httptest.ResponseRecorder, status int) string {
	t.Helper()
	if res.Code != status {
		t.Fatalf("got status %d %.500s, want %d", res.Code, res.Body, status)
	}
	if got := res.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("got content type %q, want application/json", got)
	}
	dec := json.NewDecoder(res.Body)
	dec.DisallowUnknownFields()
	var body struct {
		Code    *int    `json:"error_code"`
		Message *string `json:"message"`
	}
	if err := dec.Decode(&body); err != nil || body.Code == nil || body.Message == nil {
		t.Fatalf("got a body that is no error: %v", err)
	}
	if *body.Code != status || *body.Message == "" {
		t.Errorf("got code %d and message %q in the body, want %d and a message", *body.Code, *body.Message, status)
	}
	return *body.Message
}

// golden compares a JSON answer with testdata/<name>.json.
func golden(t *testing.T, name string, answer []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, answer, "", "  "); err != nil {
		t.Fatalf("%s: %v in %s", name, err, answer)
	}
	got := indented.Bytes()
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), go test -update rewrites it:\n%s", file, diff)
	}
}

// A broken catalog fails every call with one error.
type broken struct {
	rest.Catalog
	err error
}

func (b broken) Create(context.Context, connect.Request) (connect.Info, error) {
	return connect.Info{}, b.err
}
func (b broken) List(context.Context) ([]connect.Info, error)       { return nil, b.err }
func (b broken) Get(context.Context, string) (connect.Info, error)  { return connect.Info{}, b.err }
func (b broken) Statuses(context.Context) ([]connect.Status, error) { return nil, b.err }
func (b broken) Status(context.Context, string) (connect.Status, error) {
	return connect.Status{}, b.err
}
func (b broken) Pause(context.Context, string) error   { return b.err }
func (b broken) Resume(context.Context, string) error  { return b.err }
func (b broken) Stop(context.Context, string) error    { return b.err }
func (b broken) Restart(context.Context, string) error { return b.err }
func (b broken) Delete(context.Context, string) error  { return b.err }
