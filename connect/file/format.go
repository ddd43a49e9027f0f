package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/omconnect/omconnect/oms"
)

// The formats.
const (
	formatLines = "lines"
	formatJSON  = "json"
	formatCSV   = "csv"
)

// A record is what a splitter found.
type record struct {
	key, body []byte // may be parts of the data that was split
	skip      bool   // nothing to deliver: a blank line, a header
	lines     int64  // newlines in it
}

// A splitter takes records off the data of a file, in order.
type splitter interface {
	// next returns the first record of data and how many bytes it takes, with
	// its line end; 0 when data has only the beginning of one. With last, data
	// is all that is to come.
	next(data []byte, last bool) (rec record, n int, err error)
}

// A formatError is what is wrong with a record, and in which of its lines.
type formatError struct {
	code oms.Code
	line int64 // from 0, the record's first
	err  error
}

func (e *formatError) Error() string { return e.err.Error() }

func malformed(line int64, format string, args ...any) error {
	return &formatError{code: oms.ErrFormat, line: line, err: fmt.Errorf(format, args...)}
}

// newSplitter returns the splitter of a format. A splitter belongs to one file.
func newSplitter(format, keyField string) splitter {
	switch format {
	case formatJSON:
		return jsonLines{keyField: keyField}
	case formatCSV:
		return &csvRows{keyField: keyField}
	}
	return lines{}
}

// cutLine returns the first line of data without its newline.
func cutLine(data []byte, last bool) (line []byte, n int, newlines int64) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return data[:i:i], i + 1, 1
	}
	if last {
		return slices.Clip(data), len(data), 0
	}
	return nil, 0, 0
}

// lines splits into lines as they are.
type lines struct{}

func (lines) next(data []byte, last bool) (record, int, error) {
	line, n, newlines := cutLine(data, last)
	return record{body: line, lines: newlines}, n, nil
}

// jsonLines splits into lines of JSON.
type jsonLines struct{ keyField string }

func (j jsonLines) next(data []byte, last bool) (record, int, error) {
	line, n, newlines := cutLine(data, last)
	if n == 0 {
		return record{}, 0, nil
	}
	rec := record{body: bytes.TrimSuffix(line, []byte("\r")), lines: newlines}
	if len(bytes.TrimSpace(rec.body)) == 0 {
		rec.skip = true
		return rec, n, nil
	}
	if !json.Valid(rec.body) {
		var v any
		return rec, n, malformed(0, "not JSON: %w", json.Unmarshal(rec.body, &v))
	}
	if j.keyField != "" {
		rec.key = jsonField(rec.body, j.keyField)
	}
	return rec, n, nil
}

// jsonField returns the text of a field of a JSON object: a string's text, the
// JSON of anything else. It is nil when there is no such field, or null in it.
func jsonField(object []byte, name string) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil {
		return nil // another kind of value has no fields
	}
	raw, ok := fields[name]
	if !ok || string(raw) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text)
	}
	return raw
}

// errNotUTF8 is why a CSV field cannot be put into JSON.
var errNotUTF8 = errors.New("not UTF-8; convert the file, as with iconv -t UTF-8")

func checkUTF8(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	return errNotUTF8
}
