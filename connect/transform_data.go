package connect

import "slices"

// A DataType is the type of a field in a typed structure.
type DataType string

// The types of fields. Those that package connect/row has too have its Go
// types; int8, int16 and int32 are int64 in memory, float32 is float32 or
// float64.
const (
	DataAny         DataType = "any"
	DataInt8        DataType = "int8"
	DataInt16       DataType = "int16"
	DataInt32       DataType = "int32"
	DataInt64       DataType = "int64"
	DataFloat32     DataType = "float32"
	DataFloat64     DataType = "float64"
	DataDecimal     DataType = "decimal"
	DataBoolean     DataType = "boolean"
	DataText        DataType = "text"
	DataBytes       DataType = "bytes"
	DataDate        DataType = "date"
	DataTime        DataType = "time"
	DataTimestamp   DataType = "timestamp"
	DataTimestampTZ DataType = "timestamptz"
	DataStruct      DataType = "struct" // *Struct
	DataList        DataType = "list"   // []any
)

// A Struct is a decoded structure: a JSON object, or the row of a database,
// whose fields have types. It is immutable once a record has it: a transform
// works on a copy.
//
// The values of a JSON object are nil, bool, string, json.Number, []any and
// *Struct; a transform may also set int64, float64 and []byte. Those of a
// typed structure are as their DataType says.
type Struct struct {
	Typed  bool
	Table  string // of a row; "" for none
	Fields []Field
}

// A Field is a named value of a Struct. Only Name and Value mean something in
// a JSON object.
type Field struct {
	Name     string
	Value    any
	Type     DataType
	Key      bool    // part of what identifies a row
	Required bool    // it has no null
	Default  any     // stands for null; nil for none
	Shape    *Struct // of a null of type DataStruct: its fields, if they are known
}

// Index returns the index of the field of that name, or -1.
func (s *Struct) Index(name string) int {
	return slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
}

// Get returns the value of a field, and whether it is there.
func (s *Struct) Get(name string) (any, bool) {
	i := s.Index(name)
	if i < 0 {
		return nil, false
	}
	return s.Fields[i].Value, true
}

// Clone returns a copy whose fields can be replaced. Their values are shared.
func (s *Struct) Clone() *Struct {
	c := *s
	c.Fields = slices.Clone(s.Fields)
	return &c
}

// CloneFor is Clone with room for so many fields more.
func (s *Struct) CloneFor(more int) *Struct {
	c := *s
	c.Fields = append(make([]Field, 0, len(s.Fields)+more), s.Fields...)
	return &c
}

// Set replaces the field of that name, or adds it at the end. It is called on
// a copy that no record has yet.
func (s *Struct) Set(f Field) {
	if i := s.Index(f.Name); i >= 0 {
		s.Fields[i] = f
		return
	}
	s.Fields = append(s.Fields, f)
}

// Defaulted returns the structure with its nulls replaced by the defaults of
// their fields: itself when there is none to replace.
func (s *Struct) Defaulted() *Struct {
	missing := func(f Field) bool { return f.Value == nil && f.Default != nil }
	if !slices.ContainsFunc(s.Fields, missing) {
		return s
	}
	c := s.Clone()
	for i, f := range c.Fields {
		if missing(f) {
			c.Fields[i].Value = f.Default
		}
	}
	return c
}
