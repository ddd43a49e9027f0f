package transform

import (
	"encoding/json"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
)

// A dynamic carries values into a program, as maps and lists of Go, and back.
// What a program has left as it was keeps type, digits and order.
type dynamic struct {
	scalar func(v any) any // how a single value looks in the program
}

// out returns a decoded value as the program sees it.
func (d dynamic) out(v any) any {
	switch v := v.(type) {
	case *connect.Struct:
		m := make(map[string]any, len(v.Fields))
		for _, f := range v.Fields {
			m[f.Name] = d.out(f.Value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = d.out(item)
		}
		return list
	case nil, bool, string:
		return v
	}
	return d.scalar(v)
}

// in returns what a program has made of a value, decoded. Fields that it has
// left keep their places; new ones come behind them, sorted by name.
func (d dynamic) in(before, now any) (any, error) {
	if reflect.DeepEqual(d.out(before), now) {
		return before, nil
	}
	switch now := now.(type) {
	case map[string]any:
		old, ok := before.(*connect.Struct)
		if !ok {
			old = &connect.Struct{}
		}
		return d.object(old, now)
	case []any:
		list := make([]any, len(now))
		old, _ := before.([]any)
		for i, item := range now {
			var was any
			if i < len(old) {
				was = old[i]
			}
			var err error
			if list[i], err = d.in(was, item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case nil, bool, string, []byte, int64, float64, json.Number:
		return now, nil
	case int:
		return int64(now), nil
	case float32:
		return float64(now), nil
	case *big.Int:
		return json.Number(now.String()), nil
	case row.Decimal, row.Date, row.Time, row.Timestamp, row.TimestampTZ:
		return now, nil
	}
	if v := reflect.ValueOf(now); v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String || v.Kind() == reflect.Slice {
		return d.in(before, generic(v))
	}
	return nil, malformed("set", "the program returns a %T, which is no value of a record", now)
}

// generic returns a map or slice of any type as one of any.
func generic(v reflect.Value) any {
	if v.Kind() == reflect.Slice {
		list := make([]any, v.Len())
		for i := range list {
			list[i] = v.Index(i).Interface()
		}
		return list
	}
	m := make(map[string]any, v.Len())
	for _, k := range v.MapKeys() {
		m[k.String()] = v.MapIndex(k).Interface()
	}
	return m
}

func (d dynamic) object(old *connect.Struct, now map[string]any) (any, error) {
	out := &connect.Struct{Typed: old.Typed, Table: old.Table, Fields: make([]connect.Field, 0, len(now))}
	set := func(f connect.Field) error {
		was := f.Value
		v, err := d.in(was, now[f.Name])
		if err != nil {
			return malformed("set", "field %.100q: %w", f.Name, err)
		}
		f.Value = v
		if !out.Typed {
			f.Value = untyped(v)
		} else if f.Type == "" || !reflect.DeepEqual(was, v) {
			var own connect.DataType
			f.Value, own = typedValue(v)
			if f.Type == "" || !fits(f.Type, own) {
				f.Type, f.Default, f.Shape = own, nil, nil
			}
		}
		out.Fields = append(out.Fields, f)
		return nil
	}
	left := maps.Clone(now)
	for _, f := range old.Fields {
		if _, ok := now[f.Name]; ok {
			delete(left, f.Name)
			if err := set(f); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if err := set(connect.Field{Name: name}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fits reports whether a value of one type can stand in a field of another:
// any stands for null.
func fits(field, own connect.DataType) bool {
	return own == connect.DataAny || field == connect.DataAny || row.Type(own) == rowType(field)
}

// untyped returns a value as a JSON object has it.
func untyped(v any) any {
	if d, ok := v.(row.Decimal); ok {
		return json.Number(plainNumber(d))
	}
	return v
}

// forExpression is how values look in an expression: numbers are numbers
// where that loses nothing, and else decimals; everything else is as in a row.
func forExpression(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, _ := typedNumber(v)
		return n
	case float32:
		return float64(v)
	}
	return v
}

// forJQ is how values look in a jq program: decimals, dates, times and bytes
// are strings.
func forJQ(v any) any {
	switch v := v.(type) {
	case json.Number, float64:
		return v
	case int64:
		if strconv.IntSize < 64 {
			return json.Number(strconv.FormatInt(v, 10))
		}
		return int(v)
	case float32:
		return float64(v)
	}
	return textOf(v)
}
