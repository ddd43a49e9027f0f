package rest_test

import (
	"slices"
	"strings"
	"testing"
)

// What Kafka Connect has and this version has not: it is refused clearly, with
// an error body, and changes nothing. Whoever builds one of these takes it out
// of this table and holds it to what its clients need.
var unbuilt = []struct {
	call   string
	body   string
	status int
}{
	{"GET /connectors/orders/config", "", 404},
	{"PUT /connectors/orders/config", ordersConfig, 404},
	{"PUT /connectors/new/config", ordersConfig, 404},
	{"PATCH /connectors/orders/config", `{"limit": "1"}`, 404},
	{"PUT /connectors/orders", ordersConfig, 405},
	{"PATCH /connectors/orders", ordersConfig, 405},
	{"DELETE /connectors", "", 405},
	{"GET /connectors/orders/tasks", "", 404},
	{"POST /connectors/orders/tasks", "[]", 404},
	{"GET /connectors/orders/tasks-config", "", 404},
	{"GET /connectors/orders/tasks/0/status", "", 404},
	{"POST /connectors/orders/tasks/0/restart", "", 404},
	{"PUT /connectors/orders/fence", "", 404},
	{"GET /connectors/orders/offsets", "", 404},
	{"PATCH /connectors/orders/offsets", `{"offsets": []}`, 404},
	{"DELETE /connectors/orders/offsets", "", 404},
	{"GET /connectors/orders/topics", "", 404},
	{"PUT /connectors/orders/topics/reset", "", 404},
	{"GET /connector-plugins", "", 404},
	{"GET /connector-plugins/", "", 404},
	{"GET /connector-plugins/db-source/config", "", 404},
	{"PUT /connector-plugins/db-source/config/validate", ordersConfig, 404},
	{"GET /admin/loggers", "", 404},
	{"PUT /admin/loggers/root", `{"level": "DEBUG"}`, 404},
	{"POST /admin/drain", "", 404},
	{"GET /ready", "", 404},
	{"GET /metrics", "", 404},
	{"GET /ui", "", 404},
}

func TestWhatIsNotBuiltIsRefusedClearly(t *testing.T) {
	w := newWorld(t)
	w.define("orders", ordersConfig)
	before := w.want("GET", "/connectors?expand=info&expand=omconnect", "", 200).Body.String()
	for _, tc := range unbuilt {
		method, path, _ := strings.Cut(tc.call, " ")
		message := wantError(t, call(w.handler, method, path, tc.body), tc.status)
		if want := map[int]string{404: "/openapi.json", 405: "takes only"}[tc.status]; !strings.Contains(message, want) {
			t.Errorf("%s: got message %q, want it to say what there is", tc.call, message)
		}
	}
	if after := w.want("GET", "/connectors?expand=info&expand=omconnect", "", 200).Body.String(); after != before {
		t.Errorf("something has changed:\n%s\n%s", before, after)
	}
}

func TestWhatIsBuiltIsNotInTheTableOfWhatIsNot(t *testing.T) {
	built := routes(t)
	for _, tc := range unbuilt {
		method, path, _ := strings.Cut(tc.call, " ")
		for _, name := range []string{"orders", "new", "db-source"} {
			path = strings.ReplaceAll(path, "/"+name, "/{name}")
		}
		if slices.Contains(built, method+" "+path) {
			t.Errorf("%s is built: take it out of the table, and test what its clients need", tc.call)
		}
	}
}

// Keys of configurations that have no meaning in this version are refused with
// the reason when they ask for something, all of them at once.
func TestKeysThatAskForWhatIsNotBuiltAreRefused(t *testing.T) {
	w := newWorld(t)
	keys := map[string]string{
		"errors.tolerance":                  `"all"`,
		"errors.deadletterqueue.topic.name": `"dead"`,
		"errors.retry.timeout":              `"1000"`,
		"exactly.once.support":              `"required"`,
		"offsets.storage.topic":             `"o"`,
		"producer.override.linger.ms":       `"1"`,
		"header.converter":                  `"com.example.Converter"`,
		"transaction.boundary":              `"poll"`,
		"initial_state":                     `"PAUSED"`,
	}
	body := `{"connector.class": "db-source", "table": "orders", "topic": "orders"`
	for key, value := range keys {
		body += `, "` + key + `": ` + value
	}
	message := wantError(t, call(w.handler, "POST", "/connectors/orders", body+"}"), 400)
	for key := range keys {
		if !strings.Contains(message, "\n"+key+": ") {
			t.Errorf("got %s, want it to name %s", message, key)
		}
	}
	if !strings.Contains(message, "the following 9 error(s)") {
		t.Errorf("got %s, want 9 errors", message)
	}
	wantError(t, w.want("GET", "/connectors/orders", "", 404), 404)
}
