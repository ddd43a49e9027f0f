package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

func TestAboutTheGateway(t *testing.T) {
	h := newHandler(broken{})
	var about map[string]any
	if err := json.Unmarshal(call(h, "GET", "/", "").Body.Bytes(), &about); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"version": "4.1.0", "omconnect_version": "0.1.0", "kafka_cluster_id": "omconnect"} {
		if about[key] != want {
			t.Errorf("got %s %v, want %v", key, about[key], want)
		}
	}
	if commit, _ := about["commit"].(string); commit == "" {
		t.Errorf("got commit %v", about["commit"])
	}
	golden(t, "health", call(h, "GET", "/health", "").Body.Bytes())
}

// A named catalog knows the names that it was asked for.
type named struct {
	rest.Catalog
	asked []string
}

func (n *named) Get(_ context.Context, name string) (connect.Info, error) {
	n.asked = append(n.asked, name)
	return connect.Info{Name: name}, nil
}

func (n *named) Pause(_ context.Context, name string) error {
	n.asked = append(n.asked, name)
	return nil
}

func TestNamesInPathsAreDecodedOnce(t *testing.T) {
	c := new(named)
	h := newHandler(c)
	for path, want := range map[string]string{
		"orders":                 "orders",
		"a.b_c-d:e@f":            "a.b_c-d:e@f",
		"%6frders":               "orders",
		"b%C3%BC":                "bü",
		"bü":                     "bü",
		"100%25":                 "100%",
		"%252F":                  "%2F",
		"a%2Bb+c":                "a+b+c",
		"a%3Fb%23c":              "a?b#c",
		"a%21b!":                 "a!b!",
		"status":                 "status",
		strings.Repeat("x", 200): strings.Repeat("x", 200),
	} {
		c.asked = nil
		for _, call := range []*httptest.ResponseRecorder{
			call(h, "GET", "/connectors/"+path, ""), call(h, "GET", "/connectors/"+path+"/", ""),
			call(h, "PUT", "/connectors/"+path+"/pause", ""), call(h, "PUT", "/connectors/"+path+"/pause/?x=/", ""),
		} {
			if call.Code != 200 && call.Code != 202 {
				t.Errorf("%s: got %d %s", path, call.Code, call.Body)
			}
		}
		for _, got := range c.asked {
			if got != want {
				t.Errorf("%s: the catalog was asked for %q, want %q", path, got, want)
			}
		}
	}
}

func TestImpossibleNamesAreRefused(t *testing.T) {
	h := newHandler(new(named))
	for path, says := range map[string]string{
		"a%2Fb":                  "slash",
		"%2F":                    "slash",
		"a%2F":                   "slash",
		"a%00b":                  "control character",
		"a%0Ab":                  "control character",
		"a%7Fb":                  "control character",
		"a%20b":                  "space",
		"a%FFb":                  "UTF-8",
		strings.Repeat("x", 300): "300 bytes",
		"":                       "needs a name",
	} {
		for _, route := range []string{"GET /connectors/{name}/status", "PUT /connectors/{name}/stop", "POST /connectors/{name}/restart", "GET /connectors/{name}/omconnect", "POST /connectors/{name}", "DELETE /connectors/{name}", "GET /connectors/{name}"} {
			method, pattern, _ := strings.Cut(route, " ")
			if path == "" && strings.HasSuffix(pattern, "{name}") {
				continue // that is /connectors/, the list
			}
			message := wantError(t, call(h, method, strings.Replace(pattern, "{name}", path, 1), ordersConfigFor(method, pattern)), 400)
			if !strings.Contains(message, says) {
				t.Errorf("%s with %q: got message %q, want it to say %q", route, path, message, says)
			}
		}
	}
}

func ordersConfigFor(method, pattern string) string {
	if method == "POST" && strings.HasSuffix(pattern, "}") {
		return ordersConfig
	}
	return ""
}

func TestTrailingSlashIsNoRedirect(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/connectors/", `{"name": "orders", "config": ` + ordersConfig + `}`, 201},
		{"GET", "/connectors/", "", 200},
		{"GET", "/connectors/?expand=status", "", 200},
		{"GET", "/connectors/orders/", "", 200},
		{"GET", "/connectors/%6frders/status/", "", 200},
		{"PUT", "/connectors/orders/pause/", "", 202},
		{"GET", "/health/", "", 200},
		{"GET", "//", "", 200},
		{"GET", "/connectors//", "", 404},
	} {
		w.want(step.method, step.path, step.body, step.status)
	}
}

func TestPagesOfOtherSitesWriteNothing(t *testing.T) {
	w := newWorld(t)
	w.define("orders", ordersConfig)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
	} {
		for _, route := range []string{"POST /connectors", "POST /connectors/x", "PUT /connectors/orders/pause", "DELETE /connectors/orders", "POST /connectors/orders/restart", "PUT /nothing"} {
			method, path, _ := strings.Cut(route, " ")
			wantError(t, call(w.handler, method, path, "", headers...), 403)
		}
		if res := call(w.handler, "GET", "/connectors", "", headers...); res.Code != 200 || res.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("a read got %d and %v; want it answered, and kept from the page by its browser", res.Code, res.Header())
		}
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", "http://example.com"}} {
		if res := call(w.handler, "PUT", "/connectors/orders/pause", "", headers...); res.Code != 202 {
			t.Errorf("with %q: got %d %s, want 202", headers, res.Code, res.Body)
		}
	}
}

