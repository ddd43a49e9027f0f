package sql

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

// A Dialect is what differs from database to database. Its methods are safe
// for concurrent use.
type Dialect interface {
	// Check returns what is wrong with a URL, without any I/O.
	Check(u *url.URL) error
	// Open opens and tries a database. Its errors do not contain the URL.
	Open(ctx context.Context, u *url.URL, access Access) (*Database, error)

	// Tables returns the names of the tables and views.
	Tables(ctx context.Context, db *Database) ([]string, error)
	// Table describes a table or view by its exact name.
	Table(ctx context.Context, db *Database, name string) (Table, error)
	// Query describes the columns of a query.
	Query(ctx context.Context, db *Database, query string) ([]Column, error)
	// Version returns something that changes whenever Table could answer
	// differently, or the rows get other row identifiers.
	Version(ctx context.Context, db *Database) (string, error)

	// Quote returns a name as an identifier, or why it cannot be one.
	Quote(name string) (string, error)
	// Selected returns how a column is selected so that the client library
	// leaves its values alone.
	Selected(identifier string) string
	// Placeholder returns the n-th parameter of a statement, from 1.
	Placeholder(n int) string
	// ColumnType returns the type of a column in CREATE TABLE.
	ColumnType(t row.Type, key bool) string
	// Upsert returns what follows INSERT INTO … VALUES (…) so that a row
	// replaces the one of the same key. All names are identifiers already.
	Upsert(key, others []string) string

	// Read turns a value of the client library into one of a row, for a column
	// of type t. Bind would turn it back.
	Read(t row.Type, v any) any
	// Bind turns a value of a row into one for the client library.
	Bind(v any) (any, error)
	// Code classifies an error of the client library.
	Code(err error) oms.Code
}

// Access is what a database is opened for.
type Access int

// The kinds of access.
const (
	ReadOnly       Access = iota
	ReadWrite             // of an existing database
	ReadWriteOrNew        // a missing database is created, where that is usual
)

// A Database is an open database.
type Database struct {
	*dbsql.DB
	Dialect Dialect
	Name    string // for errors: what of the URL is no secret
	// Moved returns an error when what was opened is not what the URL names
	// any more.
	Moved func() error
}

// fail gives an error of the database its code, and says where it happened.
func (db *Database) fail(op, target string, err error) error {
	if err == nil || oms.CodeOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &oms.Error{Op: op, Driver: db.Name, Target: target, Code: db.Dialect.Code(err), Err: err}
}

// A Table is a table or a view.
type Table struct {
	Name    string
	Columns []Column
	// Primary is the primary key, in its order; nil if there is none.
	Primary []string
	// Unique has the sets of columns by which a row can be replaced, the
	// primary key among them.
	Unique [][]string
	// Paging is what the rows can be read in pages by: never NULL, unique, and
	// the same after a restart. Nil if there is nothing of the kind.
	Paging []Order
	// RowID is what the rows can be read in pages by as long as Version does
	// not change. "" if there is nothing of the kind.
	RowID string
}

// A Column is a column of a table or a query.
type Column struct {
	Name string
	Type row.Type
	// NotNull says that the column is declared to have no NULL.
	NotNull bool
}

// An Order is a column that rows are ordered by.
type Order struct {
	Column string
	// Suffix stands behind the identifier, as in COLLATE NOCASE.
	Suffix string
}

// column returns the column of that name, in the spelling of the database,
// which is not always that of whoever asks.
func column(columns []Column, name string) (Column, bool) {
	i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		i = slices.IndexFunc(columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
	}
	if i < 0 {
		return Column{}, false
	}
	return columns[i], true
}

func columnNames(columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return listed(names)
}

// listed lists names for an error, but not a whole catalogue.
func listed(names []string) string {
	const most = 20
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// dialects are the dialects by the scheme of their URLs.
var dialects = map[string]Dialect{"sqlite": sqlite{}}

// parseURL returns the dialect of a URL. Its errors do not quote the URL,
// which may hold a password.
func parseURL(s string) (*url.URL, Dialect, error) {
	known := strings.Join(slices.Sorted(maps.Keys(dialects)), ", ")
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return nil, nil, fmt.Errorf("not a URL such as sqlite:///path/x.db (characters like %% and # in it are percent-encoded); known schemes: %s", known)
	}
	d, ok := dialects[u.Scheme]
	if !ok {
		return nil, nil, fmt.Errorf("no database has the scheme %.40q; known schemes: %s", u.Scheme, known)
	}
	return u, d, d.Check(u)
}

// checkURL is parseURL for the definition of a key.
func checkURL(s string) error {
	_, _, err := parseURL(s)
	return err
}

// open opens the database of a URL that has been checked.
func open(ctx context.Context, s string, access Access) (*Database, error) {
	u, d, err := parseURL(s)
	if err != nil {
		return nil, oms.KeyErrors{{Key: keyURL, Problem: err.Error()}}
	}
	return d.Open(ctx, u, access)
}

// exactTable returns the table of that name, upper and lower case aside, or an
// error that lists those that exist.
func exactTable(ctx context.Context, db *Database, name string) (Table, error) {
	names, err := db.Dialect.Tables(ctx, db)
	if err != nil {
		return Table{}, db.fail("list tables", "", err)
	}
	i := slices.Index(names, name)
	if i < 0 {
		i = slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	if i < 0 {
		return Table{}, &oms.Error{
			Op: "find table", Driver: db.Name, Target: name, Code: oms.ErrNotFound,
			Err: fmt.Errorf("there is no table of that name; there are: %s", listed(names)),
		}
	}
	t, err := db.Dialect.Table(ctx, db, names[i])
	return t, db.fail("describe table", name, err)
}
