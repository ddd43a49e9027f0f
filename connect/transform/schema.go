package transform

import (
	"encoding/json"
	"strconv"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
)

// The names of Kafka Connect's logical types.
const (
	logicalPrefix    = "org.apache.kafka.connect.data."
	logicalDecimal   = logicalPrefix + "Decimal"
	logicalDate      = logicalPrefix + "Date"
	logicalTime      = logicalPrefix + "Time"
	logicalTimestamp = logicalPrefix + "Timestamp"
)

// A schema is one of Kafka Connect's, as its JsonConverter writes it.
type schema struct {
	kind     string // int8 … int64, float, double, boolean, string, bytes, array, map, struct
	optional bool
	name     string
	scale    int // of a decimal
	def      any // as in JSON; nil for none
	fields   []schemaField
	items    *schema // of an array, of the values of a map
}

type schemaField struct {
	name   string
	schema *schema
}

// readSchema reads a schema from its JSON.
func readSchema(v any, depth int) (*schema, error) {
	s, ok := v.(*connect.Struct)
	if !ok || depth > maxDepth {
		return nil, malformed("decode", "a schema is not a JSON object")
	}
	get := func(name string) any { v, _ := s.Get(name); return v }
	out := &schema{def: get("default")}
	out.kind, _ = get("type").(string)
	out.optional, _ = get("optional").(bool)
	out.name, _ = get("name").(string)
	if ps, ok := get("parameters").(*connect.Struct); ok {
		if scale, ok := ps.Get("scale"); ok {
			text, _ := scale.(string)
			n, err := strconv.Atoi(text)
			const most = 100_000 // digits; a larger scale is an attempt to fill memory
			if err != nil || n > most || n < -most {
				return nil, malformed("decode", "the scale of a decimal is not a number")
			}
			out.scale = n
		}
	}
	var err error
	switch out.kind {
	case "int8", "int16", "int32", "int64", "float", "double", "boolean", "string", "bytes":
	case "array":
		out.items, err = readSchema(get("items"), depth+1)
	case "map":
		out.items, err = readSchema(get("values"), depth+1)
		if keys, _ := get("keys").(*connect.Struct); keys != nil {
			if kind, _ := keys.Get("type"); kind != "string" {
				return nil, malformed("decode", "a map whose keys are no strings is not supported")
			}
		}
	case "struct":
		err = out.readFields(get("fields"), depth)
	default:
		err = malformed("decode", "a schema has a type that is not known")
	}
	return out, err
}

func (s *schema) readFields(v any, depth int) error {
	list, ok := v.([]any)
	if !ok {
		return malformed("decode", "the schema of a struct has no list of fields")
	}
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		field, err := readSchema(item, depth+1)
		if err != nil {
			return err
		}
		var name string
		if described, ok := item.(*connect.Struct); ok {
			v, _ := described.Get("field")
			name, _ = v.(string)
		}
		if name == "" || seen[name] {
			return malformed("decode", "a field in a schema has no name, or one that stands there twice")
		}
		seen[name] = true
		s.fields = append(s.fields, schemaField{name, field})
	}
	return nil
}

// dataType returns the type of a field with this schema.
func (s *schema) dataType() connect.DataType {
	switch s.name {
	case logicalDecimal:
		return connect.DataDecimal
	case logicalDate:
		return connect.DataDate
	case logicalTime:
		return connect.DataTime
	case logicalTimestamp:
		return connect.DataTimestampTZ
	}
	switch s.kind {
	case "float":
		return connect.DataFloat32
	case "double":
		return connect.DataFloat64
	case "string":
		return connect.DataText
	case "array":
		return connect.DataList
	case "map", "struct":
		return connect.DataStruct
	}
	return connect.DataType(s.kind)
}

