package sql_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

func TestOneStatementIsTakenAndNoMore(t *testing.T) {
	for query, wanted := range map[string]string{
		"SELECT 1":                       "SELECT 1",
		" SELECT 1 ; ":                   "SELECT 1",
		"SELECT 1 -- end":                "SELECT 1 -- end",
		"SELECT ';' -- ;":                "SELECT ';' -- ;",
		"SELECT 'it''s; (' AS [a;(] ;--": "SELECT 'it''s; (' AS [a;(]",
		"SELECT (1), `;)` /* ;( */;":     "SELECT (1), `;)` /* ;( */",
	} {
		if got, err := sql.OneStatement(query); got != wanted || err != nil {
			t.Errorf("%q: %q, %v; want %q", query, got, err, wanted)
		}
	}
	for _, query := range []string{"", ";", "a;b", "a; 'b'", "a)", "(a", ")(", "'a", `"a`, "[a", "`a", "/* a", "a\x00"} {
		got, err := sql.OneStatement(query)
		if err == nil {
			t.Errorf("%q was taken as %q", query, got)
		}
	}
}

// FuzzOneStatement holds that what is taken is a statement by itself if it is
// one in parentheses: it does not play with them.
func FuzzOneStatement(f *testing.F) {
	_, db := create(f, "CREATE TABLE t (id)")
	for _, seed := range []string{"SELECT 1", "SELECT 1) UNION SELECT (2", "SELECT '\\') --'", "SELECT \"a\"\";\"[]]`", "SELECT 1 --\n/* */;"} {
		f.Add(seed)
	}
	prepares := func(query string) error {
		rows, err := db.Query("EXPLAIN " + query)
		if err == nil {
			err = rows.Close()
		}
		return err
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := sql.OneStatement(query)
		if err != nil || !strings.HasPrefix(strings.ToUpper(q), "SELECT") || prepares("SELECT * FROM ("+q+"\n)") != nil {
			return
		}
		if err := prepares(q); err != nil {
			t.Errorf("%q was taken as %q, which is no statement: %v", query, q, err)
		}
	})
}

func TestTimestampsOfAllKindsAreUnderstood(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value any
		zone  *time.Location
		want  time.Time
	}{
		{"2024-02-29 12:30:00", time.UTC, at.Add(time.Second)},
		{"2024-02-29T12:30:00.5", time.UTC, at.Add(600 * time.Millisecond)},
		{"2024-02-29 13:30:00", rome, at.Add(time.Second)},
		{"2024-02-29 12:30:00Z", rome, at.Add(time.Second)},
		{"2024-02-29 14:30:00.000+02:00", time.UTC, at.Add(time.Millisecond)},
		{"2024-02-29 12:30", time.UTC, at.Add(time.Minute)},
		{row.Timestamp("2024-02-29T12:30:00.123456789"), time.UTC, at.Add(123456790)},
		{row.TimestampTZ("2024-02-29T13:30:00+01:00"), time.UTC, at.Add(time.Second)},
		{at.Unix(), time.UTC, at.Add(time.Second)},
		{at.UnixMilli(), time.UTC, at.Add(time.Millisecond)},
		{at.UnixMicro(), time.UTC, at.Add(time.Microsecond)},
		{at.UnixNano(), time.UTC, at.Add(1)},
		{row.Decimal("1709209800"), time.UTC, at.Add(time.Second)},
		{float64(at.Unix()) + 0.25, time.UTC, at.Add(251 * time.Millisecond)},
		{row.Decimal("1709209800.25"), time.UTC, at.Add(251 * time.Millisecond)},
	} {
		got, ok := sql.ReadyAt(c.value, c.zone)
		if !ok || !got.Equal(c.want) {
			t.Errorf("%#v is ready at %v, %v; want %v", c.value, got, ok, c.want)
		}
	}
	const julian = 2460370.0208333335
	if got, ok := sql.ReadyAt(julian, time.UTC); !ok || got.Sub(at).Abs() > 2*time.Millisecond {
		t.Errorf("julian day %v is ready at %v, %v; want about %v", julian, got, ok, at)
	}
	for _, v := range []any{nil, "soon", "", "2024-02-29", row.Date("2024-02-29"), []byte("x"), true, math.Inf(1), math.NaN(), row.Decimal("1.50")} {
		if got, ok := sql.ReadyAt(v, time.UTC); ok {
			t.Errorf("%#v is taken for %v", v, got)
		}
	}
}

func TestValuesThatAreReadAreBoundAsTheyWere(t *testing.T) {
	raws := []any{
		nil, int64(0), int64(1), int64(2), int64(math.MaxInt64), 0.0, math.Copysign(0, -1), 5.0, 12.5, 1e300, 1e-300, math.Inf(1), "", "12", "12.50",
		"2024-02-29", "2024-02-30", "12:30:00", "2024-02-29 12:30:00.5", "2024-02-29T12:30:00", "2024-02-29 12:30:00+01:00", "\xff",
		[]byte{},
		[]byte("x"),
	}
	for _, c := range []row.Type{
		row.TypeAny, row.TypeInt64, row.TypeFloat64, row.TypeDecimal, row.TypeBoolean, row.TypeText, row.TypeBytes,
		row.TypeDate, row.TypeTime, row.TypeTimestamp, row.TypeTimestampTZ,
	} {
		for _, raw := range raws {
			v := sql.SQLite.Read(c, raw)
			back, err := sql.SQLite.Bind(v)
			if diff := cmp.Diff(raw, back, cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })); diff != "" || err != nil {
				t.Errorf("%#v in a column of %s is read as %#v, %v (-read +bound):\n%s", raw, c, v, err, diff)
			}
		}
	}
	// The client library reads an empty blob as nil, and would bind that as NULL.
	if got, err := sql.SQLite.Bind([]byte(nil)); err != nil || got == nil || got.([]byte) == nil {
		t.Errorf("empty bytes are bound as %#v, %v", got, err)
	}
}

