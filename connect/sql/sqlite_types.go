package sql

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/connect/row"
)

// sqliteType returns the type of a column by its declaration. A column made
// with ColumnType for that type has the same affinity, so that SQLite does not
// convert the values of one in the other.
func sqliteType(declared string) row.Type {
	name, _, _ := strings.Cut(strings.ToUpper(declared), "(")
	name = strings.TrimSpace(name)
	switch name {
	case "BOOLEAN", "BOOL":
		return row.TypeBoolean
	case "DATE":
		return row.TypeDate
	case "TIME":
		return row.TypeTime
	case "DATETIME", "TIMESTAMP":
		return row.TypeTimestamp
	case "TIMESTAMPTZ":
		return row.TypeTimestampTZ
	case "", "ANY": // of STRICT tables, where values stay what they are
		return row.TypeAny
	}
	switch { // https://www.sqlite.org/datatype3.html#determination_of_column_affinity
	case strings.Contains(name, "INT"):
		return row.TypeInt64
	case strings.Contains(name, "CHAR"), strings.Contains(name, "CLOB"), strings.Contains(name, "TEXT"):
		return row.TypeText
	case strings.Contains(name, "BLOB"):
		return row.TypeBytes
	case strings.Contains(name, "REAL"), strings.Contains(name, "FLOA"), strings.Contains(name, "DOUB"): //nolint:misspell // as SQLite cuts it
		return row.TypeFloat64
	}
	return row.TypeDecimal
}

// ColumnType returns a declaration that sqliteType takes back.
func (sqlite) ColumnType(t row.Type, _ bool) string {
	switch t {
	case row.TypeInt64:
		return "INTEGER"
	case row.TypeFloat64:
		return "REAL"
	case row.TypeDecimal:
		return "DECIMAL"
	case row.TypeBoolean:
		return "BOOLEAN"
	case row.TypeText:
		return "TEXT"
	case row.TypeBytes:
		return "BLOB"
	case row.TypeDate:
		return "DATE"
	case row.TypeTime:
		return "TIME"
	case row.TypeTimestamp:
		return "TIMESTAMP"
	case row.TypeTimestampTZ:
		return "TIMESTAMPTZ"
	case row.TypeAny:
	}
	return ""
}

// Read returns a value of the column's type only if Bind turns it into v
// again, to the last byte; else v as it is, since a column of SQLite may hold
// anything.
func (d sqlite) Read(t row.Type, v any) any {
	candidate := convert(t, v)
	if candidate == nil {
		return v
	}
	if back, err := d.Bind(candidate); err != nil || !identical(back, v) {
		return v
	}
	return candidate
}

func convert(t row.Type, v any) any {
	switch v := v.(type) {
	case int64:
		switch t {
		case row.TypeBoolean:
			return v == 1
		case row.TypeDecimal:
			return row.Decimal(strconv.FormatInt(v, 10))
		default:
		}
	case float64:
		if t == row.TypeDecimal && math.Abs(v) > 1e-9 && math.Abs(v) < 1e18 {
			return decimal(v)
		}
	case string:
		switch t {
		case row.TypeDate:
			if d := row.Date(v); d.Valid() {
				return d
			}
		case row.TypeTime:
			if c := row.Time(v); c.Valid() {
				return c
			}
		case row.TypeTimestamp, row.TypeTimestampTZ:
			iso := strings.Replace(v, " ", "T", 1)
			if ts := row.Timestamp(iso); ts.Valid() {
				return ts
			}
			if tz := row.TimestampTZ(iso); tz.Valid() {
				return tz
			}
		default:
		}
	}
	return nil
}

func decimal(f float64) row.Decimal { return row.Decimal(strconv.FormatFloat(f, 'f', -1, 64)) }

func identical(a, b any) bool {
	switch a := a.(type) {
	case float64:
		f, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(f)
	case []byte:
		s, ok := b.([]byte)
		return ok && bytes.Equal(a, s)
	}
	return a == b
}

// Bind returns an int64, a float64, a string, a []byte or nil.
func (sqlite) Bind(v any) (any, error) {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) {
			return nil, errors.New("SQLite has no NaN, and would store NULL")
		}
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case []byte:
		if v == nil {
			return []byte{}, nil // the client library would store NULL
		}
	case row.Decimal:
		return bindDecimal(v), nil
	case row.Date:
		return string(v), nil
	case row.Time:
		return string(v), nil
	case row.Timestamp:
		return strings.Replace(string(v), "T", " ", 1), nil
	case row.TimestampTZ:
		return strings.Replace(string(v), "T", " ", 1), nil
	}
	return v, nil
}

// bindDecimal returns the number that is written the same, or the text, since
// a float would lose the digits.
func bindDecimal(d row.Decimal) any {
	if n, err := strconv.ParseInt(string(d), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(d) {
		return n
	}
	if f, err := strconv.ParseFloat(string(d), 64); err == nil && decimal(f) == d {
		return f
	}
	return string(d)
}
