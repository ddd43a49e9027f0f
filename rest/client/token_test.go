package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/rest/client"
)

func TestTheTokenIsSentAsBearerAndOnlyWhereItWasGiven(t *testing.T) {
	t.Parallel()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"status":"healthy"}`))
	}))
	defer server.Close()
	plain := newClient(t, server.URL)
	with := plain.WithToken("GOODTOKEN")
	for _, c := range []*client.Client{with, plain, with.WithToken("")} {
		if _, err := c.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := "Bearer GOODTOKEN||"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

func TestARefusedTokenIsAnErrorWithTheGatewaysWords(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error_code":401,"message":"this gateway asks for its token"}`))
	}))
	defer server.Close()
	_, err := newClient(t, server.URL).WithToken("s3cret").List(t.Context())
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != http.StatusUnauthorized || e.Message != "this gateway asks for its token" {
		t.Errorf("got %v", err)
	}
}

// TestARedirectDoesNotTakeTheTokenElsewhere: no gateway answers so.
func TestARedirectDoesNotTakeTheTokenElsewhere(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other server was asked") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if _, err := newClient(t, server.URL).WithToken("GOODTOKEN").Health(t.Context()); err == nil {
		t.Error("got nil, want that this is no gateway")
	}
}

func TestLocalAddressesAreThoseOfThisMachineOnly(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8083":                true,
		"http://127.8.8.8:1/":           true,
		"localhost:8083":                true,
		"https://LOCALHOST":             true,
		"http://[::1]:8083":             true,
		"http://[::ffff:127.0.0.1]:80":  true,
		"10.0.0.1:8083":                 false,
		"0.0.0.0:8083":                  false,
		"gateway.example":               false,
		"127.0.0.1.example:8083":        false,
		"localhost.example":             false,
		"http://[::ffff:10.0.0.1]:8083": false,
	} {
		if got := newClient(t, address).Local(); got != want {
			t.Errorf("%s: got %t, want %t", address, got, want)
		}
	}
}
