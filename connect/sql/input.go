package sql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

// An input is one table, view or query that a source reads, and how far it
// has come with it. It belongs to the goroutine of the source.
type input struct {
	db   *Database
	cfg  *sourceConfig
	log  *slog.Logger
	name string // as configured, "" for the query

	// What describe finds out.
	version   string
	partition string
	topic     string
	columns   []Column
	encoder   *row.Encoder
	from      string     // the table as an identifier, or the query in parentheses
	places    []place    // what the rows are ordered by; nil if they are read in one go
	orders    []string   // their identifiers, as in ORDER BY
	types     []row.Type // of columns and places
	unique    bool       // no two rows have the same values in these places
	byRowID   bool       // the places hold no longer than the version

	after  []any // the values of the places in the last row; nil at the beginning
	done   bool  // all rows have been read, in bulk
	cursor cursor
	nulls  int64     // rows that were warned about
	future time.Time // the timestamp that was warned about
}

// describe looks up the table or query, and decides what to order it by.
func (in *input) describe(ctx context.Context) error {
	version, err := in.db.Dialect.Version(ctx, in.db)
	if err != nil {
		return in.db.fail("read the version of", in.name, err)
	}
	t := Table{}
	if in.name == "" {
		t.Columns, err = in.db.Dialect.Query(ctx, in.db, in.cfg.query)
		in.from = "(" + in.cfg.query + "\n) AS q" // the query may end with a comment
	} else {
		t, err = exactTable(ctx, in.db, in.name)
	}
	if err != nil {
		return in.db.fail("prepare "+in.key(), in.name, fmt.Errorf("%s: %w", in.key(), err))
	}
	if in.name != "" {
		if in.from, err = in.db.Dialect.Quote(t.Name); err != nil {
			return in.problem(keyTables, "%v", err)
		}
	}
	in.version, in.columns = version, t.Columns
	if in.partition, err = partitionOf(t.Name, in.cfg.query); err != nil {
		return err
	}
	if in.topic = in.cfg.topic; in.topic == "" {
		in.topic = in.cfg.prefix + t.Name
		if err := oms.ValidTopic(in.topic); err != nil {
			return in.problem(keyPrefix, "%v; give a %s", err, keyTopic)
		}
	}
	if err := in.describeRow(t); err != nil {
		return err
	}
	if err := in.describeOrder(t); err != nil {
		return err
	}
	in.types = nil
	for _, c := range in.columns {
		in.types = append(in.types, c.Type)
	}
	for _, p := range in.places {
		c, _ := column(in.columns, p.column) // a row identifier is none, and any
		in.types = append(in.types, c.Type)
	}
	return nil
}

// key returns the key that names the input.
func (in *input) key() string {
	if in.name == "" {
		return keyQuery
	}
	return keyTables
}

func (in *input) describeRow(t Table) error {
	names := in.cfg.key
	if len(names) == 0 {
		names = t.Primary
	}
	columns := make([]row.Column, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = row.Column{Name: c.Name, Type: c.Type}
	}
	for _, name := range names {
		c, ok := column(t.Columns, name)
		if !ok {
			return in.noColumn(keyColumns, name)
		}
		columns[slices.Index(t.Columns, c)].Key = true
	}
	var err error
	if in.encoder, err = row.NewEncoder(t.Name, columns); err != nil {
		return in.problem(in.key(), "%v", err)
	}
	return nil
}

func (in *input) describeOrder(t Table) error {
	in.places, in.orders, in.unique, in.byRowID = nil, nil, false, false
	for _, by := range []struct{ key, part, name string }{
		{keyTimestamp, partTimestamp, in.cfg.timestamp}, {keyIncrementing, partIncrementing, in.cfg.incrementing},
	} {
		if by.name == "" {
			continue
		}
		c, ok := column(t.Columns, by.name)
		if !ok {
			return in.noColumn(by.key, by.name)
		}
		if err := in.orderBy(by.part, Order{Column: c.Name}); err != nil {
			return err
		}
	}
	switch {
	case t.Paging != nil:
		in.unique = true
		for _, o := range t.Paging {
			if err := in.orderBy(partKey, o); err != nil {
				return err
			}
		}
	case in.cfg.bulk && t.RowID != "":
		in.unique, in.byRowID = true, true
		return in.orderBy(partKey, Order{Column: t.RowID})
	}
	return nil
}