func TestValuesHaveTheTypeOfTheirColumnWhereTheyCan(t *testing.T) {
	for _, c := range []struct {
		column row.Type
		raw    any
		want   any
	}{
		{row.TypeBoolean, int64(1), true},
		{row.TypeBoolean, int64(0), false},
		{row.TypeBoolean, int64(2), int64(2)},
		{row.TypeDecimal, int64(12), row.Decimal("12")},
		{row.TypeDecimal, 12.5, row.Decimal("12.5")},
		{row.TypeDecimal, 12.0, 12.0}, // would become an integer
		{row.TypeDate, "2024-02-29", row.Date("2024-02-29")},
		{row.TypeDate, "2024-02-30", "2024-02-30"},
		{row.TypeTime, "12:30:00", row.Time("12:30:00")},
		{row.TypeTimestamp, "2024-02-29 12:30:00.25", row.Timestamp("2024-02-29T12:30:00.25")},
		{row.TypeTimestamp, "2024-02-29T12:30:00", "2024-02-29T12:30:00"}, // would be written with a space
		{row.TypeTimestamp, "2024-02-29 12:30:00Z", row.TimestampTZ("2024-02-29T12:30:00Z")},
		{row.TypeTimestamp, int64(1709209800), int64(1709209800)},
		{row.TypeText, "2024-02-29", "2024-02-29"},
	} {
		if got := sql.SQLite.Read(c.column, c.raw); got != c.want {
			t.Errorf("%#v in a column of %s is read as %#v, want %#v", c.raw, c.column, got, c.want)
		}
	}
}

func TestQuotedNamesAreOneName(t *testing.T) {
	_, db := create(t)
	for _, name := range []string{"a", "a`b", "``", `"x"`, "[x]", "'", "ü", strings.Repeat("x", 128)} {
		quoted, err := sql.SQLite.Quote(name)
		if err != nil {
			t.Fatal(err)
		}
		want(t, query(t, db, "SELECT 1 FROM (SELECT 2 AS "+quoted+") WHERE "+quoted+" = 2"), "1")
	}
}

// FuzzQuote holds that no name breaks out of its quotes.
func FuzzQuote(f *testing.F) {
	_, db := create(f)
	f.Add(`"; DROP TABLE t; --`)
	f.Add("`; DROP TABLE t; --")
	f.Fuzz(func(t *testing.T, name string) {
		quoted, err := sql.SQLite.Quote(name)
		if err != nil {
			return
		}
		rows, err := db.Query("SELECT 1 AS " + quoted)
		if err != nil {
			t.Fatalf("%q as %q: %v", name, quoted, err)
		}
		defer rows.Close()
		if columns, err := rows.Columns(); err != nil || len(columns) != 1 || columns[0] != name {
			t.Fatalf("%q came back as %q, %v", name, columns, err)
		}
	})
}

func TestErrorsOfSQLiteHaveCodes(t *testing.T) {
	_, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 1, c CHECK (c > 0))", "INSERT INTO t VALUES (1, 1, 1, 1)")
	for statement, code := range map[string]oms.Code{
		"INSERT INTO t (id) VALUES (1)":      oms.ErrExists,
		"INSERT INTO t (u) VALUES (1)":       oms.ErrExists,
		"INSERT INTO t (n) VALUES (NULL)":    oms.ErrInvalid,
		"INSERT INTO t (c) VALUES (0)":       oms.ErrInvalid,
		"INSERT INTO t (id) VALUES ('x')":    oms.ErrFormat,
		"INSERT INTO missing VALUES (1)":     oms.ErrNotFound,
		"INSERT INTO t (missing) VALUES (1)": oms.ErrNotFound,
		"SELECT missing FROM t":              oms.ErrNotFound,
		"SELECT zeroblob(2000000000)":        oms.ErrTooLarge,
		"nonsense":                           oms.ErrInvalid,
		"ATTACH '/' AS x":                    oms.ErrDenied,
	} {
		_, err := db.Exec(statement)
		if got := sql.SQLite.Code(err); err == nil || got != code {
			t.Errorf("%s: %v has the code %q, want %q", statement, err, got, code)
		}
	}
}

func TestRelativeURLAndAwkwardPathsAreOpened(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, url := range []string{"sqlite:x.db", "sqlite:sub%20folder.db", "sqlite:a%3Fmode=memory.db", "sqlite:a%23b%25.db", "sqlite:caf%C3%A9.db", "sqlite:a&b=c.db"} {
		for range 2 {
			sink := startSink(t, oms.KeyValue{"connection.url": url, "auto.create": "true", "insert.mode": "upsert"})
			put(t, sink, message(t, "t", 1, []string{"id int64 key"}, int64(1)))
		}
		msgs, _ := pollAll(t, startSource(t, oms.KeyValue{"connection.url": url, "table.whitelist": "t"}))
		if len(msgs) != 1 {
			t.Errorf("%s: %d rows", url, len(msgs))
		}
	}
}
