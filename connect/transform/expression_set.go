package transform

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

func setTopic(v any, r *connect.Record) error {
	topic, ok := v.(string)
	if !ok {
		return malformed("set", "the expression for the topic is a %T for this record, no text", v)
	}
	r.SetTopic(topic)
	return nil
}

func setHeaders(v any, r *connect.Record) error {
	set, ok := v.(map[string]any)
	if !ok {
		return malformed("set", "the expression for the headers is a %T for this record, no object", v)
	}
	hs := slices.Clone(r.Headers())
	for _, name := range slices.Sorted(maps.Keys(set)) {
		hs = hs.Without(name)
		value, err := dynamic{forExpression}.in(nil, set[name])
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		text, err := headerValue(value)
		if err != nil {
			return malformed("set", "header %.100q: %w", name, err)
		}
		hs = append(hs, oms.Header{Name: name, Value: text})
	}
	r.SetHeaders(hs)
	return nil
}

func setPart(part connect.Part) func(any, *connect.Record) error {
	return func(v any, r *connect.Record) error {
		before, err := r.Get(part)
		if err != nil {
			return err
		}
		after, err := dynamic{forExpression}.in(before, v)
		if err != nil {
			return err
		}
		r.Set(part, after)
		return nil
	}
}

func mergeObjects(params ...any) (any, error) {
	a, ok := params[0].(map[string]any)
	b, ok2 := params[1].(map[string]any)
	if !ok || !ok2 {
		return nil, errors.New("merge takes two objects")
	}
	m := maps.Clone(a)
	if m == nil {
		m = map[string]any{}
	}
	maps.Copy(m, b)
	return m, nil
}

func toNumber(params ...any) (any, error) {
	switch v := params[0].(type) {
	case string:
		return strconv.ParseFloat(v, 64)
	case row.Decimal:
		return strconv.ParseFloat(string(v), 64)
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	}
	return nil, errors.New("number takes a number, a decimal or a text")
}

func toText(params ...any) (any, error) {
	switch v := params[0].(type) {
	case int:
		return strconv.Itoa(v), nil
	case nil, map[string]any, []any:
		return nil, errors.New("text takes a single value")
	default:
		return textOf(v), nil
	}
}
