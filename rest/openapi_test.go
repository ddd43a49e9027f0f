package rest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func description(t *testing.T) map[string]any {
	t.Helper()
	res := call(newHandler(broken{}), "GET", "/openapi.json", "")
	if got := res.Header().Get("Content-Type"); res.Code != 200 || got != "application/json" {
		t.Fatalf("got %d of type %q", res.Code, got)
	}
	var doc map[string]any
	if err := json.Unmarshal(res.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at returns what stands in a JSON document under the keys, or nil.
func at(v any, keys ...string) any {
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// operations calls f for every operation of a description.
func operations(t *testing.T, doc map[string]any, f func(name string, op map[string]any)) {
	t.Helper()
	paths, _ := doc["paths"].(map[string]any)
	for path, item := range paths {
		methods, ok := item.(map[string]any)
		if !ok || !strings.HasPrefix(path, "/") {
			t.Errorf("path %q has no item: %v", path, item)
		}
		for method, op := range methods {
			if method == "parameters" || method == "summary" || method == "description" {
				continue
			}
			o, _ := op.(map[string]any)
			f(strings.ToUpper(method)+" "+path, o)
		}
	}
}

func TestDescriptionListsWhatIsServed(t *testing.T) {
	var described []string
	operations(t, description(t), func(name string, _ map[string]any) { described = append(described, name) })
	served := routes(t)
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described: %q\nserved:    %q", described, served)
	}
}

func TestDescriptionIsValid(t *testing.T) {
	doc := description(t)
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1.") {
		t.Errorf("got version %q", v)
	}
	if at(doc, "info", "title") != "omconnect" || at(doc, "info", "version") != "0.1.0" {
		t.Errorf("got info %v", doc["info"])
	}
	ids := make(map[any]string)
	inPath := regexp.MustCompile(`\{(\w+)\}`)
	operations(t, doc, func(name string, op map[string]any) {
		id := op["operationId"]
		if id == nil || ids[id] != "" {
			t.Errorf("%s: operationId %v is missing or that of %s", name, id, ids[id])
		}
		ids[id] = name
		if s, _ := op["summary"].(string); s == "" {
			t.Errorf("%s has no summary", name)
		}
		var required []string
		params, _ := op["parameters"].([]any)
		for _, p := range params {
			if at(p, "name") == nil || at(p, "schema") == nil {
				t.Errorf("%s: parameter %v has no name or no schema", name, p)
			}
			switch at(p, "in") {
			case "path":
				if at(p, "required") != true {
					t.Errorf("%s: parameter %v is not required", name, p)
				}
				required = append(required, fmt.Sprint(at(p, "name")))
			case "query":
			default:
				t.Errorf("%s: parameter %v is nowhere", name, p)
			}
		}
		for _, m := range inPath.FindAllStringSubmatch(name, -1) {
			if !slices.Contains(required, m[1]) {
				t.Errorf("%s: the path's parameter %s is not described", name, m[1])
			}
		}
		responses, _ := op["responses"].(map[string]any)
		success := 0
		for status, r := range responses {
			if !regexp.MustCompile(`^[2-5]\d\d$`).MatchString(status) || at(r, "description") == nil {
				t.Errorf("%s: response %s is not complete: %v", name, status, r)
			}
			if status[0] == '2' {
				success++
				continue
			}
			if ref := at(r, "content", "application/json", "schema", "$ref"); ref != "#/components/schemas/Error" {
				t.Errorf("%s: response %s has the body %v, want the one error body", name, status, ref)
			}
		}
		if success == 0 || responses["422"] != nil {
			t.Errorf("%s: got responses %v", name, responses)
		}
	})
	for _, name := range []string{"POST /connectors", "POST /connectors/{name}"} {
		operations(t, doc, func(got string, op map[string]any) {
			if got == name && at(op, "requestBody", "content", "application/json", "schema", "type") != "object" {
				t.Errorf("%s has no body", name)
			}
		})
	}
	references(t, doc, doc)
}

// references checks that all that is referred to is there.
func references(t *testing.T, doc map[string]any, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			references(t, doc, e)
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			keys := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
			if at(doc, keys...) == nil {
				t.Errorf("%s is not there", ref)
			}
		}
		for _, e := range v {
			references(t, doc, e)
		}
	}
}

// TestAnswersAreAsDescribed holds the golden answers to the schemas.
func TestAnswersAreAsDescribed(t *testing.T) {
	doc := description(t)
	w := newWorld(t)
	w.define("orders", ordersConfig)
	for path, route := range map[string]string{
		"/":           "/",
		"/health":     "/health",
		"/connectors": "/connectors",
		"/connectors?expand=info&expand=status&expand=omconnect": "/connectors",
		"/connectors/orders":           "/connectors/{name}",
		"/connectors/orders/status":    "/connectors/{name}/status",
		"/connectors/orders/omconnect": "/connectors/{name}/omconnect",
		"/openapi.json":                "/openapi.json",
	} {
		var answer any
		if err := json.Unmarshal(w.want("GET", path, "", 200).Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		schema := at(doc, "paths", route, "get", "responses", "200", "content", "application/json", "schema")
		if schema == nil {
			t.Errorf("%s has no schema", route)
		}
		if problem := conforms(doc, schema, answer); problem != "" {
			t.Errorf("GET %s is not as described: %s", path, problem)
		}
	}
}

// conforms checks a value against the part of JSON Schema that is used here.
func conforms(doc map[string]any, schema, v any) string {
	if ref, ok := at(schema, "$ref").(string); ok {
		return conforms(doc, at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...), v)
	}
	if of, ok := at(schema, "oneOf").([]any); ok {
		fits := 0
		for _, s := range of {
			if conforms(doc, s, v) == "" {
				fits++
			}
		}
		if fits != 1 {
			return fmt.Sprintf("%v fits %d of the schemas", v, fits)
		}
		return ""
	}
	var kind string
	switch v := v.(type) {
	case string:
		kind = "string"
	case float64:
		kind = "integer"
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
		for _, e := range v {
			if problem := conforms(doc, at(schema, "items"), e); problem != "" {
				return problem
			}
		}
	case map[string]any:
		kind = "object"
		required, _ := at(schema, "required").([]any)
		for _, key := range required {
			if _, ok := v[fmt.Sprint(key)]; !ok {
				return fmt.Sprintf("%v is not there", key)
			}
		}
		for key, e := range v {
			s := at(schema, "properties", key)
			if s == nil {
				s = at(schema, "additionalProperties")
			}
			if s == true {
				continue
			}
			if s == nil || s == false {
				return key + " is not described"
			}
			if problem := conforms(doc, s, e); problem != "" {
				return key + ": " + problem
			}
		}
	}
	if want := at(schema, "type"); want != kind {
		return fmt.Sprintf("%v is of type %s, want %v", v, kind, want)
	}
	if enum, ok := at(schema, "enum").([]any); ok && !slices.Contains(enum, v) {
		return fmt.Sprintf("%v is not one of %v", v, enum)
	}
	return ""
}
