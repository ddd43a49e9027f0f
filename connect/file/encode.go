package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// encode appends the lines of the messages before the first that cannot be
// written, and returns an error that names this one and all others.
func encode(to *bytes.Buffer, format string, msgs []*oms.Message) error {
	var failure *connect.PartialError
	for i, m := range msgs {
		before := to.Len()
		err := encodeOne(to, format, m)
		if err != nil || failure != nil {
			to.Truncate(before)
		}
		switch {
		case err == nil:
		case failure == nil:
			failure = &connect.PartialError{Index: i, Err: err}
		default:
			if failure.Also == nil {
				failure.Also = make(map[int]error)
			}
			failure.Also[i] = err
		}
	}
	if failure == nil {
		return nil // not a nil *PartialError in an error
	}
	return failure
}

func encodeOne(to *bytes.Buffer, format string, m *oms.Message) error {
	refuse := func(code oms.Code, err error) error {
		return &oms.Error{Op: "write", Driver: sinkClass, Target: m.Topic, Code: code, Err: err}
	}
	switch {
	case m.Body == nil:
		return refuse(oms.ErrUnsupported, errors.New("a tombstone has no line"))
	case format == formatJSON:
		if err := json.Compact(to, m.Body); err != nil {
			return refuse(oms.ErrFormat, fmt.Errorf("the body is not JSON: %w; set format to lines to write it as it is", err))
		}
	default:
		if at := bytes.IndexByte(m.Body, '\n'); at >= 0 {
			return refuse(oms.ErrFormat, fmt.Errorf(
				"the body has a line break at byte %d and would be read as two; set format to json if it is JSON", at))
		}
		to.Write(m.Body)
	}
	to.WriteByte('\n')
	return nil
}
