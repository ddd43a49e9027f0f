package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// A route is one call of the API as its description shows it.
type route struct {
	id      string
	method  string
	path    string
	summary string
	detail  string
	success int
	fails   []int             // beside 400, 403, 413, 500, and 401 where there are tokens
	body    *huma.RequestBody // that the request's Resolve reads
	answers map[string]*huma.Response
}

// add registers a call. The error that its handler returns, if any, becomes
// the answer that the table of errors.go says.
func add[I, O any](a *api, h huma.API, r route, handle func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID:   r.id,
		Method:        r.method,
		Path:          r.path,
		Summary:       r.summary,
		Description:   r.detail,
		DefaultStatus: r.success,
		Responses:     r.answers,
		// Names are checked by Resolve, with a message of our own.
		SkipValidateParams: true,
	}
	if op.Responses == nil {
		op.Responses = make(map[string]*huma.Response)
	}
	problem := h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Error](), true, "")
	always := []int{400, 403, 413, 500}
	if len(a.tokens) > 0 && r.path != healthPath {
		always = append(always, 401)
	}
	for _, status := range append(always, r.fails...) {
		op.Responses[strconv.Itoa(status)] = jsonResponse(http.StatusText(status), problem)
	}
	huma.Register(h, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, handleTimeout)
		defer cancel()
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.report(ctx, r, err)
		}
		return out, nil
	})
	// Only now, or huma would read the body itself.
	if r.body != nil {
		operation(h.OpenAPI(), r).RequestBody = r.body
	}
}

// handleTimeout is how long a call may wait for the store. The server's time
// for writing the answer is longer.
const handleTimeout = 30 * time.Second

// report logs what the client is not told, and returns what it is told.
func (a *api) report(ctx context.Context, r route, err error) *Error {
	e := answer(err)
	if e.Code >= http.StatusInternalServerError {
		a.logger.ErrorContext(ctx, "request failed", "call", r.id, "status", e.Code, "error", err)
	}
	return e
}

func operation(doc *huma.OpenAPI, r route) *huma.Operation {
	item := doc.Paths[r.path]
	switch r.method {
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodDelete:
		return item.Delete
	}
	return item.Get
}

func jsonResponse(description string, schema *huma.Schema) *huma.Response {
	return &huma.Response{
		Description: description,
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

func jsonBody(schema *huma.Schema) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

// describe renders the description once: the routes do not change any more.
func describe(doc *huma.OpenAPI) []byte {
	text, err := json.Marshal(doc)
	if err != nil {
		panic("the API cannot be described: " + err.Error())
	}
	return text
}

// configSchema is what is taken as a configuration.
func configSchema() *huma.Schema {
	scalars := []*huma.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}
	return &huma.Schema{
		Type:        "object",
		Description: "Keys and values. All values are kept as strings: numbers as they are written, lists joined by commas.",
		AdditionalProperties: &huma.Schema{
			OneOf: append(scalars, &huma.Schema{Type: "array", Items: &huma.Schema{OneOf: scalars}}),
		},
	}
}
