package transform

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/internal/jsontext"
)

// jsonStyle says how the values are written that JSON has no form for.
type jsonStyle int

const (
	stylePlain        jsonStyle = iota // decimals, dates and times as their text
	styleKafka                         // as Kafka Connect's JsonConverter: days, milliseconds, base64
	styleKafkaNumeric                  // the same with decimal.format=NUMERIC
)

// appendJSON writes a decoded value as JSON.
func appendJSON(b []byte, v any, style jsonStyle) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendText(b, v)
	case json.Number:
		return append(b, v...), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v, 64), nil
	case float32:
		return appendFloat(b, float64(v), 32), nil
	case []byte:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v), '"'), nil
	case []any:
		return appendList(b, v, style)
	case *connect.Struct:
		return appendObject(b, v, style)
	}
	if style == stylePlain {
		text, ok := scalarText(v)
		if !ok {
			return nil, noForm(v)
		}
		return appendText(b, text)
	}
	return appendLogical(b, v, style)
}

// noForm is the error for what no decoded value is.
func noForm(v any) error {
	return malformed("encode", "a transform has set a %T, which is no value of a record", v)
}

func appendList(b []byte, list []any, style jsonStyle) ([]byte, error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, v, style); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, s *connect.Struct, style jsonStyle) ([]byte, error) {
	b = append(b, '{')
	for i, f := range s.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendText(b, f.Name); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), f.Value, style); err != nil {
			return nil, malformed("encode", "field %.100q: %w", f.Name, err)
		}
	}
	return append(b, '}'), nil
}

// appendLogical writes what Kafka Connect has logical types for.
func appendLogical(b []byte, v any, style jsonStyle) ([]byte, error) {
	if d, ok := v.(row.Decimal); ok {
		if style == styleKafkaNumeric {
			return append(b, plainNumber(d)...), nil
		}
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), twosComplement(unscaledOf(d))), '"'), nil
	}
	n, ok := logicalNumber(v)
	if !ok {
		return nil, noForm(v)
	}
	return strconv.AppendInt(b, n, 10), nil
}

func appendText(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, malformed("encode", "a text that is not UTF-8 has no form in JSON")
	}
	return jsontext.AppendString(b, s), nil
}

// appendFloat writes a number as Java does, so that it never looks like an
// integer; what is no number is a string.
func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(append(append(b, '"'), javaFloat(f, bits)...), '"')
	}
	return append(b, javaFloat(f, bits)...)
}

// javaFloat returns the text that Java gives a double or float.
func javaFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	const low, high = 1e-3, 1e7 // outside, Java writes an exponent
	if abs := math.Abs(f); abs != 0 && (abs < low || abs >= high) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, bits), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent) // written just now
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// textOf returns the text of a scalar, "" for what is none.
func textOf(v any) string {
	text, _ := scalarText(v)
	return text
}

// scalarText returns the text of a scalar. It returns false for what is none
// and that a transform should not have set, such as an int.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return javaFloat(v, 64), true
	case float32:
		return javaFloat(float64(v), 32), true
	case []byte:
		return base64.StdEncoding.EncodeToString(v), true
	case row.Decimal:
		return string(v), true
	case row.Date:
		return string(v), true
	case row.Time:
		return string(v), true
	case row.Timestamp:
		return string(v), true
	case row.TimestampTZ:
		return string(v), true
	}
	return "", false
}
