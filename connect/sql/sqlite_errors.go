package sql

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	sqlite3 "modernc.org/sqlite"

	"github.com/omconnect/omconnect/oms"
)

// SQLite's result codes, of which the lowest byte is the primary one.
const (
	sqliteError             = 1
	sqlitePerm              = 3
	sqliteBusy              = 5
	sqliteLocked            = 6
	sqliteReadOnly          = 8
	sqliteCorrupt           = 11
	sqliteFull              = 13
	sqliteCantOpen          = 14
	sqliteProtocol          = 15
	sqliteSchema            = 17
	sqliteTooBig            = 18
	sqliteConstraint        = 19
	sqliteMismatch          = 20
	sqliteAuth              = 23
	sqliteNotADB            = 26
	sqliteReadOnlyRecovery  = sqliteReadOnly | 1<<8
	sqliteReadOnlyCantLock  = sqliteReadOnly | 2<<8
	sqliteReadOnlyRollback  = sqliteReadOnly | 3<<8
	sqliteReadOnlyMoved     = sqliteReadOnly | 4<<8
	sqliteConstraintPrimary = sqliteConstraint | 6<<8
	sqliteConstraintUnique  = sqliteConstraint | 8<<8
	sqliteConstraintRowID   = sqliteConstraint | 10<<8
)

// Code is the table of what SQLite's errors mean here.
func (sqlite) Code(err error) oms.Code {
	e, ok := errors.AsType[*sqlite3.Error](err)
	if !ok {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return oms.ErrNotFound
		case errors.Is(err, fs.ErrPermission):
			return oms.ErrDenied
		}
		return oms.ErrInvalid
	}
	switch e.Code() { // the ones that differ from the rest of their kind
	case sqliteReadOnlyRecovery, sqliteReadOnlyCantLock, sqliteReadOnlyRollback, sqliteReadOnlyMoved:
		return oms.ErrUnavailable // until a writer has cleaned up
	case sqliteConstraintPrimary, sqliteConstraintUnique, sqliteConstraintRowID:
		return oms.ErrExists
	}
	switch e.Code() & 0xff {
	case sqliteBusy, sqliteLocked, sqliteProtocol, sqliteSchema:
		return oms.ErrBusy // a lock, or a change of the schema just now
	case sqliteFull:
		return oms.ErrFull
	case sqlitePerm, sqliteReadOnly, sqliteAuth, sqliteCantOpen:
		return oms.ErrDenied
	case sqliteCorrupt, sqliteNotADB, sqliteMismatch:
		return oms.ErrFormat
	case sqliteTooBig:
		return oms.ErrTooLarge
	case sqliteConstraint:
		return oms.ErrInvalid
	case sqliteError:
		if text := e.Error(); strings.Contains(text, "no such table") || strings.Contains(text, "no such column") ||
			strings.Contains(text, "has no column named") {
			return oms.ErrNotFound
		}
		return oms.ErrInvalid
	}
	return oms.ErrUnavailable // of the disk, of memory
}

// explained adds what to do, where SQLite's own text does not tell.
func explained(err error) error {
	e, ok := errors.AsType[*sqlite3.Error](err)
	if !ok {
		return err
	}
	switch e.Code() {
	case sqliteNotADB:
		return fmt.Errorf("%w: the file does not begin as a SQLite database does", err)
	case sqliteReadOnlyRollback, sqliteReadOnlyRecovery:
		return fmt.Errorf("%w: a writer died in the middle; any program that opens the database for writing repairs it", err)
	case sqliteCantOpen:
		return fmt.Errorf("%w: is the gateway allowed to read it? To write, and to read in WAL mode without a writer, it also needs the right to write into the folder", err)
	}
	return err
}
