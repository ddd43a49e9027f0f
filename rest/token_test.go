package rest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

const goodToken = "GOODTOKEN234567GOODTOKEN22"

func newGuarded(tokens ...string) http.Handler {
	return rest.New(rest.Options{Catalog: broken{err: oms.ErrNotFound}, Worker: worker, Tokens: tokens, Logger: slog.New(slog.DiscardHandler)})
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// TestEveryCallButHealthNeedsTheToken goes over what is served, and what is
// not: a stranger is not told what there is.
func TestEveryCallButHealthNeedsTheToken(t *testing.T) {
	h := newGuarded(goodToken)
	for _, route := range append(routes(t), "GET /nothing", "PATCH /connectors", "OPTIONS /connectors", "POST /health", "GET /health/x", "GET //health") {
		method, path, _ := strings.Cut(route, " ")
		path = strings.ReplaceAll(path, "{name}", "orders")
		res := call(h, method, path, "")
		if path == "/health" && method == http.MethodGet {
			if res.Code != http.StatusOK {
				t.Errorf("%s: got %d, want it answered", route, res.Code)
			}
			continue
		}
		message := wantError(t, res, http.StatusUnauthorized)
		if !strings.Contains(message, "Authorization: Bearer") {
			t.Errorf("%s: got message %q, want it to say how to send the token", route, message)
		}
		for _, scheme := range []string{"Basic ", "Bearer "} {
			if !slices.ContainsFunc(res.Header().Values("WWW-Authenticate"), func(v string) bool { return strings.HasPrefix(v, scheme+`realm="omconnect"`) }) {
				t.Errorf("%s: got WWW-Authenticate %q, want one with %s", route, res.Header().Values("WWW-Authenticate"), scheme)
			}
		}
		if res := call(h, method, path, "", "Authorization", "Bearer "+goodToken); res.Code == http.StatusUnauthorized {
			t.Errorf("%s with the token: got %d %s", route, res.Code, res.Body)
		}
	}
	for _, path := range []string{"/health", "/health/"} {
		if res := call(h, http.MethodHead, path, ""); res.Code != http.StatusOK {
			t.Errorf("HEAD %s: got %d, want it answered", path, res.Code)
		}
	}
}

func TestTheTokenIsTakenAsBearerAndAsPassword(t *testing.T) {
	const second = "SECONDTOKEN34567SECONDTOKE"
	h := newGuarded(goodToken, second)
	for header, want := range map[string]int{
		"Bearer " + goodToken:               200,
		"bearer " + goodToken:               200,
		"BEARER   " + goodToken + " ":       200,
		"Bearer " + second:                  200, // while one is being replaced by the other
		basic("admin", goodToken):           200,
		basic("", second):                   200,
		"Basic !!!":                         401,
		basic(goodToken, ""):                401,
		basic(goodToken, "wrong"):           401,
		basic("admin", "x:"+goodToken):      401,
		"Bearer":                            401,
		"Bearer ":                           401,
		"Bearer " + goodToken[:25]:          401,
		"Bearer " + goodToken + "X":         401,
		"Bearer " + strings.ToLower(second): 401,
		"Bearer " + goodToken + second:      401,
		"Bearer " + goodToken + " " + "x":   401,
		"Token " + goodToken:                401,
		goodToken:                           401,
		"":                                  401,
	} {
		res := call(h, "GET", "/", "", "Authorization", header)
		if res.Code != want {
			t.Errorf("%q: got %d, want %d", header, res.Code, want)
		}
		if res.Code == http.StatusUnauthorized && strings.Contains(res.Body.String(), "TOKEN") {
			t.Errorf("%q: the answer has a token: %s", header, res.Body)
		}
	}
}

func TestAWrongTokenIsToldFromNone(t *testing.T) {
	h := newGuarded(goodToken)
	wrong := wantError(t, call(h, "GET", "/", "", "Authorization", "Bearer wrong"), 401)
	none := wantError(t, call(h, "GET", "/", ""), 401)
	if wrong == none || !strings.Contains(wrong, "not the gateway's token") {
		t.Errorf("got %q for a wrong token and %q for none", wrong, none)
	}
}

// TestAnEmptyTokenLetsNobodyIn: it would let in everybody who sends no password.
func TestAnEmptyTokenLetsNobodyIn(t *testing.T) {
	h := newGuarded("")
	for _, header := range []string{"", "Bearer ", basic("admin", "")} {
		wantError(t, call(h, "GET", "/", "", "Authorization", header), 401)
	}
}

func TestWithoutTokensNobodyNeedsOne(t *testing.T) {
	for _, header := range []string{"", "Bearer anything", basic("admin", "x"), "nonsense"} {
		if res := call(newGuarded(), "GET", "/", "", "Authorization", header); res.Code != 200 {
			t.Errorf("%q: got %d %s", header, res.Code, res.Body)
		}
	}
}

func TestABodyIsNotReadForAStranger(t *testing.T) {
	body := new(endless)
	res := httptest.NewRecorder()
	newGuarded(goodToken).ServeHTTP(res, httptest.NewRequest(http.MethodPost, "/connectors", io.LimitReader(body, 1<<20)))
	wantError(t, res, 401)
	if body.read > 0 {
		t.Errorf("%d bytes were read", body.read)
	}
}

func TestTokensStandInNoLog(t *testing.T) {
	var log bytes.Buffer
	h := rest.New(rest.Options{Catalog: broken{}, Tokens: []string{goodToken}, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, header := range []string{"Bearer " + goodToken, "Bearer wrong-s3cret", basic("admin", goodToken), basic("s3cret", "x")} {
		call(h, "GET", "/", "", "Authorization", header)
	}
	if got := strings.Count(log.String(), "status=401"); got != 2 {
		t.Errorf("the log has %d refused requests, want 2:\n%s", got, &log)
	}
	for _, secret := range []string{goodToken, "s3cret", basic("admin", goodToken)} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, &log)
		}
	}
}

