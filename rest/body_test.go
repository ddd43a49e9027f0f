package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

// A recorded catalog keeps the last request to create a connector.
type recorded struct {
	rest.Catalog
	request *connect.Request
}

func (r *recorded) Create(_ context.Context, req connect.Request) (connect.Info, error) {
	r.request = &req
	return connect.Info{Name: req.Name, Config: req.Config}, nil
}

func TestConfigurationsAreTakenAsWritten(t *testing.T) {
	c := new(recorded)
	h := newHandler(c)
	for body, want := range map[string]oms.KeyValue{
		`{}`:                       {},
		" \r\n\t{\"a\" : \"\"}\n ": {"a": ""},
		`{"a": 1, "b": -0.0, "c": 1e3, "d": 1E+05, "e": 9007199254740993, "f": 123456789012345678901234567890.10}`: {
			"a": "1", "b": "-0.0", "c": "1e3", "d": "1E+05", "e": "9007199254740993", "f": "123456789012345678901234567890.10",
		},
		`{"a": true, "b": false}`:                                         {"a": "true", "b": "false"},
		`{"a": [], "b": ["x"], "c": ["x", 2, true, ""]}`:                  {"a": "", "b": "x", "c": "x,2,true,"},
		`{"ä\u00e4": "\ud83d\ude00 \u0000 \" \\ \/", "A": "1", "a": "2"}`: {"ää": "😀 \x00 \" \\ /", "A": "1", "a": "2"},
		`{"name": "other"}`:                                               {"name": "other"}, // the catalog compares
	} {
		for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "", "application/x-www-form-urlencoded", "text/plain"} {
			c.request = nil
			res := call(h, "POST", "/connectors/orders", body, "Content-Type", contentType)
			if res.Code != 201 {
				t.Errorf("%s as %q: got %d %s", body, contentType, res.Code, res.Body)
			} else if diff := cmp.Diff(want, c.request.Config); diff != "" {
				t.Errorf("%s: configuration differs (-want +got):\n%s", body, diff)
			}
			c.request = nil
			if res := call(h, "POST", "/connectors", `{"config": `+body+`, "name": "orders"}`); res.Code != 201 {
				t.Errorf("%s as config: got %d %s", body, res.Code, res.Body)
			} else if diff := cmp.Diff(want, c.request.Config); diff != "" {
				t.Errorf("%s as config: differs (-want +got):\n%s", body, diff)
			}
		}
	}
}

// s3cret stands for what must not come back.
func TestBadBodiesAreRefused(t *testing.T) {
	c := new(recorded)
	h := newHandler(c)
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for body, want := range map[string]string{
		"":                                     "no body",
		" \n":                                  "no body",
		`null`:                                 "is null",
		`[]`:                                   "is a list",
		`"s3cret"`:                             "is a string",
		`12`:                                   "is a number",
		`true`:                                 "is true or false",
		`{`:                                    "ends early",
		`{"password": "s3cret`:                 "ends early",
		`{"password": "s3cret"`:                "ends early",
		`{"a": ["s3cret"`:                      "ends early",
		`{"password" "s3cret"}`:                "not valid JSON",
		`{password: "s3cret"}`:                 "not valid JSON",
		`{'password': 's3cret'}`:               "not valid JSON",
		`{"password": s3cret}`:                 "not valid JSON",
		`{"password": "s3cret",}`:              "not valid JSON",
		`{"a": ["s3cret",]}`:                   "not valid JSON",
		`{"a": ["s3cret"}`:                     "not valid JSON",
		`{"a": 01}`:                            "not valid JSON",
		`{"a": NaN}`:                           "not valid JSON",
		`{"a": "s3cret` + "\n" + `"}`:          "not valid JSON",
		`{"password": "s3cret"} x`:             "goes on after",
		`{"password": "s3cret"}{}`:             "goes on after",
		`{"password": "s3cret"},`:              "goes on after",
		`{"a": "s3cret", "a": "s3cret"}`:       `"a" stands twice`,
		`{"a": "1", "\u0061": "s3cret"}`:       `"a" stands twice`,
		`{"a": "s3cret` + "\xff" + `"}`:        "not UTF-8",
		`{"a": "s3cret\ud800"}`:                "not valid Unicode",
		`{"a\udc00": "s3cret"}`:                "not valid Unicode",
		`{"a": ` + nested(rest.MaxDepth) + `}`: "nested deeper",
		nested(100_000):                        "nested deeper",
		`{"a": {"b": "s3cret"}}`:               "a: the value is an object",
		`{"a": null}`:                          "a: the value is null",
		`{"a": ["s3cret", null]}`:              "a: an element of the list is null",
		`{"a": ["s3cret", {}]}`:                "a: an element of the list is an object",
		`{"a": [["s3cret"]]}`:                  "a: an element of the list is a list",
		`{"a": ["s3cret,x"]}`:                  "a: an element of the list has a comma",
		`{"a": null, "b": {}, "c": 1}`:         "2 error(s):\na: the value is null, it must be a string, a number, true, false or a list of these\nb: ",
	} {
		t.Run(fmt.Sprintf("%.30s", body), func(t *testing.T) {
			bodies := map[string]string{"/connectors/orders": body}
			if strings.HasPrefix(body, "{") {
				bodies["/connectors"] = `{"name": "orders", "config": ` + body + `}`
			} else {
				bodies["/connectors"] = body
			}
			for path, body := range bodies {
				message := wantError(t, call(h, "POST", path, body), 400)
				// Inside another object a body may be wrong in another way.
				if path != "/connectors" && !strings.Contains(message, want) {
					t.Errorf("got message %q, want it to say %q", message, want)
				}
				if strings.Contains(message, "s3cret") {
					t.Errorf("the message has a value of the body: %q", message)
				}
			}
			if c.request != nil {
				t.Errorf("the catalog was asked all the same: %+v", c.request)
			}
		})
	}
}

