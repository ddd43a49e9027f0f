package row

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxSafe is the largest whole number that a JSON reader with doubles keeps,
// and so do its neighbours.
const maxSafe = 1<<53 - 1

func valid(s string) bool { return utf8.ValidString(s) }

// appendValue writes a value of a column of type t.
func appendValue(b []byte, t Type, v any) ([]byte, error) {
	if v == nil {
		return append(b, "null"...), nil
	}
	own := TypeOf(v)
	if own == "" {
		return nil, fmt.Errorf("a %T is not a value of a row", v)
	}
	if s, ok := v.(string); ok && !valid(s) {
		b = fmt.Appendf(b, `{"%s":"`, rawText)
		return append(base64.StdEncoding.AppendEncode(b, []byte(s)), `"}`...), nil
	}
	if own == t || (t == TypeAny && selfEvident(v)) {
		return appendPlain(b, v)
	}
	b, err := appendPlain(fmt.Appendf(b, `{"%s":`, own), v)
	return append(b, '}'), err
}

// selfEvident reports whether the plain form of a value tells its type.
func selfEvident(v any) bool {
	switch v := v.(type) {
	case string, bool:
		return true
	case int64:
		return -maxSafe <= v && v <= maxSafe
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return false
}

func appendPlain(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int64:
		if -maxSafe <= v && v <= maxSafe {
			return strconv.AppendInt(b, v, 10), nil
		}
		return append(strconv.AppendInt(append(b, '"'), v, 10), '"'), nil
	case float64:
		return appendFloat(b, v), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendString(b, v), nil
	case []byte:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v), '"'), nil
	case Decimal:
		return appendChecked(b, string(v), TypeDecimal, v.Valid())
	case Date:
		return appendChecked(b, string(v), TypeDate, v.Valid())
	case Time:
		return appendChecked(b, string(v), TypeTime, v.Valid())
	case Timestamp:
		return appendChecked(b, string(v), TypeTimestamp, v.Valid())
	case TimestampTZ:
		return appendChecked(b, string(v), TypeTimestampTZ, v.Valid())
	}
	return nil, fmt.Errorf("a %T is not a value of a row", v)
}

func appendChecked(b []byte, s string, t Type, ok bool) ([]byte, error) {
	if !ok {
		return nil, fmt.Errorf("the text is no %s", t)
	}
	return append(append(append(b, '"'), s...), '"'), nil
}

// appendFloat writes a float so that it reads back as the same float, and so
// that it does not look like an integer.
func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if !bytes.ContainsAny(b[start:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}
