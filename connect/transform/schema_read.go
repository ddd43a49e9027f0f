package transform

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
)

// read returns a payload as its schema says. It is stricter than Kafka
// Connect, which takes a number for 0 where it is none.
func (c *jsonConverter) read(s *schema, v any) (any, error) {
	if v == nil {
		switch {
		case s.def != nil && c.defaults:
			return c.read(&schema{kind: s.kind, name: s.name, scale: s.scale, fields: s.fields, items: s.items}, s.def)
		case s.optional:
			return nil, nil
		}
		return nil, malformed("decode", "it is null, and its schema has neither optional nor a default")
	}
	switch s.kind {
	case "struct":
		return c.readStruct(s, v)
	case "array":
		list, ok := v.([]any)
		if !ok {
			return nil, mismatch(s)
		}
		out := make([]any, len(list))
		for i, item := range list {
			var err error
			if out[i], err = c.read(s.items, item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case "map":
		object, ok := v.(*connect.Struct)
		if !ok {
			return nil, mismatch(s)
		}
		out := object.Clone()
		for i, f := range out.Fields {
			var err error
			if out.Fields[i].Value, err = c.read(s.items, f.Value); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if out, ok := readScalar(s, v); ok {
		return out, nil
	}
	return nil, mismatch(s)
}

func mismatch(s *schema) error {
	kind := s.kind
	if s.name != "" && s.kind != "struct" {
		kind = string(s.dataType())
	}
	return malformed("decode", "it is not what its schema says, which is %s", kind)
}

func (c *jsonConverter) readStruct(s *schema, v any) (any, error) {
	object, ok := v.(*connect.Struct)
	if !ok {
		return nil, mismatch(s)
	}
	out := s.empty()
	for i, f := range s.fields {
		var member any
		if i < len(object.Fields) && object.Fields[i].Name == f.name {
			member = object.Fields[i].Value // in the order of the schema, as it mostly is
		} else {
			member, _ = object.Get(f.name)
		}
		value, err := c.read(f.schema, member)
		if err != nil {
			return nil, malformed("decode", "field %.100q: %w", f.name, err)
		}
		out.Fields[i].Value = value
		if f.schema.def != nil {
			if out.Fields[i].Default, err = c.read(&schema{kind: f.schema.kind, name: f.schema.name, scale: f.schema.scale, fields: f.schema.fields, items: f.schema.items}, f.schema.def); err != nil {
				return nil, malformed("decode", "the default of field %.100q: %w", f.name, err)
			}
		}
	}
	return out, nil
}

// empty returns a structure of the schema's fields, all of them null.
func (s *schema) empty() *connect.Struct {
	out := &connect.Struct{Typed: true, Table: s.name, Fields: make([]connect.Field, len(s.fields))}
	for i, f := range s.fields {
		out.Fields[i] = connect.Field{Name: f.name, Type: f.schema.dataType(), Required: !f.schema.optional}
		if f.schema.kind == "struct" {
			out.Fields[i].Shape = f.schema.empty()
		}
	}
	return out
}

func readScalar(s *schema, v any) (any, bool) {
	switch s.name {
	case logicalDecimal:
		return readDecimal(s, v)
	case logicalDate, logicalTime, logicalTimestamp:
		n, ok := integer(v, 64)
		if !ok {
			return nil, false
		}
		switch s.name {
		case logicalDate:
			return orNot(dateOf(n))
		case logicalTime:
			return orNot(timeOf(n))
		}
		return orNot(instantOf(time.UnixMilli(n)))
	}
	switch s.kind {
	case "int8":
		return orNot(integer(v, 8))
	case "int16":
		return orNot(integer(v, 16))
	case "int32":
		return orNot(integer(v, 32))
	case "int64":
		return orNot(integer(v, 64))
	case "float":
		f, ok := float(v, 32)
		return float32(f), ok
	case "double":
		return orNot(float(v, 64))
	case "boolean":
		b, ok := v.(bool)
		return b, ok
	case "string":
		t, ok := v.(string)
		return t, ok
	case "bytes":
		t, ok := v.(string)
		b, err := base64.StdEncoding.DecodeString(t)
		return b, ok && err == nil
	}
	return nil, false
}

func orNot[T any](v T, ok bool) (any, bool) { return v, ok }

func readDecimal(s *schema, v any) (any, bool) {
	switch v := v.(type) {
	case json.Number:
		d := row.Decimal(v)
		return d, d.Valid()
	case string:
		b, err := base64.StdEncoding.DecodeString(v)
		return decimalOf(fromTwosComplement(b), s.scale), err == nil
	}
	return nil, false
}

func integer(v any, bits int) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(string(n), 10, bits)
	return i, err == nil
}

func float(v any, bits int) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(string(v), bits)
		return f, err == nil
	case string:
		f, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[v]
		return f, ok
	}
	return 0, false
}