func TestFieldsOfACreationAreChecked(t *testing.T) {
	c := new(recorded)
	h := newHandler(c)
	for body, want := range map[string]string{
		`{}`:                             `"name" must be there, a string; "config" must be there, an object`,
		`{"name": "a"}`:                  `"config" must be there`,
		`{"name": "", "config": {}}`:     `"name" must be there`,
		`{"name": 1, "config": {}}`:      `"name" must be there`,
		`{"name": null, "config": null}`: `"config" must be there`,
		`{"name": "a", "config": "{}"}`:  `"config" must be there, an object`,
		`{"name": "a", "config": [{}]}`:  `"config" must be there, an object`,
		`{"name": "a", "config": {}, "offsets": "s3cret", "Name": "b"}`:       `"offsets" is no field of this request; "Name" is no field`,
		`{"name": "a", "config": {}, "initial_state": "FAILED"}`:              `must be RUNNING, PAUSED or STOPPED`,
		`{"name": "a", "config": {}, "initial_state": {"level": "RUNNING"}}`:  `must be RUNNING, PAUSED or STOPPED`,
		`{"name": "a", "name": "b", "config": {}}`:                            `"name" stands twice`,
		`{"connector.class": "db-source", "password": "s3cret", "name": "a"}`: `"password" is no field`,
	} {
		message := wantError(t, call(h, "POST", "/connectors", body), 400)
		if !strings.Contains(message, want) || strings.Contains(message, "s3cret") {
			t.Errorf("%s: got message %q, want it to say %q and no value", body, message, want)
		}
		if c.request != nil {
			t.Errorf("%s: the catalog was asked all the same", body)
		}
	}
}

func TestCallsWithoutABodyTakeWhatClientsSendForNothing(t *testing.T) {
	w := newWorld(t)
	w.define("orders", ordersConfig)
	for _, step := range []struct {
		method, path string
		status       int
	}{
		{"PUT", "/connectors/orders/pause", 202},
		{"PUT", "/connectors/orders/resume", 202},
		{"PUT", "/connectors/orders/stop", 204},
		{"POST", "/connectors/orders/restart", 204},
		{"POST", "/connectors/orders/restart?includeTasks=true", 202},
	} {
		for _, body := range []string{"", `""`, `{}`, " { }\n", "null", "\n"} {
			for _, contentType := range []string{"application/json", ""} {
				if res := call(w.handler, step.method, step.path, body, "Content-Type", contentType); res.Code != step.status {
					t.Errorf("%s %s with %q as %q: got %d %s", step.method, step.path, body, contentType, res.Code, res.Body)
				}
			}
		}
		for _, body := range []string{`{"a": 1}`, `[]`, `x`, `"x"`, `{}{}`} {
			wantError(t, call(w.handler, step.method, step.path, body), 400)
		}
	}
}

// endless is a body that never ends, and counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestLargeBodiesAreNotRead(t *testing.T) {
	h := newHandler(broken{err: errors.New("must not be asked")})
	for _, route := range []string{"POST /connectors", "POST /connectors/orders", "PUT /connectors/orders/pause", "POST /connectors/orders/restart", "DELETE /connectors/orders"} {
		method, path, _ := strings.Cut(route, " ")
		for _, announced := range []int64{10 << 20, -1} {
			body := new(endless)
			req := httptest.NewRequest(method, path, io.LimitReader(body, 10<<20))
			req.ContentLength = announced
			res := httptest.NewRecorder()
			h.ServeHTTP(res, req)
			wantError(t, res, http.StatusRequestEntityTooLarge)
			if limit := rest.MaxBody + 64<<10; announced > 0 && body.read > 0 || body.read > limit {
				t.Errorf("%s: read %d bytes of a body of 10 MiB (announced %d)", route, body.read, announced)
			}
		}
	}
	fits := `{"a": "` + strings.Repeat("x", rest.MaxBody-9) + `"}`
	if res := call(newHandler(new(recorded)), "POST", "/connectors/orders", fits); len(fits) != rest.MaxBody || res.Code != 201 {
		t.Errorf("a body of %d bytes: got %d, want it taken", len(fits), res.Code)
	}
}

func TestBodyThatBreaksOffIsRefused(t *testing.T) {
	req := httptest.NewRequest(http.MethodPost, "/connectors/orders", io.MultiReader(strings.NewReader(`{"a":`), brokenReader{}))
	res := httptest.NewRecorder()
	newHandler(new(recorded)).ServeHTTP(res, req)
	wantError(t, res, 400)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("cut") }

func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{}`, ordersConfig, `{"a": [1, true, "x"]}`, `{"a": {"b": null}}`, `{"a": "\ud800"}`, `[[[`, "\xff", `{"a":1,"a":2}`} {
		f.Add(seed)
	}
	c := new(recorded)
	h := newHandler(c)
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/connectors", "/connectors/orders", "/connectors/orders/restart"} {
			switch res := call(h, "POST", path, body); res.Code {
			case 201:
			case 400, 413:
				wantError(t, res, res.Code)
			default:
				if path != "/connectors/orders/restart" {
					t.Errorf("%s with %q: got %d %s", path, body, res.Code, res.Body)
				}
			}
		}
	})
}
func (r *recorded) Restart(context.Context, string) error { return nil }
