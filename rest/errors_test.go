package rest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

// routes returns "METHOD path" of everything that is served.
func routes(t *testing.T) []string {
	t.Helper()
	var all []string
	err := chi.Walk(rest.Routes(rest.Options{Catalog: broken{}}), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		all = append(all, method+" "+path)
		return nil
	})
	if err != nil || len(all) < 14 {
		t.Fatalf("got routes %q, %v", all, err)
	}
	return all
}

func TestEveryCallTurnsCodesIntoAnswers(t *testing.T) {
	detail := errors.New("dial tcp 10.1.2.3:6379: connection refused")
	for _, tc := range []struct {
		err    error
		status int
		tells  bool
	}{
		{&oms.Error{Op: "find", Code: oms.ErrInvalid, Err: detail}, 400, true},
		{oms.KeyErrors{{Key: "table", Problem: detail.Error()}}, 400, true},
		{fmt.Errorf("wrapped: %w", oms.KeyErrors{{Key: "table", Problem: detail.Error()}}), 400, true},
		{&oms.Error{Op: "find", Code: oms.ErrUnsupported, Err: detail}, 400, true},
		{&oms.Error{Op: "find", Code: oms.ErrNotFound, Err: detail}, 404, true},
		{&oms.Error{Op: "find", Code: oms.ErrExists, Err: detail}, 409, true},
		{&oms.Error{Op: "find", Code: oms.ErrAborted, Err: detail}, 409, true},
		{&oms.Error{Op: "find", Code: oms.ErrHeld, Err: detail}, 409, true},
		{&oms.Error{Op: "find", Code: oms.ErrTooLarge, Err: detail}, 413, true},
		{&oms.Error{Op: "find", Code: oms.ErrUnavailable, Err: detail}, 503, true},
		{&oms.Error{Op: "find", Code: oms.ErrBusy, Err: detail}, 503, true},
		{&oms.Error{Op: "find", Code: oms.ErrClosed, Err: detail}, 503, true},
		{oms.ErrClosed, 503, false},
		{context.Canceled, 503, false},
		{&oms.Error{Op: "find", Code: oms.ErrTimeout, Err: detail}, 504, true},
		{fmt.Errorf("ask: %w", context.DeadlineExceeded), 504, false},
		{&oms.Error{Op: "find", Code: oms.ErrFormat, Err: detail}, 500, false},
		{&oms.Error{Op: "find", Code: oms.ErrDenied, Err: detail}, 500, false},
		{&oms.Error{Op: "find", Code: oms.ErrFenced, Err: detail}, 500, false},
		{detail, 500, false},
	} {
		var log bytes.Buffer
		h := rest.New(rest.Options{Catalog: broken{err: tc.err}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for _, route := range routes(t) {
			method, path, _ := strings.Cut(route, " ")
			if !strings.HasPrefix(path, "/connectors") {
				continue
			}
			log.Reset()
			path = strings.ReplaceAll(path, "{name}", "orders")
			body := ""
			if method == "POST" && path == "/connectors" {
				body = `{"name": "orders", "config": {}}`
			} else if method == "POST" && path == "/connectors/orders" {
				body = `{}`
			}
			message := wantError(t, call(h, method, path, body), tc.status)
			if got := strings.Contains(message, detail.Error()); got != tc.tells {
				t.Errorf("%s with %v: got message %q; does it tell the cause: %t, want %t", route, tc.err, message, got, tc.tells)
			}
			if got := strings.Contains(log.String(), tc.err.Error()); got != (tc.status >= 500) {
				t.Errorf("%s with %v: is it in the log: %t, want %t\n%s", route, tc.err, got, tc.status >= 500, &log)
			}
		}
	}
}

func TestEveryPathAndMethodAnswersInOneForm(t *testing.T) {
	paths := map[string][]string{} // allowed methods by path
	for _, route := range routes(t) {
		method, path, _ := strings.Cut(route, " ")
		paths[path] = append(paths[path], method)
	}
	for _, unknown := range []string{"/nothing", "/connectors/{name}/nothing", "/connectors/{name}/status/x", "/docs", "/schemas/Error.json", "/openapi.yaml", "/connectors//", "/Connectors"} {
		paths[unknown] = nil
	}
	h := newHandler(broken{err: oms.ErrNotFound})
	for path, allowed := range paths {
		path = strings.ReplaceAll(path, "{name}", "orders")
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"} {
			res := call(h, method, path, "")
			got := res.Code
			listed := strings.Contains(" "+strings.Join(allowed, " ")+" ", " "+method+" ")
			switch {
			case len(allowed) == 0:
				wantError(t, res, 404)
			case method == "OPTIONS":
				if got != 204 || !strings.Contains(res.Header().Get("Allow"), allowed[0]) || res.Body.Len() > 0 {
					t.Errorf("OPTIONS %s: got %d with Allow %q", path, got, res.Header().Get("Allow"))
				}
			case method == "HEAD" && strings.Contains(strings.Join(allowed, " "), "GET"):
				if want := call(h, "GET", path, "").Code; got != want {
					t.Errorf("HEAD %s: got %d, want %d as for GET", path, got, want)
				}
			case !listed:
				message := wantError(t, res, 405)
				for _, a := range allowed {
					if !strings.Contains(res.Header().Get("Allow"), a) || !strings.Contains(message, a) {
						t.Errorf("%s %s: got Allow %q and message %q, want both to name %s", method, path, res.Header().Get("Allow"), message, a)
					}
				}
			case got >= 400:
				if got != 404 && got != 400 { // 400: a creation without a body
					t.Errorf("%s %s: got %d", method, path, got)
				}
				wantError(t, res, got)
			}
			if strings.Contains(res.Header().Get("Link")+res.Body.String(), `"$schema"`) {
				t.Errorf("%s %s: huma's own additions are there", method, path)
			}
			if res.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: content may be sniffed", method, path)
			}
		}
	}
}

