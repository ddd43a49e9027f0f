package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

// A target is a table that rows are written to, and the statements for it.
type target struct {
	table   Table
	inserts map[string]*insertion // by their columns
	deletes map[string]*dbsql.Stmt

	// The insertion of the last row, whose columns most rows share.
	columns []row.Column
	last    *insertion
}

// An insertion is a statement that takes the values of a row in their order.
type insertion struct {
	*dbsql.Stmt
	key []int // the columns that must not be NULL
}

func (t *target) close() {
	for _, i := range t.inserts {
		_ = i.Close() // a statement has nothing to lose
	}
	for _, d := range t.deletes {
		_ = d.Close()
	}
}

// target returns the table for a topic. One that is missing is created from
// its first row if that is allowed; until there is a row, it is nil.
func (s *sink) target(ctx context.Context, topic string, r *row.Row) (*target, error) {
	if t, ok := s.targets[topic]; ok {
		return t, nil
	}
	name := strings.ReplaceAll(s.cfg.format, topicMark, topic)
	if _, err := s.db.Dialect.Quote(name); err != nil {
		return nil, s.refuse(name, oms.ErrInvalid, "%v; name the table with %s", err, keyFormat)
	}
	t, err := exactTable(ctx, s.db, name)
	switch {
	case oms.CodeOf(err) == oms.ErrNotFound && !s.cfg.create:
		return nil, fmt.Errorf("%w; create it, name another with %s, or set %s=true", err, keyFormat, keyAutoCreate)
	case oms.CodeOf(err) == oms.ErrNotFound && r == nil:
		return nil, nil //nolint:nilnil // no table is an answer, and its only use is next to the call
	case oms.CodeOf(err) == oms.ErrNotFound:
		if err := s.createTable(ctx, name, *r); err != nil {
			return nil, err
		}
		t, err = exactTable(ctx, s.db, name)
	}
	if err != nil {
		return nil, err
	}
	s.targets[topic] = &target{table: t, inserts: make(map[string]*insertion), deletes: make(map[string]*dbsql.Stmt)}
	return s.targets[topic], nil
}

// createTable makes a table with the columns of a row.
func (s *sink) createTable(ctx context.Context, name string, r row.Row) error {
	d := s.db.Dialect
	table, err := d.Quote(name)
	if err != nil {
		return s.refuse(name, oms.ErrInvalid, "%v", err)
	}
	key := s.keyOf(r.Columns)
	var parts, primary []string
	for _, c := range r.Columns {
		identifier, err := d.Quote(c.Name)
		if err != nil {
			return s.refuse(name, oms.ErrInvalid, "column %.100q: %v", c.Name, err)
		}
		isKey := slices.Contains(key, c.Name)
		definition := strings.TrimSpace(identifier + " " + d.ColumnType(c.Type, isKey))
		if isKey {
			definition += " NOT NULL"
			primary = append(primary, identifier)
		}
		parts = append(parts, definition)
	}
	if len(primary) < len(key) {
		return s.refuse(name, oms.ErrInvalid, "%s names columns that the row does not have; it has: %s", keyPrimary, rowColumns(r.Columns))
	}
	if primary != nil {
		parts = append(parts, "PRIMARY KEY ("+strings.Join(primary, ", ")+")")
	}
	_, err = s.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+table+" ("+strings.Join(parts, ", ")+")")
	return s.db.fail("create", "table "+name, err)
}

// keyOf returns the names of the columns that make the key of a row.
func (s *sink) keyOf(columns []row.Column) []string {
	if len(s.cfg.primary) > 0 {
		return s.cfg.primary
	}
	var names []string
	for _, c := range columns {
		if c.Key {
			names = append(names, c.Name)
		}
	}
	return names
}

func rowColumns(columns []row.Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return listed(names)
}

// insert returns the statement for rows with these columns.
func (t *target) insert(ctx context.Context, s *sink, columns []row.Column) (*insertion, error) {
	if t.last != nil && &t.columns[0] == &columns[0] && len(t.columns) == len(columns) {
		return t.last, nil // rows of one schema share their columns
	}
	id := fmt.Sprintf("%#v", columns)
	st, ok := t.inserts[id]
	if !ok {
		var err error
		if st, err = t.newInsertion(ctx, s, columns); err != nil {
			return nil, err
		}
		t.inserts[id] = st
	}
	t.columns, t.last = columns, st
	return st, nil
}

