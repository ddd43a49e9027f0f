package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/omconnect/omconnect/oms"
)

// A position is where in which file the next record begins.
type position struct {
	id     *identity // nil in one that was set by hand
	offset int64
	line   int64 // lines before offset
	tail   int64 // length of the line before offset if it had no newline, else 0
}

// parsePosition reads what appendPosition wrote. It takes nothing else but a
// position without an id: guessing would mean to read from the wrong place.
func parsePosition(s string) (position, error) {
	var doc struct {
		ID     *string `json:"id"`
		Line   int64   `json:"line"`
		Offset *int64  `json:"offset"`
		Tail   int64   `json:"tail"`
	}
	fail := func(err error) (position, error) {
		return position{}, &oms.Error{
			Op: "parse position", Driver: sourceClass, Code: oms.ErrFormat, Err: fmt.Errorf("%.200s: %w", s, err),
		}
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return fail(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fail(errors.New("there is more behind the object"))
	}
	if doc.Offset == nil || *doc.Offset < 0 || doc.Line < 0 || doc.Tail < 0 || doc.Tail > *doc.Offset {
		return fail(errors.New("offset, line or tail is missing or out of range"))
	}
	p := position{offset: *doc.Offset, line: doc.Line, tail: doc.Tail}
	if doc.ID != nil {
		id, err := parseIdentity(*doc.ID)
		if err != nil {
			return fail(err)
		}
		p.id = &id
	}
	return p, nil
}

// appendPosition appends the canonical JSON of a position. It is called for
// every record, so it builds the text itself.
func appendPosition(b []byte, id string, line, offset, tail int64) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, id...)
	b = append(b, `","line":`...)
	b = strconv.AppendInt(b, line, 10)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, offset, 10)
	if tail > 0 {
		b = append(b, `,"tail":`...)
		b = strconv.AppendInt(b, tail, 10)
	}
	return append(b, '}')
}
