package sql

import (
	"context"
	dbsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	sqlite3 "modernc.org/sqlite"

	"github.com/omconnect/omconnect/oms"
)

// sqlite is the dialect of SQLite.
type sqlite struct{}

var _ Dialect = sqlite{}

// maxName is longer than any name that somebody would type.
const maxName = 128

// Check refuses what a file has not: a host, a user, options.
func (sqlite) Check(u *url.URL) error {
	path, err := sqlitePath(u)
	switch {
	case u.User != nil:
		return errors.New("a SQLite file has neither user nor password: write sqlite:///path/x.db")
	case u.Host != "":
		return errors.New("there is a host between // and the path: write sqlite:///path/x.db with three slashes, or sqlite:x.db for a relative path")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("a SQLite URL takes no options; in the name of a file, ? is %3F and # is %23")
	case err != nil || path == "" || strings.HasSuffix(path, "/"):
		return errors.New("it names no file: write sqlite:///path/x.db")
	case strings.ContainsRune(path, 0) || path == ":memory:":
		return errors.New("that is not the name of a file")
	}
	return nil
}

func sqlitePath(u *url.URL) (string, error) {
	if u.Opaque != "" {
		return url.PathUnescape(u.Opaque)
	}
	return u.Path, nil
}

// Open opens a database file. A reader can neither write nor create it; a
// writer has it in WAL mode, and each commit on disk.
func (d sqlite) Open(ctx context.Context, u *url.URL, access Access) (_ *Database, err error) {
	path, err := sqlitePath(u)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, &oms.Error{Op: "open", Driver: "sqlite", Code: oms.ErrInvalid, Err: err}
	}
	if err := checkFile(path, access); err != nil {
		return nil, &oms.Error{Op: "open", Driver: "sqlite", Target: path, Code: d.Code(err), Err: err}
	}
	base, err := sqlite3.NewConnector(sqliteDSN(path, access))
	if err != nil {
		return nil, &oms.Error{Op: "open", Driver: "sqlite", Target: path, Code: oms.ErrInvalid, Err: err}
	}
	if access == ReadOnly {
		base = restricted{base}
	}
	db := &Database{DB: dbsql.OpenDB(base), Dialect: d, Name: "sqlite"}
	if access != ReadOnly {
		db.SetMaxOpenConns(1) // SQLite has one writer, and statements stay prepared
	}
	defer func() {
		if err != nil {
			_ = db.Close() // the first error counts
		}
	}()
	// The header is read with the first use, not when the file is opened.
	var objects int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&objects); err != nil {
		return nil, db.fail("open", path, explained(err))
	}
	opened, err := os.Stat(path)
	if err != nil {
		return nil, db.fail("open", path, withoutPath(err))
	}
	db.Moved = func() error {
		now, err := os.Stat(path)
		if err == nil && os.SameFile(opened, now) {
			return nil
		}
		return &oms.Error{
			Op: "look for", Driver: db.Name, Target: path, Code: oms.ErrUnavailable,
			Err: errors.New("the file was deleted or replaced while it was open"),
		}
	}
	return db, nil
}

// sqliteDSN returns the connection string. Only the form with file: has a mode.
func sqliteDSN(path string, access Access) string {
	q := url.Values{"_error_rc": {"1"}, "_dqs": {"0"}}
	switch access {
	case ReadOnly:
		q.Set("mode", "ro")
		q.Set("_query_only", "1")
		q.Set("_busy_timeout", "900") // a poll returns within about a second
		return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
	case ReadWrite:
		q.Set("mode", "rw")
	case ReadWriteOrNew:
		q.Set("mode", "rwc")
	}
	q.Set("_busy_timeout", "2000")
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", "FULL")
	q.Set("_txlock", "immediate") // a transaction that reads first could not become a writer later
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// checkFile finds out beforehand what SQLite tells unclearly, or does not
// notice: it opens a directory, waits at a pipe, and creates what is missing.
// It does not open the file: closing it would take the locks away that other
// connections of this process have on it.
func checkFile(path string, access Access) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if access == ReadWriteOrNew {
			return checkFolder(filepath.Dir(path))
		}
		return fmt.Errorf("%w; the connector does not create it", fs.ErrNotExist)
	}
	if err != nil {
		return withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is not a regular file but %s", kindOf(info.Mode()))
	}
	return nil
}

func checkFolder(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: nor is its folder, which the connector does not create", fs.ErrNotExist)
	}
	if err == nil && !info.IsDir() {
		return errors.New("the folder it should be in is a file")
	}
	return withoutPath(err)
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// withoutPath drops the path that the error's target says already.
func withoutPath(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Quote uses backticks: SQLite takes a name in double quotes that it does not
// know for a string.
func (sqlite) Quote(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("a name must not be empty")
	case len(name) > maxName:
		return "", fmt.Errorf("the name %.40q… has %d bytes, over %d", name, len(name), maxName)
	case strings.ContainsRune(name, 0) || !utf8.ValidString(name):
		return "", fmt.Errorf("the name %q has a NUL character or is not UTF-8", name)
	case len(name) >= 7 && strings.EqualFold(name[:7], "sqlite_"):
		return "", fmt.Errorf("the name %q belongs to SQLite itself", name)
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`", nil
}

// Selected hides the declared type, for which the client library would turn
// dates into times that do not tell how they were written.
func (sqlite) Selected(identifier string) string { return "+" + identifier }

// Placeholder is the same for every parameter.
func (sqlite) Placeholder(int) string { return "?" }

// Upsert is SQLite's ON CONFLICT.
func (sqlite) Upsert(key, others []string) string {
	if len(others) == 0 {
		return " ON CONFLICT (" + strings.Join(key, ", ") + ") DO NOTHING"
	}
	sets := make([]string, len(others))
	for i, name := range others {
		sets[i] = name + " = excluded." + name
	}
	return " ON CONFLICT (" + strings.Join(key, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// restricted opens connections that may read and do nothing else: a query of
// the configuration could attach any other file.
type restricted struct{ driver.Connector }

func (r restricted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := r.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	reg, ok := conn.(sqlite3.AuthorizerRegisterer)
	if !ok {
		_ = conn.Close() // the reason comes with it
		return nil, errors.New("the client library has no authorizer")
	}
	return conn, reg.RegisterAuthorizer(authorizeReader)
}

func authorizeReader(action sqlite3.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite3.AuthorizerReturnCode {
	switch action { //nolint:exhaustive // what is not allowed is denied
	case sqlite3.AuthSelect, sqlite3.AuthRead, sqlite3.AuthRecursive, sqlite3.AuthTransaction:
		return sqlite3.AuthorizerOK
	case sqlite3.AuthFunction:
		if strings.EqualFold(arg2, "load_extension") {
			return sqlite3.AuthorizerDeny
		}
		return sqlite3.AuthorizerOK
	case sqlite3.AuthPragma:
		switch strings.ToLower(arg1) {
		case "table_list", "table_xinfo", "index_list", "index_xinfo", "data_version":
			return sqlite3.AuthorizerOK
		case "schema_version", "query_only":
			if arg2 == "" {
				return sqlite3.AuthorizerOK
			}
		}
	}
	return sqlite3.AuthorizerDeny
}
