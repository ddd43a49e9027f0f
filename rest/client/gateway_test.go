package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/rest/client"
)

func TestHealthKnowsAGatewayFromWhateverElseAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status     int
		body, want string
	}{
		"a gateway":     {200, `{"status":"healthy","message":"the gateway is up"}`, ""},
		"another API":   {200, `{"ok":true}`, "no omconnect gateway"},
		"a page":        {200, "<html>", "no omconnect gateway"},
		"an error":      {503, `{"error_code":503,"message":"the gateway is starting"}`, "the gateway is starting"},
		"not a gateway": {404, "not found", "no omconnect gateway"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/health" {
				t.Errorf("%s: %s %s was asked for", name, r.Method, r.URL.Path)
			}
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		}))
		t.Cleanup(server.Close)
		c, err := client.New(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Health(t.Context())
		switch {
		case tc.want == "" && (err != nil || got.Status != "healthy"):
			t.Errorf("%s: %+v, %v", name, got, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want an error with %q", name, err, tc.want)
		}
	}
}
