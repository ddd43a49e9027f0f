package row

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// A Decoder reads rows. It remembers the schema of the last one, since most
// rows have the same as the one before. Its zero value is ready for use, by
// one goroutine.
type Decoder struct {
	schema  []byte // as written
	table   string
	columns []Column
	index   map[string]int
	head    []byte   // what a row of this schema begins with, as an Encoder writes it
	names   [][]byte // each as a JSON string with its colon
}

// Decode reads a row in its form. It takes nothing else: unknown or missing
// members, values that their column cannot have, and a form newer than this
// version are ErrFormat, with the name of the column and never its value. Rows of the same schema
// share their Columns, which are not to be changed.
func (d *Decoder) Decode(body []byte) (Row, error) {
	if values, ok := d.quick(body); ok {
		return Row{Table: d.table, Columns: d.columns, Values: values}, nil
	}
	r, err := d.decode(body)
	if err != nil {
		return Row{}, malformed("decode row", err)
	}
	return r, nil
}

// Decode reads a single row in its form.
func Decode(body []byte) (Row, error) {
	var d Decoder
	return d.Decode(body)
}

func (d *Decoder) decode(body []byte) (Row, error) {
	if err := checkText(body); err != nil {
		return Row{}, err
	}
	var form, schema, row json.RawMessage
	err := members(newDecoder(body), func(name string, dec *json.Decoder) error {
		at, ok := map[string]*json.RawMessage{"form": &form, "schema": &schema, "row": &row}[name]
		if !ok {
			return fmt.Errorf("it has a member %.40q, which the row form does not", name)
		}
		return unquoted(dec.Decode(at))
	})
	switch {
	case err != nil:
		return Row{}, fmt.Errorf("not in the row form: %w", err)
	case form == nil || schema == nil || row == nil:
		return Row{}, errors.New("not in the row form: it lacks one of form, schema and row")
	case string(form) != "1":
		return Row{}, errors.New("it is in another form of rows than 1, the only one that this version knows")
	}
	if d.schema == nil || !bytes.Equal(schema, d.schema) {
		if err := d.setSchema(schema); err != nil {
			return Row{}, fmt.Errorf("schema: %w", err)
		}
	}
	values, err := d.values(row)
	return Row{Table: d.table, Columns: d.columns, Values: values}, err
}

func (d *Decoder) setSchema(raw []byte) error {
	var s struct {
		Table   string   `json:"table"`
		Columns []Column `json:"columns"`
	}
	dec := newDecoder(raw)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return unquoted(err)
	}
	if err := checkColumns(s.Columns); err != nil {
		return err
	}
	index := make(map[string]int, len(s.Columns))
	for i, c := range s.Columns {
		index[c.Name] = i
	}
	*d = Decoder{schema: bytes.Clone(raw), table: s.Table, columns: s.Columns, index: index}
	d.prepare()
	return nil
}

func (d *Decoder) values(raw []byte) ([]any, error) {
	values := make([]any, len(d.columns))
	n := 0
	err := members(newDecoder(raw), func(name string, dec *json.Decoder) error {
		i, ok := d.index[name]
		if !ok {
			return fmt.Errorf("column %.100q is in the row but not in its schema", name)
		}
		var err error
		if values[i], err = readValue(dec, d.columns[i].Type); err != nil {
			return fmt.Errorf("column %.100q: %w", name, err)
		}
		n++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n == len(values) {
		return values, nil
	}
	return nil, fmt.Errorf("column %.100q has no value", d.missing(raw))
}

// missing returns the name of the first column that the row leaves out.
func (d *Decoder) missing(raw []byte) string {
	var row map[string]json.RawMessage
	_ = json.Unmarshal(raw, &row) // read before without an error
	for _, c := range d.columns {
		if _, ok := row[c.Name]; !ok {
			return c.Name
		}
	}
	return ""
}

// DecodeKey reads the key of a row: names and values of its columns.
func DecodeKey(key []byte) (names []string, values []any, err error) {
	err = checkText(key)
	if err == nil {
		err = members(newDecoder(key), func(name string, dec *json.Decoder) error {
			v, err := readValue(dec, TypeAny)
			if err != nil {
				return fmt.Errorf("column %.100q: %w", name, err)
			}
			names, values = append(names, name), append(values, v)
			return nil
		})
	}
	if err == nil && len(names) == 0 {
		err = errors.New("it names no column")
	}
	if err != nil {
		return nil, nil, malformed("decode key", fmt.Errorf("not the key of a row: %w", err))
	}
	return names, values, nil
}

func newDecoder(b []byte) *json.Decoder {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // keeps integers over 2^53
	return dec
}

// members reads an object, and nothing behind it. Its function reads the value
// of each member.
func members(dec *json.Decoder, read func(name string, dec *json.Decoder) error) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	seen := make(map[string]bool)
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return unquoted(err)
		}
		name, _ := t.(string) // the decoder has made sure that it is one
		if seen[name] {
			return fmt.Errorf("%.100q stands there twice", name)
		}
		seen[name] = true
		if err := read(name, dec); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return unquoted(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("there is something behind the end of the object")
	}
	return nil
}

// unquoted returns an error of package json without what it quotes.
func unquoted(err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is not JSON: byte %d is not what has to be there", e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%q is of another type", e.Field)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("it ends too early")
	}
	return err
}

// checkText finds text that package json would replace instead of refusing:
// bytes that are not UTF-8, and halves of surrogate pairs.
func checkText(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("it is not UTF-8")
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		high := surrogate(b[i:], 'd', "89ab")
		switch {
		case high && surrogate(b[min(i+6, len(b)):], 'd', "cdef"):
			i += 11
		case high || surrogate(b[i:], 'd', "cdef"):
			return errors.New("it has half of a surrogate pair")
		default:
			i++ // what is escaped
		}
	}
	return nil
}

// surrogate reports whether b begins with \uXY.., X and Y in lower or upper
// case.
func surrogate(b []byte, x byte, y string) bool {
	const lower = 'a' - 'A'
	return len(b) >= 6 && b[0] == '\\' && b[1] == 'u' && b[2]|lower == x && bytes.IndexByte([]byte(y), b[3]|lower) >= 0
}
