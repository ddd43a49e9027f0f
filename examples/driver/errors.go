package driver

import (
	"context"
	"errors"
	"strings"

	sqlite3 "modernc.org/sqlite"

	"github.com/omconnect/omconnect/oms"
)

// failure is the shape of every error of this driver.
func failure(op, target string, code oms.Code, err error) error {
	return &oms.Error{Op: op, Driver: Name, Target: target, Code: code, Err: err}
}

// coded gives an error of the database its code. This is the one place that
// knows what they mean; the numbers are SQLite's primary result codes.
func coded(op, target string, err error) error {
	if _, done := errors.AsType[*oms.Error](err); done {
		return err
	}
	code := oms.CodeOf(err)
	if e, ok := errors.AsType[*sqlite3.Error](err); ok {
		switch e.Code() & 0xff {
		case 5, 6: // BUSY, LOCKED: another process writes for longer than we wait
			code = oms.ErrBusy
		case 13: // FULL
			code = oms.ErrFull
		case 3, 8, 23: // PERM, READONLY, AUTH
			code = oms.ErrDenied
		case 11, 26: // CORRUPT, NOTADB
			code = oms.ErrFormat
		case 18: // TOOBIG
			code = oms.ErrTooLarge
		}
	}
	switch {
	case code != "":
	case errors.Is(err, context.DeadlineExceeded):
		code = oms.ErrTimeout
	case errors.Is(err, context.Canceled):
		code = oms.ErrAborted
	case strings.Contains(err.Error(), "database is closed"): // database/sql has no value for it
		code = oms.ErrClosed
	default:
		code = oms.ErrUnavailable
	}
	return failure(op, target, code, err)
}
