package file

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/internal/jsontext"
	"github.com/omconnect/omconnect/oms"
)

// csvRows splits CSV into rows, and makes each a JSON object. It has its own
// parser because a row must be found in the part of the file that has been
// read so far, at a known offset.
type csvRows struct {
	keyField string
	names    []string // the header; nil until it has been seen
	quoted   [][]byte // the names as JSON, with what stands before and behind
	key      int      // index of keyField, or -1

	fields  [][]byte // of the row at hand
	scratch []byte   // fields without their doubled quotes
	object  []byte
}

func (c *csvRows) next(data []byte, last bool) (record, int, error) {
	if n, found := lineEnd(data, last); n > 0 {
		return record{skip: true, lines: found}, n, nil // a blank line
	}
	n, newlines, err := c.parse(data, last)
	if n == 0 || err != nil {
		return record{}, n, err
	}
	rec := record{lines: newlines}
	if c.names == nil {
		rec.skip = true
		return rec, n, c.header()
	}
	if len(c.fields) != len(c.names) {
		return rec, n, malformed(0, "the row has %d fields, and the header %d", len(c.fields), len(c.names))
	}
	c.object = c.object[:0]
	for i, field := range c.fields {
		if err := checkUTF8(field); err != nil {
			return rec, n, malformed(0, "field %q: %w", c.names[i], err)
		}
		c.object = jsontext.AppendString(append(c.object, c.quoted[i]...), field)
	}
	rec.body = bytes.Clone(append(c.object, '}'))
	if c.key >= 0 {
		rec.key = append([]byte{}, c.fields[c.key]...) // an empty field is an empty key, not none
	}
	return rec, n, nil
}

// header takes the row at hand as the names of the fields.
func (c *csvRows) header() error {
	var names []string
	for i, field := range c.fields {
		if err := checkUTF8(field); err != nil {
			return malformed(0, "name %d of the header: %w", i+1, err)
		}
		if slices.Contains(names, string(field)) {
			return malformed(0, "the header has the name %q twice", field)
		}
		names = append(names, string(field))
		before := []byte(",")
		if i == 0 {
			before = []byte("{")
		}
		c.quoted = append(c.quoted, append(jsontext.AppendString(before, field), ':'))
	}
	c.key = -1
	if c.keyField != "" {
		if c.key = slices.Index(names, c.keyField); c.key < 0 {
			return &formatError{code: oms.ErrInvalid, err: fmt.Errorf(
				"key key.field: the header has no name %q; it has %s", c.keyField, strings.Join(names, ", "))}
		}
	}
	c.names = names
	return nil
}

// parse finds the fields of the first row of data, and its length: 0 when it
// is not complete.
func (c *csvRows) parse(data []byte, last bool) (n int, newlines int64, err error) {
	c.fields, c.scratch = c.fields[:0], c.scratch[:0]
	for {
		var field []byte
		if n < len(data) && data[n] == '"' {
			var length int
			var within int64
			field, length, within = c.unquote(data[n:], last)
			switch {
			case length == 0 && last:
				return len(data), newlines, malformed(newlines, "a quote is opened and never closed")
			case length == 0:
				return 0, 0, nil
			}
			n, newlines = n+length, newlines+within
		} else {
			length := bytes.IndexAny(data[n:], ",\"\n")
			switch {
			case length >= 0 && data[n+length] == '"':
				return n, newlines, malformed(newlines, `a quote in a field that does not begin with one; write "a ""quoted"" word"`)
			case length < 0 && !last:
				return 0, 0, nil
			case length < 0:
				length = len(data) - n
			}
			field = data[n : n+length]
			n += length
			if atEnd := n == len(data) || data[n] == '\n'; atEnd {
				field = bytes.TrimSuffix(field, []byte("\r"))
			}
		}
		c.fields = append(c.fields, field)
		if n < len(data) && data[n] == ',' {
			n++
			continue
		}
		length, found := lineEnd(data[n:], last)
		switch {
		case length > 0 || last && n == len(data):
			return n + length, newlines + found, nil
		case n == len(data) || string(data[n:]) == "\r":
			return 0, 0, nil
		}
		return n, newlines, malformed(newlines, "there is text behind the closing quote of a field")
	}
}

// unquote returns the text of the quoted field that data begins with, its
// length with the quotes, and the newlines in it. Without last, a quote at the
// end of data may be the first of two, so that nothing is certain: length 0.
func (c *csvRows) unquote(data []byte, last bool) (text []byte, length int, newlines int64) {
	from := len(c.scratch)
	for n := 1; ; {
		i := bytes.IndexByte(data[n:], '"')
		if i < 0 || n+i+1 == len(data) && !last {
			return nil, 0, 0
		}
		newlines += int64(bytes.Count(data[n:n+i], []byte("\n")))
		c.scratch = append(c.scratch, data[n:n+i]...)
		n += i + 1
		if n == len(data) || data[n] != '"' {
			return c.scratch[from:len(c.scratch):len(c.scratch)], n, newlines
		}
		c.scratch = append(c.scratch, '"')
		n++
	}
}

// lineEnd returns the length of the line end that data begins with, and the
// newlines in it.
func lineEnd(data []byte, last bool) (length int, newlines int64) {
	switch {
	case bytes.HasPrefix(data, []byte("\n")):
		return 1, 1
	case bytes.HasPrefix(data, []byte("\r\n")):
		return 2, 1
	case last && string(data) == "\r":
		return 1, 0
	}
	return 0, 0
}
