package sql_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

// other is a database that is SQLite underneath, and differs in what other
// databases differ in: numbered placeholders, quotes, no row identifiers, no
// version of the tables.
type other struct{ sql.Dialect }

func (o other) Open(ctx context.Context, u *url.URL, access sql.Access) (*sql.Database, error) {
	db, err := o.Dialect.Open(ctx, u, access)
	if err == nil {
		db.Dialect, db.Name = o, "other"
	}
	return db, err
}

func (other) Placeholder(n int) string { return fmt.Sprintf("?%d", n) }

func (other) Quote(name string) (string, error) {
	if strings.Contains(name, "\"") {
		return "", fmt.Errorf("the name %q has a quote", name)
	}
	return `"` + name + `"`, nil
}

func (other) Selected(identifier string) string { return "(" + identifier + ")" }

func (other) Version(context.Context, *sql.Database) (string, error) { return "", nil }

func (o other) Table(ctx context.Context, db *sql.Database, name string) (sql.Table, error) {
	t, err := o.Dialect.Table(ctx, db, name)
	t.RowID = ""
	return t, err
}

func (other) ColumnType(t row.Type, key bool) string {
	if key {
		return "VARCHAR(200)" // as MySQL cannot index a TEXT
	}
	return sql.SQLite.ColumnType(t, key)
}

func TestAnotherDialectNeedsNothingButItsMethods(t *testing.T) {
	t.Cleanup(sql.WithDialect("other", other{sql.SQLite}))
	path, db := create(t, rows,
		"CREATE TABLE keyed (a TEXT NOT NULL, b INTEGER NOT NULL, ts TEXT, PRIMARY KEY (b, a))",
		"INSERT INTO keyed SELECT 'k' || value % 3, value, stamp FROM rows",
		"CREATE TABLE plain (n INTEGER, ts TEXT)",
		"INSERT INTO plain SELECT value, stamp FROM rows")
	address := "other://" + path
	for _, pairs := range [][]string{
		{"table.whitelist", "keyed"},
		{"table.whitelist", "plain"},
		{"table.whitelist", "keyed", "mode", "incrementing", "incrementing.column.name", "b"},
		{"table.whitelist", "plain", "mode", "timestamp", "timestamp.column.name", "ts"},
		{"query", "SELECT * FROM plain", "mode", "timestamp+incrementing", "timestamp.column.name", "ts", "incrementing.column.name", "n"},
	} {
		kv := config(path, append(pairs, "connection.url", address, "batch.max.rows", "6")...)
		if msgs, _ := pollAll(t, startSource(t, kv)); len(msgs) != 40 {
			t.Errorf("%v: %d of 40 rows", pairs, len(msgs))
		}
	}

	sink := startSink(t, oms.KeyValue{
		"connection.url": address, "insert.mode": "upsert", "auto.create": "true", "delete.enabled": "true",
	})
	columns := []string{"a text key", "b int64 key", "v any"}
	first := message(t, "made", 1, columns, "x", int64(1), "one")
	put(t, sink, first, message(t, "made", 2, columns, "x", int64(2), "two"), message(t, "made", 3, columns, "x", int64(1), "changed"))
	want(t, query(t, db, "SELECT * FROM made ORDER BY b"), "x 1 changed", "x 2 two")
	put(t, sink, &oms.Message{Topic: "made", Key: first.Key})
	want(t, query(t, db, "SELECT * FROM made"), "x 2 two")
	want(t, query(t, db, "SELECT name, type FROM pragma_table_info('made')"), "a VARCHAR(200)", "b VARCHAR(200)", "v ")
	err := sink.Put(t.Context(), []*oms.Message{message(t, `a"b`, 1, columns, "x", int64(1), nil)})
	wantError(t, err, oms.ErrInvalid, "has a quote")
	_, err = trySource(t, config(path, "connection.url", "mysql://h/db", "table.whitelist", "t"))
	wantError(t, err, oms.ErrInvalid, "known schemes: other, sqlite")
}