// TestATokenDoesNotOpenTheDoorsOfBrowsers: a page of another site may have the
// browser send a password that it remembers.
func TestATokenDoesNotOpenTheDoorsOfBrowsers(t *testing.T) {
	h := newGuarded(goodToken)
	wantError(t, call(h, "PUT", "/connectors/orders/pause", "", "Authorization", basic("admin", goodToken), "Sec-Fetch-Site", "cross-site"), 403)
}

func TestTheDescriptionSaysThatCallsNeedAToken(t *testing.T) {
	var doc map[string]any
	res := call(newGuarded(goodToken), "GET", "/openapi.json", "", "Authorization", "Bearer "+goodToken)
	if err := json.Unmarshal(res.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"bearer", "basic"} {
		if at(doc, "components", "securitySchemes", scheme, "scheme") != scheme || at(doc, "components", "securitySchemes", scheme, "type") != "http" {
			t.Errorf("got schemes %v, want %s among them", at(doc, "components", "securitySchemes"), scheme)
		}
	}
	if all, _ := doc["security"].([]any); len(all) != 2 {
		t.Errorf("got security %v, want one scheme or the other", doc["security"])
	}
	operations(t, doc, func(name string, op map[string]any) {
		open := name == "GET /health"
		if got := at(op, "responses", "401") == nil; got != open {
			t.Errorf("%s: it has no 401: %t, want %t", name, got, open)
		}
		if none, _ := op["security"].([]any); (len(none) == 1) != open {
			t.Errorf("%s: got security %v; is it open: %t", name, op["security"], open)
		}
	})
	if plain := description(t); plain["security"] != nil || at(plain, "components", "securitySchemes") != nil {
		t.Error("without tokens the description asks for some")
	}
}

func TestListenTakesEveryAddressWhenCallsNeedAToken(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "127.0.0.1:0"} {
		ln, err := rest.Listen(t.Context(), addr, true)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if host, _, err := net.SplitHostPort(ln.Addr().String()); err != nil || strings.HasPrefix(addr, "127.") != (host == "127.0.0.1") {
			t.Errorf("%s: it listens at %s", addr, ln.Addr())
		}
		ln.Close()
	}
	for _, addr := range []string{"", "8083", "no-such-host.invalid:0", "127.0.0.1:99999"} {
		if _, err := rest.Listen(t.Context(), addr, true); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", addr, err)
		}
	}
}

func TestTheTokenIsAskedForOverTheWire(t *testing.T) {
	s := serve(t, newGuarded(goodToken))
	for path, want := range map[string]int{"/health": 200, "/connectors": 401} {
		res, err := s.get(path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want || (want == 401) != strings.Contains(string(body), `"error_code":401`) {
			t.Errorf("%s: got %s %s, %v, want %d", path, res.Status, body, err, want)
		}
	}
	s.shutdown()
}