func (t *target) newInsertion(ctx context.Context, s *sink, columns []row.Column) (*insertion, error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	identifiers, exact, err := t.identifiers(s, names)
	if err != nil {
		return nil, err
	}
	st := &insertion{}
	var key, others []string
	keyNames := s.keyOf(columns)
	for i, c := range columns {
		if slices.Contains(keyNames, c.Name) {
			st.key = append(st.key, i)
			key = append(key, identifiers[i])
		} else {
			others = append(others, identifiers[i])
		}
	}
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = s.db.Dialect.Placeholder(i + 1)
	}
	table, err := s.db.Dialect.Quote(t.table.Name)
	if err != nil {
		return nil, s.refuse(t.table.Name, oms.ErrInvalid, "%v", err)
	}
	query := "INSERT INTO " + table + " (" + strings.Join(identifiers, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
	switch {
	case len(key) < len(keyNames):
		return nil, s.refuse(t.table.Name, oms.ErrInvalid, "%s names columns that the row does not have; it has: %s", keyPrimary, rowColumns(columns))
	case s.cfg.upsert:
		var own []string
		for _, i := range st.key {
			own = append(own, exact[i])
		}
		if err := t.checkKey(s, own); err != nil {
			return nil, err
		}
		query += s.db.Dialect.Upsert(key, others)
	default:
		// Only the table's own key must not be NULL: it would get a number.
		st.key = slices.DeleteFunc(st.key, func(i int) bool { return !slices.Contains(t.table.Primary, exact[i]) })
	}
	st.Stmt, err = s.db.PrepareContext(ctx, query)
	return st, s.db.fail("prepare", "table "+t.table.Name, err)
}

// deletion returns the statement that deletes the row with this key.
func (t *target) deletion(ctx context.Context, s *sink, names []string) (*dbsql.Stmt, error) {
	id := fmt.Sprintf("%q", names)
	if st, ok := t.deletes[id]; ok {
		return st, nil
	}
	identifiers, exact, err := t.identifiers(s, names)
	if err != nil {
		return nil, err
	}
	if len(s.cfg.primary) > 0 && !sameSet(s.cfg.primary, names) {
		return nil, s.refuse(t.table.Name, oms.ErrInvalid, "the message's key has the columns %s, but %s says %s",
			listed(names), keyPrimary, listed(s.cfg.primary))
	}
	if err := t.checkKey(s, exact); err != nil {
		return nil, err
	}
	table, err := s.db.Dialect.Quote(t.table.Name)
	if err != nil {
		return nil, s.refuse(t.table.Name, oms.ErrInvalid, "%v", err)
	}
	for i := range identifiers {
		identifiers[i] += " = " + s.db.Dialect.Placeholder(i+1)
	}
	st, err := s.db.PrepareContext(ctx, "DELETE FROM "+table+" WHERE "+strings.Join(identifiers, " AND "))
	if err != nil {
		return nil, s.db.fail("prepare", "table "+t.table.Name, err)
	}
	t.deletes[id] = st
	return st, nil
}

// identifiers returns the columns of the table that have these names: quoted,
// and as the table spells them.
func (t *target) identifiers(s *sink, names []string) (quoted, exact []string, err error) {
	for _, name := range names {
		c, ok := column(t.table.Columns, name)
		if !ok {
			return nil, nil, s.refuse(t.table.Name, oms.ErrNotFound,
				"there is no column %.100q; its columns are: %s. Add the column to the table, or leave it out at the source", name, columnNames(t.table.Columns))
		}
		identifier, err := s.db.Dialect.Quote(c.Name)
		if err != nil {
			return nil, nil, s.refuse(t.table.Name, oms.ErrInvalid, "%v", err)
		}
		quoted, exact = append(quoted, identifier), append(exact, c.Name)
	}
	return quoted, exact, nil
}

// checkKey makes sure that a key stands for one row of the table.
func (t *target) checkKey(s *sink, key []string) error {
	if len(key) == 0 {
		return s.refuse(t.table.Name, oms.ErrInvalid, "the row has no key to replace others by: name its columns in %s", keyPrimary)
	}
	if slices.ContainsFunc(t.table.Unique, func(unique []string) bool { return sameSet(unique, key) }) {
		return nil
	}
	var has []string
	for _, unique := range t.table.Unique {
		has = append(has, "("+strings.Join(unique, ", ")+")")
	}
	return s.refuse(t.table.Name, oms.ErrInvalid,
		"it has no primary key or unique index of just the columns (%s), by which a row could be replaced; it has: %s. Create one, or name its columns in %s",
		strings.Join(key, ", "), listed(has), keyPrimary)
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x string) bool { return !slices.Contains(b, x) })
}