func TestTablesAreDescribedAsTheyAre(t *testing.T) {
	path, _ := create(t,
		`CREATE TABLE "all types" (i INT, b BIGINT UNSIGNED, f FLOAT, d DOUBLE, r REAL, n NUMERIC(10,2), s STRING, v VARCHAR(5),
			c NCHAR, x CLOB, l BLOB, z, o BOOL, da DATE, t TIME, dt DATETIME, ts TIMESTAMP, tz TIMESTAMPTZ, p "FLOATING POINT", dec decimal)`,
		"CREATE TABLE strict (id INTEGER PRIMARY KEY, a ANY) STRICT",
		"CREATE TABLE generated (a INTEGER, b INTEGER AS (a * 2) STORED, c TEXT AS ('x' || a) VIRTUAL)",
		"CREATE VIRTUAL TABLE search USING fts5(title, body)",
		"CREATE TEMP TABLE hidden (a)",
		"CREATE VIEW view AS SELECT i, i + 1 AS more FROM `all types`")
	describe := func(pairs ...string) string {
		t.Helper()
		run(t, open(t, path),
			"DELETE FROM `all types`", "INSERT INTO `all types` (i) VALUES (1)",
			"DELETE FROM strict", "INSERT INTO strict VALUES (1, 'x')",
			"DELETE FROM generated", "INSERT INTO generated (a) VALUES (4)",
			"DELETE FROM search", "INSERT INTO search VALUES ('a title', 'a body')")
		msgs, _ := pollAll(t, startSource(t, config(path, pairs...)))
		if len(msgs) != 1 {
			t.Fatalf("%v: %d rows", pairs, len(msgs))
		}
		r, err := row.Decode(msgs[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		var columns []string
		for _, c := range r.Columns {
			text := c.Name + " " + string(c.Type)
			if c.Key {
				text += " key"
			}
			columns = append(columns, text)
		}
		return r.Table + ": " + strings.Join(columns, ", ")
	}
	for table, wanted := range map[string]string{
		"ALL TYPES": "all types: i int64, b int64, f float64, d float64, r float64, n decimal, s decimal, v text, " +
			"c text, x text, l bytes, z any, o boolean, da date, t time, dt timestamp, ts timestamp, tz timestamptz, p int64, dec decimal",
		"strict":    "strict: id int64 key, a any",
		"generated": "generated: a int64, b int64, c text",
		"search":    "search: title any, body any",
		"view":      "view: i int64, more any",
	} {
		if diff := cmp.Diff(wanted, describe("table.whitelist", table)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", table, diff)
		}
	}
	got := describe("query", "SELECT count(*) AS n, id, a || '!' AS `loud a` FROM strict GROUP BY id", "key.columns", "ID")
	if wanted := ": n any, id int64 key, loud a any"; got != wanted {
		t.Errorf("the query is described as %q, want %q", got, wanted)
	}
	_, err := trySource(t, config(path, "table.whitelist", "hidden"))
	wantError(t, err, oms.ErrNotFound, "all types, generated, search, strict, view")
}

func TestPositionsKeepAnyValue(t *testing.T) {
	places := []sql.Place{sql.PlaceOf("timestamp", "ts"), sql.PlaceOf("incrementing", "n"), sql.PlaceOf("key", "b"), sql.PlaceOf("key", "a")}
	for _, values := range [][]any{
		{"2020-01-01 00:00:00", int64(5), "x", "y"},
		{row.Timestamp("2020-01-01T00:00:00.123"), int64(1<<63 - 1), []byte{0xff}, "\xff\x00"},
		{1.5, row.Decimal("12345678901234567890"), true, "\u2028\"}{"},
		{int64(0), int64(0), "", []byte{}},
	} {
		for _, version := range []string{"", "17"} {
			position, err := sql.FormatPosition(places, values, version)
			if err != nil {
				t.Fatal(err)
			}
			canonical, err := oms.CanonicalObject(rawJSON(position))
			if err != nil || canonical != position {
				t.Errorf("position %s should be %s (%v)", position, canonical, err)
			}
			back, gotVersion, err := sql.ParsePosition(places, position)
			if err != nil || gotVersion != version {
				t.Errorf("%s: version %q, %v", position, gotVersion, err)
			}
			if diff := cmp.Diff(values, back); diff != "" {
				t.Errorf("%s (-written +read):\n%s", position, diff)
			}
		}
	}
}

func TestTimeZoneOfTheDatabaseIsHeeded(t *testing.T) {
	path, _ := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, ts)",
		"INSERT INTO t VALUES (1, strftime('%Y-%m-%d %H:%M:%S', 'now', '+8 hours'))")
	for zone, wanted := range map[string]int{"UTC": 0, "Asia/Tokyo": 1, "America/New_York": 0} {
		msgs, _ := pollAll(t, startSource(t, config(path, "table.whitelist", "t", "db.timezone", zone,
			"mode", "timestamp", "timestamp.column.name", "ts")))
		if len(msgs) != wanted {
			t.Errorf("%s: %d rows of eight hours ahead of UTC, want %d", zone, len(msgs), wanted)
		}
	}
}
