package rest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

// A waiting catalog answers when its caller gives up: its store hangs.
type waiting struct {
	rest.Catalog
	gone chan error // why it gave up
}

func (w waiting) List(ctx context.Context) ([]connect.Info, error) {
	<-ctx.Done()
	w.gone <- context.Cause(ctx)
	return nil, ctx.Err()
}

func TestRequestWaitsForAStoreThatHangsOnlySoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, began := newHandler(waiting{gone: make(chan error, 1)}), time.Now()
		message := wantError(t, call(h, "GET", "/connectors", ""), 504)
		if took := time.Since(began); took != 30*time.Second || message == "" {
			t.Errorf("got %q after %v, want an answer after 30 s", message, took)
		}
	})
}

func TestClientThatIsGoneIsNotWorkedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := waiting{gone: make(chan error, 1)}
		ctx, stop := context.WithCancel(t.Context())
		ln, ended := newPipes(), make(chan error, 1)
		go func() { ended <- rest.Serve(ctx, ln, newHandler(w), slog.New(slog.DiscardHandler)) }()
		here, there := net.Pipe()
		ln.conns <- there
		if _, err := io.WriteString(here, "GET /connectors HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		began := time.Now()
		here.Close()
		if err := <-w.gone; !errors.Is(err, context.Canceled) || time.Since(began) > time.Second {
			t.Errorf("the catalog was asked until %v, %v later; want until the client was gone", err, time.Since(began))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestSlowBodyIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ln, ended := newPipes(), make(chan error, 1)
		go func() { ended <- rest.Serve(ctx, ln, newHandler(broken{}), slog.New(slog.DiscardHandler)) }()
		here, there := net.Pipe()
		ln.conns <- there
		if _, err := io.WriteString(here, "POST /connectors/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
			t.Error(err)
		}
		trickling, done := make(chan struct{}), make(chan struct{})
		go func() { // a byte every five seconds
			defer close(done)
			for {
				select {
				case <-time.After(5 * time.Second):
					if _, err := io.WriteString(here, " "); err != nil {
						return
					}
				case <-trickling:
					return
				}
			}
		}()
		began := time.Now()
		res, err := http.ReadResponse(bufio.NewReader(here), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if took := time.Since(began); res.StatusCode != http.StatusBadRequest || took < 29*time.Second || took > 31*time.Second {
			t.Errorf("got %d after %v, want 400 after 30 s", res.StatusCode, took)
		}
		close(trickling)
		here.Close()
		<-done
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestOneOfManyCreationsAtTheSameTimeWins(t *testing.T) {
	w := newWorld(t)
	const n = 40
	var wg sync.WaitGroup
	codes := make(chan *httptest.ResponseRecorder, n)
	for i := range n {
		wg.Go(func() {
			path, body := "/connectors/orders", ordersConfig
			if i%2 == 0 {
				path, body = "/connectors", `{"name": "orders", "config": `+ordersConfig+`}`
			}
			codes <- call(w.handler, "POST", path, body)
		})
	}
	wg.Wait()
	close(codes)
	count := make(map[int]int)
	for res := range codes {
		count[res.Code]++
		if res.Code == 409 {
			wantError(t, res, 409)
		}
	}
	if count[201] != 1 || count[409] != n-1 {
		t.Errorf("got answers %v, want one 201 and the rest 409", count)
	}
}

func TestCommandsAtTheSameTimeAreNoServerErrors(t *testing.T) {
	w := newWorld(t)
	w.define("orders", ordersConfig)
	calls := []string{
		"PUT /connectors/orders/pause", "PUT /connectors/orders/resume", "PUT /connectors/orders/stop", "POST /connectors/orders/restart",
		"GET /connectors/orders/status", "GET /connectors?expand=info&expand=status", "DELETE /connectors/orders",
	}
	var wg sync.WaitGroup
	for i := range 70 {
		wg.Go(func() {
			method, path, _ := strings.Cut(calls[i%len(calls)], " ")
			res := call(w.handler, method, path, "")
			if ok := res.Code < 300 || res.Code == 404 || res.Code == 409; !ok {
				t.Errorf("%s: got %d %s", calls[i%len(calls)], res.Code, res.Body)
			}
		})
	}
	wg.Wait()
	wantError(t, w.want("GET", "/connectors/orders", "", 404), 404)
}

// Clients send the types that their libraries send. The body is what counts,
// and the answer is JSON whatever they would rather have.
func TestContentTypesDoNotMatter(t *testing.T) {
	for i, typ := range []string{"application/json", "application/json; charset=utf-8", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded", "nonsense", ""} {
		w := newWorld(t)
		headers := []string{"Content-Type", typ, "Accept", []string{"text/html", "application/cbor", "*/*", "application/problem+json", "nonsense;q=x", "", "application/xml"}[i]}
		res := call(w.handler, "POST", "/connectors/orders", ordersConfig, headers...)
		if got := res.Header().Get("Content-Type"); res.Code != 201 || got != "application/json" {
			t.Errorf("%q: got %d %s of type %q, want 201 and JSON", headers, res.Code, res.Body, got)
		}
		wantError(t, call(w.handler, "POST", "/connectors/orders", ordersConfig, headers...), 409)
		wantError(t, call(w.handler, "POST", "/connectors/orders", "a=b&c=d", headers...), 400)
		if res := call(w.handler, "PUT", "/connectors/orders/pause", `""`, headers...); res.Code != 202 {
			t.Errorf("%q: pause got %d %s", headers, res.Code, res.Body)
		}
	}
}

// A connector that comes or goes between two reads of the store is left out of
// an expansion, and is no error.
func TestExpansionOfConnectorsThatVanish(t *testing.T) {
	info := func(name string) connect.Info {
		return connect.Info{Name: name, Kind: connect.KindSource, Config: oms.KeyValue{}}
	}
	h := newHandler(shifting{infos: []connect.Info{info("a"), info("gone")}, statuses: []connect.Status{{Name: "a"}, {Name: "new"}}})
	for _, query := range []string{"?expand=status&expand=info", "?expand=status", "?expand=omconnect&expand=status"} {
		body := call(h, "GET", "/connectors"+query, "").Body.String()
		if !strings.HasPrefix(body, `{"a":{`) || strings.Contains(body, "gone") || strings.Contains(body, "new") {
			t.Errorf("%s: got %s, want a alone", query, body)
		}
	}
}

// A shifting catalog has other statuses than connectors.
type shifting struct {
	rest.Catalog
	infos    []connect.Info
	statuses []connect.Status
}

func (s shifting) List(context.Context) ([]connect.Info, error)       { return s.infos, nil }
func (s shifting) Statuses(context.Context) ([]connect.Status, error) { return s.statuses, nil }

// Names that are awkward in a path, in JSON, in HTML and on a terminal work in
// every call, and come back as they are.
func TestOddNamesWorkInEveryCall(t *testing.T) {
	for _, name := range []string{"a.b-c_d", "ü€", "a%2Fb", "a+b", "a?b", "a#b", "a&b=c", `a"b`, "a'b", "<img>", "...", "{name}", "a;b", "a:b", "a@b", "a,b", "%", "status", "日本", strings.Repeat("x", 200)} {
		w := newWorld(t)
		path := "/connectors/" + url.PathEscape(name)
		res := w.want("POST", "/connectors", fmt.Sprintf(`{"name": %q, "config": %s}`, name, ordersConfig), 201)
		if got := res.Header().Get("Location"); got == "" {
			t.Errorf("%s: no Location", name)
		}
		for _, c := range []struct {
			method, path string
			status       int
		}{
			{"GET", "", 200},
			{"GET", "/status", 200},
			{"GET", "/omconnect", 200},
			{"GET", "/status/", 200},
			{"PUT", "/pause", 202},
			{"PUT", "/resume", 202},
			{"PUT", "/stop", 204},
			{"POST", "/restart", 204},
			{"HEAD", "", 200},
			{"DELETE", "", 204},
			{"GET", "", 404},
		} {
			w.want(c.method, path+c.path, "", c.status)
		}
	}
}
