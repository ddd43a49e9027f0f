package transform

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
)

// Most records have the schema of one before. These caches keep what was made
// of it; a record that has none of theirs is read and written in full.

// manySchemas is how many schemas are kept for reading: those of the tables
// whose records a connector mixes.
const manySchemas = 16

// A readCache keeps the schemas of envelopes by what these begin with.
type readCache struct {
	known []knownSchema
	next  int // which one is replaced when there are too many
}

type knownSchema struct {
	head   []byte // {"schema":…,"payload":
	schema *schema
}

// find returns schema and payload of an envelope whose schema is known. It
// returns false for every other, and for one that has more behind its payload.
func (c *readCache) find(b []byte) (*schema, any, bool) {
	for i := range c.known {
		k := &c.known[i]
		if !bytes.HasPrefix(b, k.head) || !utf8.Valid(b[len(k.head):]) {
			continue
		}
		p := jsonReader{b: b, at: len(k.head)}
		payload, ok := p.value(1)
		ok = ok && p.take('}')
		p.space()
		return k.schema, payload, ok && p.at == len(b)
	}
	return nil, nil, false
}

// keep notes the schema of an envelope that was read, if it stands first and
// without white space around it, as converters write it.
func (c *readCache) keep(b []byte, s *schema) {
	const before, between = `{"schema":`, `,"payload":`
	if !bytes.HasPrefix(b, []byte(before)) {
		return
	}
	p := jsonReader{b: b, at: len(before)}
	if _, ok := p.value(1); !ok || !bytes.HasPrefix(b[p.at:], []byte(between)) {
		return
	}
	k := knownSchema{head: bytes.Clone(b[:p.at+len(between)]), schema: s}
	if len(c.known) < manySchemas {
		c.known = append(c.known, k)
		return
	}
	c.known[c.next] = k
	c.next = (c.next + 1) % manySchemas
}

// A writeCache keeps the last schema that was written.
type writeCache struct {
	table  string
	shapes []shape
	text   []byte
}

// A shape is everything about a field that its schema depends on.
type shape struct {
	name     string
	declared connect.DataType
	own      row.Type // of the value; "" for null
	scale    int      // of a decimal
	required bool
}

// shapeOf returns the shape of a field. It returns false for one whose schema
// depends on more: on a default, or on what is in a structure or list.
func shapeOf(f *connect.Field) (shape, bool) {
	s := shape{name: f.Name, declared: f.Type, required: f.Required}
	if f.Default != nil {
		return s, false
	}
	if f.Value == nil {
		return s, f.Type != connect.DataStruct && f.Type != connect.DataList
	}
	if s.own = row.TypeOf(f.Value); s.own == row.TypeDecimal {
		if d, ok := f.Value.(row.Decimal); ok {
			s.scale = scaleOf(d)
		}
	}
	return s, s.own != "" // a float32 and a number of JSON have none
}

// find returns the schema of a structure, written, if it is the last one.
func (c *writeCache) find(s *connect.Struct) ([]byte, bool) {
	if len(c.text) == 0 || c.table != s.Table || len(c.shapes) != len(s.Fields) {
		return nil, false
	}
	for i := range s.Fields {
		if is, ok := shapeOf(&s.Fields[i]); !ok || is != c.shapes[i] {
			return nil, false
		}
	}
	return c.text, true
}

// keep notes a schema that was written.
func (c *writeCache) keep(s *connect.Struct, text []byte) {
	shapes := make([]shape, 0, len(s.Fields))
	for i := range s.Fields {
		is, ok := shapeOf(&s.Fields[i])
		if !ok {
			return
		}
		shapes = append(shapes, is)
	}
	*c = writeCache{table: s.Table, shapes: shapes, text: slices.Clone(text)}
}
