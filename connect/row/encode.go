package row

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// An Encoder writes rows of one table. It prepares what they have in common,
// and is safe for concurrent use.
type Encoder struct {
	columns []Column
	names   [][]byte // each as a JSON string with its colon
	head    []byte   // the body up to the first value
	key     []int    // the key columns, sorted by name
}

// NewEncoder returns an encoder for the rows of a table, "" for a query.
func NewEncoder(table string, columns []Column) (*Encoder, error) {
	if err := checkColumns(columns); err != nil {
		return nil, malformed("encode row", err)
	}
	e := &Encoder{columns: slices.Clone(columns)}
	e.head = append(e.head, `{"form":1,"schema":{`...)
	if table != "" {
		name, err := quote(table)
		if err != nil {
			return nil, malformed("encode row", fmt.Errorf("table: %w", err))
		}
		e.head = append(append(append(e.head, `"table":`...), name...), ',')
	}
	e.head = append(e.head, `"columns":[`...)
	for i, c := range columns {
		name, err := quote(c.Name)
		if err != nil {
			return nil, malformed("encode row", fmt.Errorf("column %d: %w", i+1, err))
		}
		e.names = append(e.names, append(name, ':'))
		e.head = fmt.Appendf(e.head, `{"name":%s,"type":%q`, name, c.Type)
		if c.Key {
			e.head = append(e.head, `,"key":true`...)
			e.key = append(e.key, i)
		}
		e.head = append(e.head, "},"...)
	}
	e.head = append(e.head[:len(e.head)-1], `]},"row":{`...)
	slices.SortFunc(e.key, func(a, b int) int { return strings.Compare(columns[a].Name, columns[b].Name) })
	return e, nil
}

// Encode returns key and body of the message for a row, which has one value
// for each column. The key is nil when no column is part of it.
func (e *Encoder) Encode(values []any) (key, body []byte, err error) {
	if len(values) != len(e.columns) {
		return nil, nil, malformed("encode row", fmt.Errorf("it has %d values for %d columns", len(values), len(e.columns)))
	}
	if key, err = e.Key(values); err != nil {
		return nil, nil, err
	}
	body, err = e.Body(values)
	return key, body, err
}

// Body returns the body of the message for a row, which has one value for each
// column.
func (e *Encoder) Body(values []any) (body []byte, err error) {
	if len(values) != len(e.columns) {
		return nil, malformed("encode row", fmt.Errorf("it has %d values for %d columns", len(values), len(e.columns)))
	}
	body = append(make([]byte, 0, len(e.head)+32*len(values)), e.head...)
	for i, c := range e.columns {
		body = append(body, e.names[i]...)
		if body, err = appendValue(body, c.Type, values[i]); err != nil {
			return nil, malformed("encode row", fmt.Errorf("column %q: %w", c.Name, err))
		}
		body = append(body, ',')
	}
	return append(body[:len(body)-1], "}}"...), nil
}

// Key returns the key of the message for a row, nil when no column is part of
// it. With no body it is the row's deletion.
func (e *Encoder) Key(values []any) ([]byte, error) {
	if len(e.key) == 0 {
		return nil, nil
	}
	key := []byte{'{'}
	for _, i := range e.key {
		key = append(key, e.names[i]...)
		var err error
		if key, err = appendValue(key, TypeAny, values[i]); err != nil {
			return nil, malformed("encode key", fmt.Errorf("column %q: %w", e.columns[i].Name, err))
		}
		key = append(key, ',')
	}
	key[len(key)-1] = '}'
	return key, nil
}

// Encode returns key and body of the message for a single row.
func Encode(r Row) (key, body []byte, err error) {
	e, err := NewEncoder(r.Table, r.Columns)
	if err != nil {
		return nil, nil, err
	}
	return e.Encode(r.Values)
}

// EncodeKey returns the key of the row that has these values in these columns.
func EncodeKey(names []string, values []any) ([]byte, error) {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i] = Column{Name: name, Type: TypeAny, Key: true}
	}
	e, err := NewEncoder("", columns)
	if err != nil {
		return nil, err
	}
	if len(values) != len(names) {
		return nil, malformed("encode key", fmt.Errorf("it has %d values for %d columns", len(values), len(names)))
	}
	return e.Key(values)
}

// quote returns a name as a JSON string.
func quote(name string) ([]byte, error) {
	if !valid(name) {
		return nil, fmt.Errorf("the name %q is not UTF-8", name)
	}
	return appendString(nil, name), nil
}

// appendString writes what package json does, without the escapes for HTML,
// so that the result is canonical in the sense of package oms.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return appendEscaped(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendEscaped(b []byte, s string) []byte {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(b, strings.TrimSuffix(out.String(), "\n")...)
}
