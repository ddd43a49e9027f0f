package transform

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// An auto converter has the form in which connectors have their records.
type auto struct {
	part connect.Part
	rows rows
}

func autoPlugin() connect.ConverterPlugin {
	return connect.ConverterPlugin{
		Type: connect.DefaultConverter, Raw: true,
		Doc: "Typed rows, JSON objects and lists, and any text or bytes, each as the connector has it. It is the default.",
		New: func(part connect.Part, _ oms.KeyValue) (connect.Converter, error) { return &auto{part: part}, nil },
	}
}

// Decode takes anything. Only what has the members of a row and is none is
// refused.
func (c *auto) Decode(b []byte) (any, error) {
	switch text := bytes.TrimLeft(b, " \t\r\n"); {
	case len(text) == 0 || (text[0] != '{' && text[0] != '['):
		return plain(b), nil
	case c.part == connect.PartKey:
		if s, ok := taggedKey(b); ok {
			return s, nil
		}
	case bytes.HasPrefix(text, []byte(`{"form"`)):
		if s, err := c.rows.decode(b); err == nil {
			return s, nil
		}
	}
	v, err := parseJSON(b)
	if err != nil {
		return plain(b), nil //nolint:nilerr // it only begins as JSON does
	}
	if s, ok := v.(*connect.Struct); ok && c.part == connect.PartValue && len(s.Fields) == 3 &&
		s.Index("form") >= 0 && s.Index("schema") >= 0 && s.Index("row") >= 0 {
		return c.rows.decode(b) // its members may have another order
	}
	return v, nil
}

// plain returns bytes as text where they are text.
func plain(b []byte) any {
	if utf8.Valid(b) {
		return string(b)
	}
	return b
}

// Encode writes a typed row as a row, other structures and lists as JSON, and
// a scalar as its text.
func (c *auto) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case *connect.Struct:
		if rowable(v) {
			if c.part == connect.PartKey {
				return rowKey(v)
			}
			return c.rows.encode(v)
		}
		return appendJSON(nil, v, stylePlain)
	case []any:
		return appendJSON(nil, v, stylePlain)
	}
	return encodeScalar(v)
}

// encodeScalar returns the text of a single value.
func encodeScalar(v any) ([]byte, error) {
	text, ok := scalarText(v)
	if !ok {
		return nil, noForm(v)
	}
	return []byte(text), nil
}

// A text converter is Kafka Connect's StringConverter: it knows no structures
// in the broker. What a source has goes there as it is.
type text struct{ auto }

func stringPlugin() connect.ConverterPlugin {
	return connect.ConverterPlugin{
		Type: "string", Aliases: []string{kafkaStorage + "StringConverter", "StringConverter"}, Raw: true, Gives: connect.FormScalar,
		Doc: "Text. A structure that a source has is written as it is, a row or JSON, not in Java's form.",
		Def: connect.ConfigDef{Keys: []connect.Key{{
			Name: "encoding", Default: "UTF-8", Doc: "Encoding of the text; only UTF-8 is known.",
			Check: func(value string) error {
				if e := strings.ToUpper(value); e != "UTF-8" && e != "UTF8" {
					return malformed("read", "only UTF-8 is known")
				}
				return nil
			},
		}}},
		New: func(part connect.Part, _ oms.KeyValue) (connect.Converter, error) {
			return &text{auto{part: part}}, nil
		},
	}
}

// Decode returns text; bytes that are none stay bytes.
func (c *text) Decode(b []byte) (any, error) { return plain(b), nil }

// binary is Kafka Connect's ByteArrayConverter.
type binary struct{}

func bytesPlugin() connect.ConverterPlugin {
	return connect.ConverterPlugin{
		Type: "bytes", Aliases: []string{"org.apache.kafka.connect.converters.ByteArrayConverter", "ByteArrayConverter"},
		Raw: true, Gives: connect.FormScalar, Takes: connect.FormScalar,
		Doc: "Bytes as they are. It writes no structure that a transform has changed.",
		New: func(connect.Part, oms.KeyValue) (connect.Converter, error) { return binary{}, nil },
	}
}

// Decode returns the bytes.
func (binary) Decode(b []byte) (any, error) { return b, nil }

// Encode takes bytes, and single values as their text.
func (binary) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case *connect.Struct, []any:
		return nil, malformed("encode", "the converter bytes writes no structure; take the converter out, or set json")
	}
	return encodeScalar(v)
}

// typedRow insists on rows.
type typedRow struct {
	part connect.Part
	rows rows
}

func rowPlugin() connect.ConverterPlugin {
	return connect.ConverterPlugin{
		Type: "row", Gives: connect.FormFlat, Takes: connect.FormFlat,
		Doc: "Typed rows (docs/adr/0004): each column with its type. A JSON object of single values gets the types of its values.",
		New: func(part connect.Part, _ oms.KeyValue) (connect.Converter, error) { return &typedRow{part: part}, nil },
	}
}

// Decode takes rows only; as a key, the key of a row.
func (c *typedRow) Decode(b []byte) (any, error) {
	if c.part == connect.PartValue {
		return c.rows.decode(b)
	}
	if s, ok := taggedKey(b); ok {
		return s, nil
	}
	v, err := parseJSON(b)
	if err != nil {
		return nil, err
	}
	s, ok := v.(*connect.Struct)
	if ok {
		s, ok = typed(s)
	}
	if !ok {
		return nil, malformed("decode", "it is not the key of a row")
	}
	return s, nil
}

// Encode takes structures of single values.
func (c *typedRow) Encode(v any) ([]byte, error) {
	s, ok := v.(*connect.Struct)
	if ok {
		s, ok = typed(s)
	}
	if !ok || !rowable(s) {
		return nil, malformed("encode", "it is not a structure of single values, as a row is; flatten it first, or set another converter")
	}
	if c.part == connect.PartKey {
		return rowKey(s)
	}
	return c.rows.encode(s)
}
