package integration

import (
	"database/sql"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver named sqlite
)

const rowsConfig = `
connectors:
  from:
    connector.class: sql-source
    connection.url: sqlite:from.db
    table.whitelist: odd
    mode: timestamp+incrementing
    incrementing.column.name: id
    timestamp.column.name: changed
    poll.interval.ms: 100
    topic.prefix: db-
  to:
    connector.class: sql-sink
    connection.url: sqlite:to.db
    topics: db-odd
    insert.mode: upsert
    auto.create: true
    table.name.format: copy
`

// TestAwkwardRowsArriveEqual moves rows of values that are easily changed on
// the way from one database into another, by a real gateway, then an update
// and an insert.
func TestAwkwardRowsArriveEqual(t *testing.T) {
	total := Count(5_000, 100_000)
	g := newGateway(t, "-c", "gateway.yaml")
	g.File("gateway.yaml", rowsConfig)
	from := openDB(t, g.Path("from.db"))
	execute(t, from, `CREATE TABLE odd (id INTEGER PRIMARY KEY, n BIGINT, r DOUBLE, s TEXT, b BLOB, f BOOLEAN, d DATE, at TIMESTAMP, changed INTEGER NOT NULL)`)
	execute(t, from, `INSERT INTO odd
		WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?)
		SELECT i,
			CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN 9007199254740993 WHEN 2 THEN -9223372036854775808 WHEN 3 THEN 9223372036854775807 ELSE i * 4611686018427387 END,
			CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 0.1 + i WHEN 2 THEN 1e308 WHEN 3 THEN 5e-324 WHEN 4 THEN -0.0 ELSE i / 3.0 END,
			CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'null' WHEN 3 THEN 'a"b''c\d' || char(9, 10, 13) WHEN 4 THEN 'snow ☃ 😀' WHEN 5 THEN '00123' WHEN 6 THEN 'true' WHEN 7 THEN '<&>' ELSE 'row ' || i END,
			CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN x'' WHEN 2 THEN x'00ff80fe' WHEN 3 THEN randomblob(64) ELSE zeroblob(3) END,
			CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE 1 END,
			CASE i % 4 WHEN 0 THEN NULL ELSE date('1600-02-28', '+' || i || ' days') END,
			CASE i % 4 WHEN 1 THEN NULL ELSE strftime('%Y-%m-%d %H:%M:%f', 1700000000 + i, 'unixepoch') END,
			1
		FROM c`, total)
	g.Start()
	to := openDB(t, g.Path("to.db"))
	equal := func() bool { return count(to, "copy") == count(from, "odd") }
	g.Until("all rows", equal)
	wantSameRows(t, from, to)

	execute(t, from, `UPDATE odd SET s = 'changed', n = 9007199254740995, changed = 2 WHERE id = 17`)
	execute(t, from, `INSERT INTO odd (id, s, changed) VALUES (?, 'new', 2)`, total+1)
	g.Until("the update and the insert", func() bool { return equal() && count(to, "copy WHERE s = 'changed'") == 1 })
	wantSameRows(t, from, to)

	g.Want(http.StatusNoContent, http.MethodPost, "/connectors/to/restart", "")
	g.Kill()
	g.Start()
	execute(t, from, `INSERT INTO odd (id, s, changed) VALUES (?, 'after the kill', 3)`, total+2)
	g.Until("the row after the kill", equal)
	wantSameRows(t, from, to)
	g.Term()
}

func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func execute(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// count counts the rows of a table; -1 while there is none.
func count(db *sql.DB, from string) (n int) {
	if err := db.QueryRow("SELECT count(*) FROM " + from).Scan(&n); err != nil {
		return -1
	}
	return n
}

// wantSameRows compares two tables by the types and the literals that SQLite
// itself has for their values.
func wantSameRows(t *testing.T, from, to *sql.DB) {
	t.Helper()
	if diff := cmp.Diff(literals(t, from, "odd"), literals(t, to, "copy")); diff != "" {
		t.Fatalf("-source +copy:\n%.4000s", diff)
	}
}

func literals(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	query := "SELECT "
	for i, column := range []string{"id", "n", "r", "s", "b", "f", "d", "at", "changed"} {
		if i > 0 {
			query += " || ' ' || "
		}
		query += fmt.Sprintf("typeof(%[1]s) || ' ' || quote(%[1]s)", column)
	}
	rows, err := db.QueryContext(t.Context(), query+" FROM "+table+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