func TestNoMessageSaysRebalance(t *testing.T) {
	for _, err := range []error{
		&oms.Error{Code: oms.ErrUnavailable, Err: errors.New("the group is Rebalancing, REBALANCE in progress")},
		&oms.Error{Code: oms.ErrNotFound, Err: errors.New("connector rebalance not found")},
		oms.KeyErrors{{Key: "rebalance.protocol", Problem: "unknown key"}},
	} {
		res := call(newHandler(broken{err: err}), "GET", "/connectors/orders", "")
		if strings.Contains(strings.ToLower(res.Body.String()), "rebalance") {
			t.Errorf("got %s", res.Body)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	var many oms.KeyErrors
	for i := range 5000 {
		many = append(many, oms.KeyError{Key: fmt.Sprintf("key%d", i), Problem: "unknown key"})
	}
	message := wantError(t, call(newHandler(broken{err: many}), "GET", "/connectors/orders", ""), 400)
	if !strings.Contains(message, "5000 error(s)") || !strings.Contains(message, "(and 4900 more)") {
		t.Errorf("got %.100s…, want the number of problems and of those left out", message)
	}
	long := oms.KeyErrors{{Key: "k" + strings.Repeat("ü", 1<<20), Problem: "unknown key"}}
	message = wantError(t, call(newHandler(broken{err: long}), "GET", "/connectors/orders", ""), 400)
	if len(message) > 40<<10 || strings.ContainsRune(message, '�') {
		t.Errorf("got a message of %d bytes, want a bounded one cut between characters", len(message))
	}
}

func TestWhatHumaFindsIsToldWithoutValues(t *testing.T) {
	h := newHandler(broken{})
	message := wantError(t, call(h, "POST", "/connectors/orders/restart?onlyFailed=s3cret", ""), 400)
	if !strings.Contains(message, "query.onlyFailed") || strings.Contains(message, "s3cret") {
		t.Errorf("got message %q, want it to name the parameter and not its value", message)
	}
	e := huma.NewError(http.StatusInternalServerError, "unexpected", errors.New("s3cret"))
	if e.GetStatus() != 500 || e.Error() != "internal error" {
		t.Errorf("got %d %q for an error that huma did not expect", e.GetStatus(), e)
	}
}
