package row

import (
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

// A Type is the type of a column, or of a value.
type Type string

// The types. The Go type of a value stands behind each.
const (
	TypeAny         Type = "any"         // of a column only
	TypeInt64       Type = "int64"       // int64
	TypeFloat64     Type = "float64"     // float64
	TypeDecimal     Type = "decimal"     // Decimal
	TypeBoolean     Type = "boolean"     // bool
	TypeText        Type = "text"        // string, of any bytes
	TypeBytes       Type = "bytes"       // []byte; a nil one is empty, not NULL
	TypeDate        Type = "date"        // Date
	TypeTime        Type = "time"        // Time
	TypeTimestamp   Type = "timestamp"   // Timestamp
	TypeTimestampTZ Type = "timestamptz" // TimestampTZ
)

// rawText tags a text that is not UTF-8. It is a way of writing, not a type.
const rawText = "rawtext"

// The forms of values that Go has no type for that would keep every digit.
type (
	// A Decimal is an optional minus, digits, and optionally a point and
	// digits.
	Decimal string
	// A Date is YYYY-MM-DD.
	Date string
	// A Time is hh:mm:ss, optionally with a point and up to 9 digits.
	Time string
	// A Timestamp is a Date, a T and a Time.
	Timestamp string
	// A TimestampTZ is a Timestamp and its offset from UTC: Z or ±hh:mm.
	TimestampTZ string
)

// A Column is one column of a row.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	Key  bool   `json:"key,omitempty"` // part of what identifies the row
}

// A Row is one row, with its columns in their order in the database. Values
// has one value for each column: nil for NULL, else of one of the Go types
// that are named with the types.
type Row struct {
	Table   string // where the row came from; "" for a query
	Columns []Column
	Values  []any
}

// Key returns names and values of the key columns.
func (r Row) Key() (names []string, values []any) {
	for i, c := range r.Columns {
		if c.Key {
			names, values = append(names, c.Name), append(values, r.Values[i])
		}
	}
	return names, values
}

// TypeOf returns the type of a value, or "" for NULL and for what is none.
func TypeOf(v any) Type {
	switch v.(type) {
	case int64:
		return TypeInt64
	case float64:
		return TypeFloat64
	case Decimal:
		return TypeDecimal
	case bool:
		return TypeBoolean
	case string:
		return TypeText
	case []byte:
		return TypeBytes
	case Date:
		return TypeDate
	case Time:
		return TypeTime
	case Timestamp:
		return TypeTimestamp
	case TimestampTZ:
		return TypeTimestampTZ
	}
	return ""
}

func known(t Type) bool {
	switch t {
	case TypeAny, TypeInt64, TypeFloat64, TypeDecimal, TypeBoolean, TypeText, TypeBytes,
		TypeDate, TypeTime, TypeTimestamp, TypeTimestampTZ:
		return true
	}
	return false
}

// checkColumns returns what is wrong with the columns of a row.
func checkColumns(columns []Column) error {
	if len(columns) == 0 {
		return fmt.Errorf("the row has no columns")
	}
	seen := make(map[string]bool, len(columns))
	for i, c := range columns {
		switch {
		case c.Name == "":
			return fmt.Errorf("column %d has no name", i+1)
		case seen[c.Name]:
			return fmt.Errorf("column %q stands there twice; give one of them another name", c.Name)
		case !known(c.Type):
			return fmt.Errorf("column %q has the type %q, which this version does not know", c.Name, c.Type)
		}
		seen[c.Name] = true
	}
	return nil
}

func malformed(op string, err error) error {
	return &oms.Error{Op: op, Code: oms.ErrFormat, Err: err}
}