// orderBy orders by one more column. One that is there already only gets the
// collation by which it is unique.
func (in *input) orderBy(part string, o Order) error {
	identifier, err := in.db.Dialect.Quote(o.Column)
	if err != nil {
		return in.problem(in.key(), "%v", err)
	}
	if i := slices.IndexFunc(in.places, func(p place) bool { return p.column == o.Column }); i >= 0 {
		in.orders[i] = identifier + o.Suffix
		return nil
	}
	in.places = append(in.places, place{part, o.Column})
	in.orders = append(in.orders, identifier+o.Suffix)
	return nil
}

func (in *input) noColumn(key, name string) error {
	return in.problem(key, "there is no column %.100q in %s; its columns are: %s", name, in.what(), columnNames(in.columns))
}

func (in *input) what() string {
	if in.name == "" {
		return "the query"
	}
	return "table " + in.name
}

// problem returns an error about a key that only the database shows.
func (in *input) problem(key, format string, args ...any) error {
	return &oms.Error{
		Op: "prepare", Driver: in.db.Name, Target: in.what(), Code: oms.ErrNotFound,
		Err: oms.KeyErrors{{Key: key, Problem: fmt.Sprintf(format, args...)}},
	}
}

// seek goes on behind a stored position.
func (in *input) seek(position string) error {
	values, version, err := parsePosition(in.places, position)
	switch {
	case err != nil:
		return badPosition(in.partition, err)
	case values == nil && !in.cfg.bulk:
		return badPosition(in.partition, mismatch(in.places, position))
	case values == nil:
		in.done = true
	case in.byRowID && version != in.version:
		in.log.Warn("the database has changed, and the table has no key to go on by: reading it from the beginning", "table", in.name)
	case len(values) > 0:
		in.after = values
	}
	return nil
}

// redescribe looks the input up again after a change of the database.
func (in *input) redescribe(ctx context.Context) error {
	fresh := *in
	if in.byRowID && in.after != nil {
		fresh.after = nil // the rows may have other identifiers: repeat them, lose none
		in.log.Warn("the database has changed, and the table has no key to go on by: reading it again", "table", in.name)
	}
	if err := fresh.describe(ctx); err != nil {
		return err
	}
	if fresh.after != nil && !slices.Equal(fresh.places, in.places) {
		return badPosition(in.partition, errors.New("the table's key is another one now"))
	}
	*in = fresh
	return nil
}

// statement returns the query for a page behind the last row.
func (in *input) statement(limit int) (query string, args []any, err error) {
	d := in.db.Dialect
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range in.columns {
		identifier, err := d.Quote(c.Name)
		if err != nil {
			return "", nil, in.problem(in.key(), "%v; give the column another name with AS", err)
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.Selected(identifier))
	}
	for _, p := range in.places {
		identifier, err := d.Quote(p.column)
		if err != nil {
			return "", nil, err
		}
		b.WriteString(", " + d.Selected(identifier))
	}
	b.WriteString(" FROM " + in.from)
	var where, marks []string
	for i, p := range in.places {
		if p.part != partKey {
			where = append(where, in.orders[i]+" IS NOT NULL")
		}
	}
	if in.after != nil {
		for i, v := range in.after {
			marks = append(marks, d.Placeholder(i+1))
			bound, err := d.Bind(v)
			if err != nil {
				return "", nil, err
			}
			args = append(args, bound)
		}
		where = append(where, tuple(in.orders)+" > "+tuple(marks))
	}
	if where != nil {
		b.WriteString(" WHERE " + strings.Join(where, " AND "))
	}
	if in.places != nil {
		fmt.Fprintf(&b, " ORDER BY %s LIMIT %d", strings.Join(in.orders, ", "), limit)
	}
	return b.String(), args, nil
}

func tuple(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return "(" + strings.Join(list, ", ") + ")"
}
