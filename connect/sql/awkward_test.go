package sql_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// awkwardTable has every kind of column, and one that says nothing.
const awkwardTable = `CREATE TABLE awkward (
	id INTEGER PRIMARY KEY, whole BIGINT, name VARCHAR(20), note TEXT, photo BLOB, weight DOUBLE PRECISION,
	price DECIMAL(10,2), paid BOOLEAN, born DATE, opens TIME, placed DATETIME, sent TIMESTAMP, zoned TIMESTAMPTZ,
	anything, odd STRING, "name ""with"" ` + "`ticks`" + ` [and] 'more'" TEXT)`

const awkwardColumns = 16

// awkward returns a value of any storage class.
func awkward(rng *rand.Rand) any {
	date := fmt.Sprintf("%04d-%02d-%02d", 1900+rng.IntN(200), 1+rng.IntN(12), 1+rng.IntN(28))
	clock := fmt.Sprintf("%02d:%02d:%02d", rng.IntN(24), rng.IntN(60), rng.IntN(60))
	switch rng.IntN(9) {
	case 0:
		return nil
	case 1:
		return []int64{0, 1, -1, 2, 1<<53 - 1, 1 << 53, 1<<53 + 1, -1<<53 - 1, math.MaxInt64, math.MinInt64, int64(rng.Uint64())}[rng.IntN(11)]
	case 2:
		return []float64{
			0, math.Copysign(0, -1), 1, 0.1, 1e15, 1e16, 1e18, 9.3e18, 1e21, 1e300, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1),
			12.5, 1e-7, float64(rng.IntN(1000)) / 100, rng.NormFloat64() * 1e6,
		}[rng.IntN(18)]
	case 3:
		return [][]byte{{}, {0}, {0xff, 0xfe}, []byte("text"), []byte("12"), make([]byte, 3000)}[rng.IntN(6)]
	case 4:
		return []string{
			"", " ", "12", "12.50", "1e3", "-0", "0x10", "inf", "nan", "null", "NULL", "true", "9223372036854775808", " 7 ",
		}[rng.IntN(14)]
	case 5:
		return []string{"a\x00b", "\x00", "\xff", "\xed\xa0\x80", "é𝄞\u2028\ufeff", `"; DROP TABLE awkward; --`, "line\r\nline", strings.Repeat("long ", 200)}[rng.IntN(8)]
	case 6:
		return []string{date, "2024-02-30", "2024-1-5", date + " ", clock, clock + ".5", clock[:5], "24:00:00"}[rng.IntN(8)]
	case 7:
		return []string{
			date + " " + clock, date + "T" + clock, date + " " + clock + ".123456789", date + " " + clock + "Z",
			date + " " + clock + "+02:00", date + "T" + clock + "Z", date + " " + clock + ".", date + " 24:00:00",
		}[rng.IntN(8)]
	default:
		return rng.IntN(2) == 0
	}
}

// differing returns a query for the rows of awkward that differ from those of
// the database that is attached as other, in any value's storage class, text
// or bytes: quote ends at a NUL.
func differing(columns []string) string {
	var same []string
	for _, c := range columns {
		c = "`" + strings.ReplaceAll(c, "`", "``") + "`"
		same = append(same, fmt.Sprintf("typeof(a.%[1]s) = typeof(b.%[1]s) AND quote(a.%[1]s) = quote(b.%[1]s) AND CAST(a.%[1]s AS BLOB) IS CAST(b.%[1]s AS BLOB)", c))
	}
	return "SELECT a.id FROM awkward a LEFT JOIN other.awkward b ON a.id = b.id WHERE b.id IS NULL OR NOT (" + strings.Join(same, " AND ") + ")" +
		" UNION ALL SELECT id FROM other.awkward WHERE id NOT IN (SELECT id FROM awkward)"
}

func TestAwkwardRowsArriveEqualAndChangesFollow(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	path, from := create(t, awkwardTable, "CREATE TABLE changes (n INTEGER)")
	const rows = 5000
	insert := "INSERT INTO awkward VALUES (?" + strings.Repeat(", ?", awkwardColumns-1) + ")"
	tx, err := from.Begin()
	if err != nil {
		t.Fatal(err)
	}
	stmt, err := tx.Prepare(insert)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		args := []any{int64(i) * 1844674407370955} // up to the largest integer
		for range awkwardColumns - 1 {
			args = append(args, awkward(rng))
		}
		if _, err := stmt.Exec(args...); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	columns := query(t, from, "SELECT name FROM pragma_table_xinfo('awkward')")

	to := t.TempDir() + "/copy.db"
	sink := startSink(t, config(to, "insert.mode", "upsert", "auto.create", "true", "table.name.format", "awkward"))
	src := startSource(t, config(path, "table.whitelist", "awkward"))
	for n := 0; n < rows; {
		msgs, err := src.Poll(t.Context())
		if err != nil {
			t.Fatalf("seed %d: %v after %d rows", seed, err, n)
		}
		put(t, sink, msgs...)
		n += len(msgs)
	}
	from.SetMaxOpenConns(1) // which has the other database attached
	run(t, from, "ATTACH '"+to+"' AS other")
	want(t, query(t, from, "SELECT count(*) FROM other.awkward"), fmt.Sprint(rows))

	// Some come a second time, then a change and a new row follow.
	again, _ := pollAll(t, startSource(t, config(path, "query", "SELECT * FROM awkward WHERE id % 10 = 0", "key.columns", "id")))
	put(t, sink, again...)
	src = startSource(t, config(path, "query", "SELECT a.*, c.n FROM awkward a, changes c WHERE a.id = c.rowid",
		"mode", "timestamp+incrementing", "timestamp.column.name", "n", "incrementing.column.name", "id", "key.columns", "id"))
	run(t, from, "UPDATE awkward SET note = 'changed', whole = 9007199254740993 WHERE id = 0", "INSERT INTO awkward (id, note) VALUES (-7, x'00')",
		"INSERT INTO changes (rowid, n) VALUES (0, 1000), (-7, 1001)")
	run(t, from, "ALTER TABLE other.awkward ADD COLUMN n INTEGER")
	msgs, _ := pollAll(t, src)
	if len(msgs) != 2 {
		t.Fatalf("an update and an insert are %d messages", len(msgs))
	}
	put(t, sink, msgs...)
	want(t, query(t, from, "SELECT count(*) FROM other.awkward"), fmt.Sprint(rows+1))
	for _, id := range query(t, from, differing(columns)) {
		t.Errorf("seed %d: row %s differs:\n%s\n%s", seed, id,
			query(t, from, "SELECT * FROM awkward WHERE id = "+id),
			query(t, from, "SELECT * FROM other.awkward WHERE id = "+id))
	}
}