func TestOnlyKnownHostsAreServedOnLoopback(t *testing.T) {
	h := rest.New(rest.Options{Catalog: broken{}, Worker: "gateway.example:8083", Logger: slog.New(slog.DiscardHandler)})
	try := func(local net.IP, host string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, "/health", http.NoBody)
		req.Host = host
		req = req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: local, Port: 8083})))
		res := httptest.NewRecorder()
		h.ServeHTTP(res, req)
		return res
	}
	for _, local := range []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback} {
		for _, host := range []string{"localhost", "LOCALHOST:8083", "localhost.:80", "127.0.0.1:8083", "127.0.0.1", "127.9.9.9:1", "[::1]:8083", "[::1]", "gateway.example:9"} {
			if res := try(local, host); res.Code != 200 {
				t.Errorf("host %s at %s: got %d %s, want it served", host, local, res.Code, res.Body)
			}
		}
		for _, host := range []string{"evil.example", "evil.example:8083", "localhost.evil.example", "10.0.0.1:8083", "", "127.0.0.1.evil.example", "::ffff:10.0.0.1"} {
			wantError(t, try(local, host), 403)
		}
	}
	if res := try(net.IPv4(10, 0, 0, 1), "anything.example"); res.Code != 200 {
		t.Errorf("on another address: got %d %s, want it served", res.Code, res.Body)
	}
}

// A panicking catalog panics, before or after the answer has begun.
type panicking struct{ rest.Catalog }

func TestPanicIsAnAnswerAndALogEntry(t *testing.T) {
	var log bytes.Buffer
	h := rest.New(rest.Options{Catalog: panicking{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	message := wantError(t, call(h, "GET", "/connectors/orders", ""), 500)
	if message != "internal error" {
		t.Errorf("got message %q", message)
	}
	for _, want := range []string{"request panicked", "nil pointer", "connectors.go", "path=/connectors/orders"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
	}
}

// A half answer panics when it has begun.
type halfAnswer struct{ rest.Catalog }

func (halfAnswer) List(context.Context) ([]connect.Info, error) {
	return []connect.Info{{Name: "a", Config: oms.KeyValue{}}}, nil
}

// brokenWriter panics in the middle of a body.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (w brokenWriter) Write(p []byte) (int, error) {
	if _, err := w.ResponseRecorder.Write(p[:1]); err != nil {
		return 0, err
	}
	panic("disk on fire")
}

func TestHalfAnAnswerIsCutOff(t *testing.T) {
	var log bytes.Buffer
	h := rest.New(rest.Options{Catalog: halfAnswer{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	res := brokenWriter{httptest.NewRecorder()}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			t.Errorf("got panic %v, want the connection cut", p)
		}
		if got := res.Body.String(); got != "[" || !strings.Contains(log.String(), "disk on fire") {
			t.Errorf("got body %q, want nothing added to it, and the log to tell:\n%s", got, &log)
		}
	}()
	h.ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/connectors", http.NoBody))
}

type aborting struct{ rest.Catalog }

func (aborting) List(context.Context) ([]connect.Info, error) { panic(http.ErrAbortHandler) }

func TestAbortedHandlerCutsTheConnection(t *testing.T) {
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			t.Errorf("got panic %v, want it passed on to the server", p)
		}
	}()
	call(newHandler(aborting{}), "GET", "/connectors", "")
}

func TestLogHasNeitherQueriesNorBodies(t *testing.T) {
	var log bytes.Buffer
	h := rest.New(rest.Options{Catalog: new(recorded), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	call(h, "POST", "/connectors/orders?token=s3cret", `{"password": "s3cret"}`, "Authorization", "Basic s3cret")
	if !strings.Contains(log.String(), "path=/connectors/orders status=201") {
		t.Errorf("the request is not logged:\n%s", &log)
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the log has a secret:\n%s", &log)
	}
}

func TestSecretsAreNotEchoedInErrors(t *testing.T) {
	var log bytes.Buffer
	brokers := connect.NewBrokers(registry(), map[string]string{connect.DefaultBroker: "oms:mem:///"})
	catalog := connect.NewCatalog(newWorld(t).store, plugins(), brokers, slog.New(slog.NewTextHandler(&log, nil)))
	h := rest.New(rest.Options{Catalog: catalog, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, body := range []string{
		`{"connector.class": "db-source", "password": "s3cret", "url": "db://u:s3cret@h/"}`,
		`{"connector.class": "db-source", "password": {"a": "s3cret"}}`,
		`{"connector.class": "no-such", "password": "s3cret"}`,
		`{"connector.class": "db-source", "pasword": "s3cret", "table": "t", "topic": "t"}`,
		`{"connector.class": "db-source", "table": "t", "topic": "t", "broker": "kafka://user:s3cret@host"}`,
		`{"connector.class": "db-source", "table": "t", "topic": "t", "broker": "oms:mem://u:s3cret@h/?x=%zz"}`,
		`{"password": "s3cret" "x": 1}`,
	} {
		for _, path := range []string{"/connectors/orders", "/connectors"} {
			message := wantError(t, call(h, "POST", path, body), 400)
			if strings.Contains(message, "s3cret") {
				t.Errorf("%s: got message %q", body, message)
			}
		}
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the log has a secret:\n%s", &log)
	}
	if err := brokers.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDefaultsOfOptions(t *testing.T) {
	res := call(rest.New(rest.Options{Catalog: &one{status: connect.Status{Name: "orders", State: connect.Running}}}), "GET", "/connectors/orders/status", "")
	body, _ := io.ReadAll(res.Body)
	if !strings.Contains(string(body), `"worker_id":"omconnect"`) {
		t.Errorf("got %s, want a worker all the same", body)
	}
}
