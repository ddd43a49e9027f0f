package rest_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/offsets"
)

func TestTheSevenCallsOfTheDraft(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/connectors/orders", ordersConfig, 201},
		{"GET", "/connectors/orders", "", 200},
		{"GET", "/connectors/orders/status", "", 200},
		{"PUT", "/connectors/orders/pause", "", 202},
		{"PUT", "/connectors/orders/resume", "", 202},
		{"POST", "/connectors/orders/restart", "", 204},
		{"DELETE", "/connectors/orders", "", 204},
		{"GET", "/connectors/orders", "", 404},
		{"GET", "/connectors/orders/status", "", 404},
		{"PUT", "/connectors/orders/pause", "", 404},
		{"DELETE", "/connectors/orders", "", 404},
	} {
		res := w.want(step.method, step.path, step.body, step.status)
		if (step.status == 202 || step.status == 204) && (res.Body.Len() > 0 || res.Header().Get("Content-Type") != "") {
			t.Errorf("%s %s: got body %q of type %q, want none", step.method, step.path, res.Body, res.Header().Get("Content-Type"))
		}
	}
}

func TestConfigurationComesBackAsSent(t *testing.T) {
	w := newWorld(t)
	w.define("orders", `{"connector.class": "db-source", "topic": "orders", "table": "a\tb „ü“ \u0000 <&>",
		"limit": 9007199254740993, "durable": false, "tasks.max": 1, "password": " ", "url": ["a", 1, true, 1e3, 1.0]}`)
	res := w.want("GET", "/connectors/orders", "", 200)
	var got struct{ Config map[string]string }
	if err := json.Unmarshal(res.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"name": "orders", "connector.class": "db-source", "topic": "orders", "table": "a\tb „ü“ \x00 <&>",
		"limit": "9007199254740993", "durable": "false", "tasks.max": "1", "password": " ", "url": "a,1,true,1e3,1.0",
	}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

func TestBothWaysToCreateAnswerTheSame(t *testing.T) {
	w := newWorld(t)
	flat := w.want("POST", "/connectors/a%20b%C3%BC?x=1", ordersConfig, 400) // a space is not allowed
	wantError(t, flat, 400)
	flat = w.want("POST", "/connectors/b%C3%BC%25", ordersConfig, 201)
	w.want("DELETE", "/connectors/b%C3%BC%25", "", 204)
	// The tombstone stays until a runtime has destroyed the connector.
	other := newWorld(t)
	full := other.want("POST", "/connectors", `{"name": "bü%", "config": `+ordersConfig+`}`, 201)
	if diff := cmp.Diff(flat.Body.String(), full.Body.String()); diff != "" {
		t.Errorf("answers differ:\n%s", diff)
	}
	for _, res := range []interface{ Header() http.Header }{flat, full} {
		if got := res.Header().Get("Location"); got != "/connectors/b%C3%BC%25" {
			t.Errorf("got Location %q", got)
		}
	}
	golden(t, "created", full.Body.Bytes())
}

func TestInitialStateIsTheTarget(t *testing.T) {
	for sent, want := range map[string]offsets.Target{
		`"RUNNING"`: offsets.TargetRunning, `"paused"`: offsets.TargetPaused, `"STOPPED"`: offsets.TargetStopped, `null`: offsets.TargetRunning,
	} {
		w := newWorld(t)
		w.want("POST", "/connectors", `{"name": "orders", "initial_state": `+sent+`, "config": `+ordersConfig+`}`, 201)
		defs, err := w.store.List(t.Context())
		if err != nil || len(defs) != 1 || defs[0].Target != want {
			t.Errorf("initial_state %s: got %+v, %v, want target %s", sent, defs, err, want)
		}
	}
}

func TestCommandsAreWrittenToTheStore(t *testing.T) {
	w := newWorld(t)
	w.define("orders", ordersConfig)
	for _, step := range []struct {
		method, path string
		status       int
		target       offsets.Target
		restarts     int64
	}{
		{"PUT", "pause", 202, offsets.TargetPaused, 0},
		{"PUT", "pause", 202, offsets.TargetPaused, 0}, // again is no failure
		{"PUT", "stop", 204, offsets.TargetStopped, 0},
		{"PUT", "resume", 202, offsets.TargetRunning, 0},
		{"POST", "restart", 204, offsets.TargetRunning, 1},
		{"POST", "restart?includeTasks=false&onlyFailed=false", 204, offsets.TargetRunning, 2},
	} {
		w.want(step.method, "/connectors/orders/"+step.path, "", step.status)
		defs, err := w.store.List(t.Context())
		if err != nil || len(defs) != 1 || defs[0].Target != step.target || defs[0].Restarts != step.restarts {
			t.Errorf("%s: got %+v, %v, want target %s and %d restarts", step.path, defs, err, step.target, step.restarts)
		}
	}
}

func TestConnectorOfAFileIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	if _, err := w.store.Put(t.Context(), offsets.Definition{
		Name: "orders", Origin: "gateway.yaml:12", Target: offsets.TargetRunning, Config: map[string]string{"connector.class": "db-source"},
	}); err != nil {
		t.Fatal(err)
	}
	message := wantError(t, w.want("DELETE", "/connectors/orders", "", 409), 409)
	if !strings.Contains(message, "gateway.yaml:12") {
		t.Errorf("got message %q, want it to name file and line", message)
	}
}

