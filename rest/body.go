package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/omconnect/omconnect/oms"
)

const (
	maxBody  = 1 << 20
	maxDepth = 32
)

// errTooLarge is what a body over the limit gets.
var errTooLarge = fail(http.StatusRequestEntityTooLarge, fmt.Sprintf("the request body is larger than %d bytes; a configuration is far smaller", maxBody))

// An object is a JSON object with its members in order. Members are objects,
// arrays ([]any), string, json.Number, bool or nil.
type object struct {
	keys   []string
	values map[string]any
}

// readBody reads a request's body. That it ends is seen to by boundBody.
func readBody(ctx huma.Context) ([]byte, error) {
	body, err := io.ReadAll(ctx.BodyReader())
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, fail(http.StatusBadRequest, "the request body ended early or came too slowly")
	}
	return body, nil
}

// noBody checks the body of a call that takes none. Clients send what they
// send for nothing: no body, an empty string or an empty object.
func noBody(ctx huma.Context) error {
	body, err := readBody(ctx)
	if err != nil {
		return err
	}
	compact := new(bytes.Buffer)
	if json.Compact(compact, body) == nil && slices.Contains([]string{`""`, `{}`, `null`}, compact.String()) {
		return nil
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return fail(http.StatusBadRequest, "this call takes no body")
}

// decodeObject reads a body that must be one JSON object and nothing else. It
// is stricter than encoding/json, which drops what it does not expect: a key
// may stand there once, text is valid Unicode, and nesting is bounded. Its
// errors name keys and places but no values.
func decodeObject(body []byte) (object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return object{}, fail(http.StatusBadRequest, "the request has no body; send the configuration as a JSON object")
	}
	if !utf8.Valid(body) {
		return object{}, fail(http.StatusBadRequest, "the request body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return object{}, malformed(err, dec)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return object{}, fail(http.StatusBadRequest, fmt.Sprintf("the request body goes on after its JSON object, at byte %d", dec.InputOffset()))
	}
	o, ok := v.(object)
	if !ok {
		return object{}, fail(http.StatusBadRequest, "the request body is "+kind(v)+", it must be a JSON object")
	}
	return o, nil
}

// malformed tells where a body stops to be JSON, without its text.
func malformed(err error, dec *json.Decoder) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fail(http.StatusBadRequest, "the request body is not valid JSON: it ends early")
	}
	return fail(http.StatusBadRequest, fmt.Sprintf("the request body is not valid JSON, near byte %d", dec.InputOffset()))
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if _, nested := token.(json.Delim); nested && depth >= maxDepth {
		return nil, fail(http.StatusBadRequest, fmt.Sprintf("the request body is nested deeper than %d levels", maxDepth))
	}
	switch token {
	case json.Delim('{'):
		return decodeMembers(dec, depth)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := decodeValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	if s, ok := token.(string); ok {
		return s, validText(s)
	}
	return token, nil
}

func decodeMembers(dec *json.Decoder, depth int) (any, error) {
	o := object{values: make(map[string]any)}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string) // the decoder lets nothing else stand here
		if err := validText(key); err != nil {
			return nil, err
		}
		if _, twice := o.values[key]; twice {
			return nil, fail(http.StatusBadRequest, fmt.Sprintf("the key %.100q stands twice in the request body", key))
		}
		v, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		o.keys, o.values[key] = append(o.keys, key), v
	}
	_, err := dec.Token()
	return o, err
}

// validText refuses what would come back changed: the decoder puts U+FFFD in
// the place of half a surrogate pair.
func validText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return fail(http.StatusBadRequest, "the request body has text that is not valid Unicode (U+FFFD, or half a surrogate pair)")
	}
	return nil
}

// flat makes a configuration of an object: scalars as they are written, lists
// of scalars joined by commas. It tells all values that have no such form.
func (o object) flat() (oms.KeyValue, error) {
	config := make(oms.KeyValue, len(o.keys))
	var problems oms.KeyErrors
	for _, key := range o.keys {
		value, problem := flatValue(o.values[key])
		if problem != "" {
			problems = append(problems, oms.KeyError{Key: fmt.Sprintf("%.200s", key), Problem: problem})
		}
		config[key] = value
	}
	return config, problems.OrNil()
}

func flatValue(v any) (value, problem string) {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, element := range list {
			part, ok := scalar(element)
			switch {
			case !ok:
				return "", "an element of the list is " + kind(element) + ", it must be a string, a number, true or false"
			case strings.Contains(part, ","):
				return "", "an element of the list has a comma, and commas separate the elements; write the list as one string"
			}
			parts[i] = part
		}
		return strings.Join(parts, ","), ""
	}
	value, ok := scalar(v)
	if !ok {
		return "", "the value is " + kind(v) + ", it must be a string, a number, true, false or a list of these"
	}
	return value, ""
}

// scalar returns the text of a scalar; of a number, exactly as it was sent.
func scalar(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

func kind(v any) string {
	switch v.(type) {
	case object:
		return "an object"
	case []any:
		return "a list"
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "true or false"
	}
	return "a number"
}
