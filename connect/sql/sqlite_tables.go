package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"strings"
)

// Tables leaves out SQLite's own tables.
func (sqlite) Tables(ctx context.Context, db *Database) ([]string, error) {
	return collect(ctx, db, scanName,
		"SELECT name FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
}

// Version is the schema cookie. VACUUM, which may number rows anew, changes it
// as well.
func (sqlite) Version(ctx context.Context, db *Database) (version string, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version)
	return version, err
}

// sqliteColumn is a column with its place in the primary key, from 1, or 0.
type sqliteColumn struct {
	Column
	declared string
	key      int
}

// Table finds out what a table has, and what its rows can be paged by.
func (d sqlite) Table(ctx context.Context, db *Database, name string) (Table, error) {
	t := Table{Name: name}
	var kind string
	var withoutRowID bool
	err := db.QueryRowContext(ctx, "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", name).Scan(&kind, &withoutRowID)
	if err != nil {
		return t, err
	}
	columns, err := collect(ctx, db, scanColumn,
		"SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", name)
	if err != nil {
		return t, err
	}
	key := slices.DeleteFunc(slices.Clone(columns), func(c sqliteColumn) bool { return c.key == 0 })
	slices.SortFunc(key, func(a, b sqliteColumn) int { return a.key - b.key })
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	neverNull := len(key) > 0
	for _, c := range key {
		t.Primary = append(t.Primary, c.Name)
		neverNull = neverNull && (withoutRowID || c.NotNull)
	}
	if kind != "table" {
		return t, nil
	}
	indexed, err := d.unique(ctx, db, &t)
	switch {
	case err != nil:
		return t, err
	case indexed != nil && neverNull:
		t.Paging = indexed
	case indexed == nil && len(key) == 1:
		// A primary key that needs no index is the row identifier itself.
		t.Unique = append(t.Unique, t.Primary)
		t.Paging = []Order{{Column: t.Primary[0]}}
	case !withoutRowID:
		t.RowID = rowID(columns)
	}
	return t, nil
}

// unique finds the sets of columns that are unique by an index, and the
// columns of the primary key's with the collation that makes them so.
func (d sqlite) unique(ctx context.Context, db *Database, t *Table) (primary []Order, err error) {
	indexes, err := collect(ctx, db, scanIndex,
		"SELECT name, origin FROM pragma_index_list(?) WHERE \"unique\" AND NOT partial ORDER BY seq", t.Name)
	if err != nil {
		return nil, err
	}
	for _, index := range indexes {
		columns, err := collect(ctx, db, scanOrder, "SELECT name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno", index[0])
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(columns, func(o Order) bool { return o.Column == "" }) {
			continue // an expression
		}
		names := make([]string, len(columns))
		for i, o := range columns {
			names[i] = o.Column
		}
		t.Unique = append(t.Unique, names)
		if index[1] == "pk" {
			primary = columns
		}
	}
	return primary, nil
}

// rowID returns the name of the row identifier that no column has taken.
func rowID(columns []sqliteColumn) string {
	for _, name := range []string{"rowid", "oid", "_rowid_"} {
		if !slices.ContainsFunc(columns, func(c sqliteColumn) bool { return strings.EqualFold(c.Name, name) }) {
			return name
		}
	}
	return ""
}

// Query prepares the query and looks at its columns.
func (sqlite) Query(ctx context.Context, db *Database, query string) (_ []Column, err error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM ("+query+"\n) LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // there are none
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns := make([]Column, len(types))
	for i, c := range types {
		columns[i] = Column{Name: c.Name(), Type: sqliteType(c.DatabaseTypeName())}
	}
	return columns, rows.Err()
}

func scanName(rows *dbsql.Rows) (name string, err error) {
	err = rows.Scan(&name)
	return name, err
}

func scanColumn(rows *dbsql.Rows) (c sqliteColumn, err error) {
	err = rows.Scan(&c.Name, &c.declared, &c.NotNull, &c.key)
	c.Type = sqliteType(c.declared)
	return c, err
}

func scanIndex(rows *dbsql.Rows) (index [2]string, err error) {
	err = rows.Scan(&index[0], &index[1])
	return index, err
}

func scanOrder(rows *dbsql.Rows) (Order, error) {
	var name, collation dbsql.NullString
	err := rows.Scan(&name, &collation)
	o := Order{Column: name.String}
	if collation.String != "" {
		o.Suffix = " COLLATE `" + strings.ReplaceAll(collation.String, "`", "``") + "`"
	}
	return o, err
}

// collect runs a query and scans all its rows.
func collect[T any](ctx context.Context, db *Database, scan func(*dbsql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // the loop has seen its error
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read what the database says of itself: %w", err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