func TestAnInvalidConfigurationIsToldWhole(t *testing.T) {
	w := newWorld(t)
	res := w.want("POST", "/connectors/orders", `{"connector.class": "db-source", "limit": "many", "tabel": "orders"}`, 400)
	message := wantError(t, res, 400)
	lines := strings.Split(message, "\n")
	if want := "Connector configuration is invalid and contains the following 4 error(s):"; lines[0] != want {
		t.Errorf("got first line %q, want %q", lines[0], want)
	}
	for i, key := range []string{"limit: ", "tabel: ", "table: ", "topic: "} {
		if !strings.HasPrefix(lines[i+1], key) {
			t.Errorf("got line %d %q, want it to begin with %q", i+1, lines[i+1], key)
		}
	}
}

func TestRefusalsSayWhatClientsLookFor(t *testing.T) {
	w := newWorld(t)
	w.define("orders", ordersConfig)
	for _, tc := range []struct {
		name, path, body string
		status           int
		message          string
	}{
		{"unknown class", "/connectors/x", `{"connector.class": "no-such"}`, 400, `^Failed to find any class that implements Connector .*no-such.*db-sink, db-source`},
		{"exists", "/connectors/orders", ordersConfig, 409, `^connector orders already exists$`},
		{"other name", "/connectors/x", `{"name": "y", "connector.class": "db-source", "table": "t", "topic": "t"}`, 400, `connector name configuration \(y\) doesn't match`},
		{"missing capability", "/connectors/x", `{"connector.class": "db-source", "table": "t", "topic": "t", "durable": true}`, 400, `persistent .*durable`},
		{"initial state in the configuration", "/connectors/x", `{"initial_state": "PAUSED", "connector.class": "db-source", "table": "t", "topic": "t"}`, 400, `initial_state: not supported`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			message := wantError(t, call(w.handler, "POST", tc.path, tc.body), tc.status)
			if !regexp.MustCompile(tc.message).MatchString(message) {
				t.Errorf("got message %q, want it to match %q", message, tc.message)
			}
		})
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	if got := w.want("GET", "/connectors", "", 200).Body.String(); got != "[]\n" {
		t.Errorf("got %q of an empty gateway, want an empty array", got)
	}
	if got := w.want("GET", "/connectors?expand=status", "", 200).Body.String(); got != "{}\n" {
		t.Errorf("got %q of an empty gateway, want an empty object", got)
	}
	w.define("orders", ordersConfig)
	w.define("copy", `{"connector.class": "db-sink", "topics": "orders"}`)
	w.publish(
		offsets.Status{Connector: "orders", Task: offsets.ConnectorTask, Worker: "10.0.0.7:8083", State: "RUNNING", Since: since, By: "created over REST"},
		offsets.Status{Connector: "orders", Task: 0, Worker: "10.0.0.7:8083", State: "RUNNING", Since: since, Records: 12},
	)
	for name, query := range map[string]string{
		"list":           "",
		"list-status":    "?expand=status",
		"list-info":      "?expand=info",
		"list-both":      "?expand=info&expand=status",
		"list-omconnect": "?expand=omconnect",
		"list-unknown":   "?expand=colour&expand=",
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, w.want("GET", "/connectors"+query, "", 200).Body.Bytes()) })
	}
	golden(t, "info", w.want("GET", "/connectors/orders", "", 200).Body.Bytes())
}
