package transform

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
)

// rows reads and writes typed rows. It remembers the columns of the last one,
// since most rows have the same as the one before.
type rows struct {
	decoder row.Decoder
	encoder *row.Encoder
	table   string
	columns []row.Column
}

// decode reads a row.
func (r *rows) decode(b []byte) (*connect.Struct, error) {
	got, err := r.decoder.Decode(b)
	if err != nil {
		return nil, err
	}
	s := &connect.Struct{Typed: true, Table: got.Table, Fields: make([]connect.Field, len(got.Columns))}
	for i, c := range got.Columns {
		s.Fields[i] = connect.Field{Name: c.Name, Type: connect.DataType(c.Type), Key: c.Key, Value: got.Values[i]}
	}
	return s, nil
}

// rowable reports whether a structure is a row: typed, with single values
// only.
func rowable(s *connect.Struct) bool {
	return s.Typed && len(s.Fields) > 0 && !slices.ContainsFunc(s.Fields, func(f connect.Field) bool {
		return f.Name == "" || f.Type == connect.DataStruct || f.Type == connect.DataList || f.Value != nil && row.TypeOf(rowValue(f.Value)) == ""
	})
}

// encode writes a structure that is rowable.
func (r *rows) encode(s *connect.Struct) ([]byte, error) {
	if !r.sameColumns(s) {
		columns := make([]row.Column, len(s.Fields))
		for i, f := range s.Fields {
			columns[i] = row.Column{Name: f.Name, Type: rowType(f.Type), Key: f.Key}
		}
		e, err := row.NewEncoder(s.Table, columns)
		if err != nil {
			return nil, err
		}
		r.encoder, r.table, r.columns = e, s.Table, columns
	}
	values := make([]any, len(s.Fields))
	for i, f := range s.Fields {
		values[i] = rowValue(f.Value)
	}
	return r.encoder.Body(values)
}

// sameColumns reports whether a structure has the columns of the row that was
// written last.
func (r *rows) sameColumns(s *connect.Struct) bool {
	if r.encoder == nil || r.table != s.Table || len(r.columns) != len(s.Fields) {
		return false
	}
	for i := range s.Fields {
		f, c := &s.Fields[i], &r.columns[i]
		if c.Name != f.Name || c.Type != rowType(f.Type) || c.Key != f.Key {
			return false
		}
	}
	return true
}

// rowType returns the type of a column for that of a field.
func rowType(t connect.DataType) row.Type {
	switch t {
	case connect.DataInt8, connect.DataInt16, connect.DataInt32:
		return row.TypeInt64
	case connect.DataFloat32:
		return row.TypeFloat64
	default:
		return row.Type(t)
	}
}

// rowValue returns a value as a row has it.
func rowValue(v any) any {
	if f, ok := v.(float32); ok {
		return float64(f)
	}
	return v
}

// typed gives the fields of a JSON object types, by their values. It returns
// false when one has no type.
func typed(s *connect.Struct) (*connect.Struct, bool) {
	if s.Typed {
		return s, true
	}
	t := s.Clone()
	t.Typed = true
	for i, f := range t.Fields {
		v, typ := typedValue(f.Value)
		if typ == connect.DataStruct || typ == connect.DataList {
			return nil, false
		}
		t.Fields[i].Value, t.Fields[i].Type = v, typ
	}
	return t, true
}

// typedValue returns a value as a typed structure has it, and its type.
func typedValue(v any) (any, connect.DataType) {
	switch v := v.(type) {
	case nil:
		return nil, connect.DataAny
	case json.Number:
		return typedNumber(v)
	case float32:
		return v, connect.DataFloat32
	case *connect.Struct:
		return v, connect.DataStruct
	case []any:
		return v, connect.DataList
	}
	return v, connect.DataType(row.TypeOf(v))
}

// typedNumber keeps every digit: what neither an int64 nor a float64 has
// exactly is a decimal.
func typedNumber(n json.Number) (any, connect.DataType) {
	s := string(n)
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil && s != "-0" {
			return i, connect.DataInt64
		}
		return row.Decimal(s), connect.DataDecimal
	}
	f, err := strconv.ParseFloat(s, 64)
	const exact = 15 // digits that any float64 keeps
	if digits := strings.Trim(strings.ReplaceAll(strings.TrimLeft(s, "-0."), ".", ""), "0"); err == nil && !math.IsInf(f, 0) && (len(digits) <= exact || strings.ContainsAny(s, "eE")) {
		return f, connect.DataFloat64
	}
	if d := row.Decimal(s); d.Valid() {
		return d, connect.DataDecimal
	}
	return s, connect.DataText // an exponent that no number here has
}

// taggedKey reads the key of a row that says the types of its values itself,
// as the row form does where JSON would not keep them.
func taggedKey(b []byte) (*connect.Struct, bool) {
	if !bytes.Contains(b, []byte(`":{"`)) {
		return nil, false
	}
	names, values, err := row.DecodeKey(b)
	if err != nil {
		return nil, false
	}
	s := &connect.Struct{Typed: true, Fields: make([]connect.Field, len(names))}
	for i, name := range names {
		s.Fields[i] = connect.Field{Name: name, Value: values[i], Type: connect.DataType(row.TypeOf(values[i])), Key: true}
		if values[i] == nil {
			s.Fields[i].Type = connect.DataAny
		}
	}
	return s, true
}

// rowKey writes a rowable structure as the key of a row.
func rowKey(s *connect.Struct) ([]byte, error) {
	names, values := make([]string, len(s.Fields)), make([]any, len(s.Fields))
	for i, f := range s.Fields {
		names[i], values[i] = f.Name, rowValue(f.Value)
	}
	return row.EncodeKey(names, values)
}