// append writes the schema; field is its name in a struct.
func (s *schema) append(b []byte, field string) ([]byte, error) {
	b = append(append(append(b, `{"type":"`...), s.kind...), '"')
	var err error
	switch s.kind {
	case "struct":
		b = append(b, `,"fields":[`...)
		for i, f := range s.fields {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = f.schema.append(b, f.name); err != nil {
				return nil, err
			}
		}
		b = append(b, ']')
	case "array":
		if b, err = s.items.append(append(b, `,"items":`...), ""); err != nil {
			return nil, err
		}
	}
	b = strconv.AppendBool(append(b, `,"optional":`...), s.optional)
	if s.name != "" {
		if b, err = appendText(append(b, `,"name":`...), s.name); err != nil {
			return nil, err
		}
		if s.kind != "struct" {
			b = append(b, `,"version":1`...)
		}
	}
	if s.name == logicalDecimal {
		b = append(strconv.AppendInt(append(b, `,"parameters":{"scale":"`...), int64(s.scale), 10), `"}`...)
	}
	if s.def != nil {
		if b, err = appendJSON(append(b, `,"default":`...), s.def, styleKafka); err != nil {
			return nil, err
		}
	}
	if field != "" {
		if b, err = appendText(append(b, `,"field":`...), field); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// schemaOf returns the schema of a value, nil for what has none: objects and
// lists that came as JSON.
func schemaOf(v any) (*schema, error) {
	switch v := v.(type) {
	case *connect.Struct:
		if !v.Typed {
			return nil, nil
		}
		s := &schema{kind: "struct", name: v.Table}
		for _, f := range v.Fields {
			field, err := fieldSchema(f)
			if err != nil {
				return nil, err
			}
			s.fields = append(s.fields, schemaField{f.Name, field})
		}
		return s, nil
	case []any:
		return nil, nil
	}
	return scalarSchema(v), nil
}

// fieldSchema returns the schema of a field: by its type, or by a value that
// is of another.
func fieldSchema(f connect.Field) (s *schema, err error) {
	switch v := f.Value.(type) {
	case nil:
		s = typeSchema(f.Type)
	case *connect.Struct:
		if s, err = schemaOf(typedTree(v)); err != nil {
			return nil, err
		}
	case []any:
		s = &schema{kind: "array", items: itemSchema(v)}
	default:
		s = scalarSchema(v)
		if narrow := typeSchema(f.Type); s.kind == "int64" && s.name == "" && (narrow.kind == "int8" || narrow.kind == "int16" || narrow.kind == "int32") && narrow.name == "" {
			s.kind = narrow.kind
		}
	}
	s.optional, s.def = !f.Required, f.Default
	return s, nil
}

// typedTree gives the objects in a typed structure types.
func typedTree(s *connect.Struct) *connect.Struct {
	if s.Typed {
		return s
	}
	t := s.Clone()
	t.Typed = true
	for i, f := range t.Fields {
		t.Fields[i].Value, t.Fields[i].Type = typedValue(f.Value)
	}
	return t
}

// itemSchema returns the schema of the items of a list: that of the first one
// that is not null.
func itemSchema(list []any) *schema {
	for _, v := range list {
		switch v := v.(type) {
		case nil:
			continue
		case *connect.Struct:
			if s, err := schemaOf(typedTree(v)); err == nil && s != nil {
				s.optional = true
				return s
			}
		case []any:
			return &schema{kind: "array", items: itemSchema(v), optional: true}
		default:
			s := scalarSchema(v)
			s.optional = true
			return s
		}
	}
	return &schema{kind: "string", optional: true}
}

// scalarSchema returns the schema of a single value.
func scalarSchema(v any) *schema {
	if n, ok := v.(json.Number); ok {
		v, _ = typedNumber(n)
	}
	if d, ok := v.(row.Decimal); ok {
		return &schema{kind: "bytes", name: logicalDecimal, scale: scaleOf(d)}
	}
	_, typ := typedValue(v)
	return typeSchema(typ)
}

// typeSchema returns the schema of a type.
func typeSchema(t connect.DataType) *schema {
	switch t {
	case connect.DataInt8, connect.DataInt16, connect.DataInt32, connect.DataInt64, connect.DataBoolean, connect.DataBytes, connect.DataStruct:
		return &schema{kind: string(t)}
	case connect.DataFloat32:
		return &schema{kind: "float"}
	case connect.DataFloat64:
		return &schema{kind: "double"}
	case connect.DataDecimal:
		return &schema{kind: "bytes", name: logicalDecimal}
	case connect.DataDate:
		return &schema{kind: "int32", name: logicalDate}
	case connect.DataTime:
		return &schema{kind: "int32", name: logicalTime}
	case connect.DataTimestamp, connect.DataTimestampTZ:
		return &schema{kind: "int64", name: logicalTimestamp}
	case connect.DataList:
		return &schema{kind: "array", items: &schema{kind: "string", optional: true}}
	default:
		return &schema{kind: "string"}
	}
}
