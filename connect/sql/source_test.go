package sql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

func want(tb testing.TB, got []string, want ...string) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBulkReadsEachTableOnceAndEnds(t *testing.T) {
	path, _ := create(t,
		"CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO a VALUES (2, 'two'), (1, 'one')",
		"CREATE TABLE b (v TEXT)", "INSERT INTO b VALUES ('x'), ('x')",
		"CREATE TABLE empty (v TEXT)",
		"CREATE VIEW c AS SELECT v || '!' AS loud FROM a")
	kv := config(path, "table.whitelist", "a, B, c, empty", "topic.prefix", "db.", "batch.max.rows", "1")
	msgs, ended := pollAll(t, startSource(t, kv))
	if !ended {
		t.Error("a bulk source does not end")
	}
	want(t, values(t, msgs), "1 one", "2 two", "x", "x", "one!", "two!")
	var topics, keys []string
	for _, m := range msgs {
		topics, keys = append(topics, m.Topic), append(keys, string(m.Key))
	}
	want(t, topics, "db.a", "db.a", "db.b", "db.b", "db.c", "db.c")
	want(t, keys, `{"id":1}`, `{"id":2}`, "", "", "", "")

	again, ended := pollAll(t, startSource(t, kv, positions(msgs)...))
	if len(again) > 0 || !ended {
		t.Errorf("a finished source that is restarted reads %d rows, ended: %v", len(again), ended)
	}
}

func TestEachModeGivesPositionsThatSayWhatTheyAre(t *testing.T) {
	path, _ := create(t,
		"CREATE TABLE keyed (code TEXT NOT NULL, n INTEGER, ts TEXT, PRIMARY KEY (code)) WITHOUT ROWID",
		"INSERT INTO keyed VALUES ('a', 9007199254740993, '2020-01-01 00:00:00')",
		"CREATE TABLE plain (n INTEGER, ts TIMESTAMP)",
		"INSERT INTO plain VALUES (9007199254740993, '2020-01-01 00:00:00'), (9007199254740994, '2020-01-01 00:00:01')")
	for _, c := range []struct {
		pairs []string
		want  oms.Origin
	}{
		{[]string{"table.whitelist", "keyed"}, oms.Origin{Partition: `{"table":"keyed"}`, Position: `{"done":true}`}},
		{
			[]string{"table.whitelist", "plain", "batch.max.rows", "1"},
			oms.Origin{Partition: `{"table":"plain"}`, Position: `{"key":{"rowid":1},"schema":"2"}`},
		},
		{
			[]string{"table.whitelist", "keyed", "mode", "incrementing", "incrementing.column.name", "n"},
			oms.Origin{Partition: `{"table":"keyed"}`, Position: `{"incrementing":{"n":{"int64":"9007199254740993"}},"key":{"code":"a"}}`},
		},
		{
			[]string{"table.whitelist", "plain", "mode", "timestamp", "timestamp.column.name", "TS", "batch.max.rows", "1"},
			oms.Origin{Partition: `{"table":"plain"}`, Position: `{"timestamp":{"ts":{"timestamp":"2020-01-01T00:00:00"}}}`},
		},
		{
			[]string{"query", "SELECT * FROM keyed;", "mode", "timestamp+incrementing", "timestamp.column.name", "ts", "incrementing.column.name", "n"},
			oms.Origin{
				Partition: `{"query":"f5ba745336acc843"}`,
				Position:  `{"incrementing":{"n":{"int64":"9007199254740993"}},"timestamp":{"ts":"2020-01-01 00:00:00"}}`,
			},
		},
	} {
		msgs, err := startSource(t, config(path, c.pairs...)).Poll(t.Context())
		if err != nil || len(msgs) == 0 {
			t.Fatalf("%v: %d messages, %v", c.pairs, len(msgs), err)
		}
		if diff := cmp.Diff(c.want, *msgs[0].Origin); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.pairs, diff)
		}
	}
}

// tables are the kinds of tables that differ in how their rows can be told
// apart, each with 40 rows and a column n that has them all.
var tables = map[string][]string{
	"integer key":    {"CREATE TABLE t (id INTEGER PRIMARY KEY, n, ts)", "INSERT INTO t SELECT 1000 - value, value, stamp FROM rows"},
	"text key":       {"CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, n, ts)", "INSERT INTO t SELECT 'k' || value, value, stamp FROM rows"},
	"two columns":    {"CREATE TABLE t (a, b, n, ts, PRIMARY KEY (b, a)) WITHOUT ROWID", "INSERT INTO t SELECT value % 3, value, value, stamp FROM rows"},
	"binary index":   {"CREATE TABLE t (id TEXT COLLATE NOCASE NOT NULL, n, ts, PRIMARY KEY (id COLLATE BINARY))", "INSERT INTO t SELECT char(65 + value), value, stamp FROM rows"},
	"key with NULLs": {"CREATE TABLE t (id TEXT PRIMARY KEY, n, ts)", "INSERT INTO t SELECT iif(value % 3 = 0, NULL, value), value, stamp FROM rows"},
	"no key":         {"CREATE TABLE t (n, ts)", "INSERT INTO t SELECT value, stamp FROM rows"},
	"hidden rowid":   {"CREATE TABLE t (rowid TEXT, n, ts)", "INSERT INTO t SELECT 'same', value, stamp FROM rows"},
	"no rowid left":  {"CREATE TABLE t (rowid, oid, _rowid_, n, ts)", "INSERT INTO t SELECT 0, 0, 0, value, stamp FROM rows"},
	"view":           {"CREATE TABLE u (n, ts)", "INSERT INTO u SELECT value, stamp FROM rows", "CREATE VIEW t AS SELECT * FROM u"},
}

// rows gives tables their rows: three of each timestamp.
const rows = `CREATE VIEW rows AS WITH RECURSIVE r(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM r WHERE value < 40)
	SELECT value, printf('2020-01-01 00:00:%02d', value / 3) AS stamp FROM r`

func TestSourceKilledAtAnyPageLosesNothing(t *testing.T) {
	modes := map[string][]string{
		"bulk":                   {},
		"incrementing":           {"mode", "incrementing", "incrementing.column.name", "n"},
		"timestamp":              {"mode", "timestamp", "timestamp.column.name", "ts"},
		"timestamp+incrementing": {"mode", "timestamp+incrementing", "timestamp.column.name", "ts", "incrementing.column.name", "n"},
	}
	for kind, statements := range tables {
		path, _ := create(t, append([]string{rows}, statements...)...)
		for mode, pairs := range modes {
			t.Run(mode+"/"+kind, func(t *testing.T) {
				seed := rand.Uint64()
				rng := rand.New(rand.NewPCG(seed, 0))
				kv := config(path, append(slices.Clone(pairs), "table.whitelist", "t", "batch.max.rows", fmt.Sprint(1+rng.IntN(7)))...)
				seen := make(map[string]int)
				var stored []oms.Origin
				for range 8 {
					src := startSource(t, kv, stored...)
					var msgs []*oms.Message
					for range rng.IntN(5) {
						some, err := src.Poll(t.Context())
						if err != nil && !errors.Is(err, io.EOF) {
							t.Fatalf("seed %d: %v", seed, err)
						}
						msgs = append(msgs, some...)
					}
					// Any part of what was read has arrived, and is committed;
					// the rest died with the process.
					msgs = msgs[:rng.IntN(len(msgs)+1)]
					for _, line := range values(t, msgs) {
						seen[numberIn(line, kind)]++
					}
					stored = positions(msgs, stored...)
				}
				rest, _ := pollAll(t, startSource(t, kv, stored...))
				for _, line := range values(t, rest) {
					seen[numberIn(line, kind)]++
				}
				if len(seen) != 40 {
					t.Errorf("seed %d: %d of 40 rows arrived: %v", seed, len(seen), seen)
				}
			})
		}
	}
}

// numberIn finds the column n in a row that is written out.
func numberIn(line, kind string) string {
	at := map[string]int{"no key": 0, "view": 0, "two columns": 2, "no rowid left": 3}
	i, ok := at[kind]
	if !ok {
		i = 1
	}
	return strings.Fields(line)[i]
}

func TestPagesHaveNoRowTwiceAndNoneIsMissing(t *testing.T) {
	for kind, statements := range tables {
		path, _ := create(t, append([]string{rows}, statements...)...)
		for _, n := range []string{"1", "39", "40"} {
			for _, pairs := range [][]string{{}, {"mode", "timestamp", "timestamp.column.name", "ts"}} {
				msgs, _ := pollAll(t, startSource(t, config(path, append(pairs, "table.whitelist", "t", "batch.max.rows", n)...)))
				got := values(t, msgs)
				slices.Sort(got)
				if len(got) != 40 || len(slices.Compact(got)) != 40 {
					t.Errorf("%s, %v, pages of %s: %d rows", kind, pairs, n, len(got))
				}
			}
		}
	}
}

func TestKeyIsPagedByTheCollationThatMakesItUnique(t *testing.T) {
	path, _ := create(t, append([]string{rows}, tables["binary index"]...)...)
	msgs, _ := pollAll(t, startSource(t, config(path, "table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id", "batch.max.rows", "1")))
	if len(msgs) != 40 {
		t.Errorf("%d of 40 rows", len(msgs))
	}
}

func TestIncrementingFollowsNewRows(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v)", "INSERT INTO t (v) VALUES ('a'), ('b')")
	src := startSource(t, config(path, "table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id"))
	msgs, ended := pollAll(t, src)
	want(t, values(t, msgs), "1 a", "2 b")
	if ended {
		t.Error("an incrementing source ends")
	}
	run(t, db, "INSERT INTO t (v) VALUES ('c')", "UPDATE t SET v = 'B' WHERE id = 2", "INSERT INTO t VALUES (9223372036854775807, 'last')")
	msgs, _ = pollAll(t, src)
	want(t, values(t, msgs), "3 c", "9223372036854775807 last")
}

func TestTimestampFollowsNewAndChangedRows(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v, ts TIMESTAMP)",
		"INSERT INTO t VALUES (1, 'a', '2020-01-01 00:00:01'), (2, 'b', '2020-01-01 00:00:01'), (3, 'c', '2020-01-01 00:00:00')")
	src := startSource(t, config(path, "table.whitelist", "t", "mode", "timestamp+incrementing", "timestamp.column.name", "ts", "incrementing.column.name", "id"))
	msgs, _ := pollAll(t, src)
	want(t, values(t, msgs), "3 c 2020-01-01T00:00:00", "1 a 2020-01-01T00:00:01", "2 b 2020-01-01T00:00:01")
	run(t, db, "INSERT INTO t VALUES (4, 'd', '2020-01-01 00:00:01')", "UPDATE t SET v = 'A', ts = '2020-01-01 00:00:02' WHERE id = 1")
	msgs, _ = pollAll(t, src)
	want(t, values(t, msgs), "4 d 2020-01-01T00:00:01", "1 A 2020-01-01T00:00:02")
}

func TestRowsStayOutUntilTheirTimestampHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC() // of the bubble: midnight, 2000-01-01
		stamp := func(d time.Duration) string { return now.Add(d).Format("2006-01-02 15:04:05") }
		path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, ts)",
			"INSERT INTO t VALUES (1, '"+stamp(-time.Hour)+"'), (2, '"+stamp(-9*time.Second)+"'), (3, '"+stamp(-5*time.Second)+"')")
		src := startSource(t, config(path, "table.whitelist", "t", "mode", "timestamp", "timestamp.column.name", "ts",
			"timestamp.delay.interval.ms", "8000", "poll.interval.ms", "3600000"))
		began := time.Now()
		arrived := make(map[string]time.Duration)
		for time.Since(began) < 20*time.Second {
			msgs, err := src.Poll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range msgs {
				arrived[string(m.Key)] = time.Since(began)
			}
			if len(arrived) == 2 && len(msgs) > 0 {
				// Committed late, with a timestamp that others have passed.
				run(t, db, "INSERT INTO t VALUES (4, '"+stamp(-6*time.Second)+"')")
			}
		}
		// A timestamp in seconds lasts until the second is over.
		wantAt := map[string]time.Duration{`{"id":1}`: 0, `{"id":2}`: 0, `{"id":4}`: 3 * time.Second, `{"id":3}`: 4 * time.Second}
		if diff := cmp.Diff(wantAt, arrived); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestRowThatIsReadyInAMomentIsNotNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, _ := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, ts)",
			"INSERT INTO t VALUES (1, "+fmt.Sprint(time.Now().UnixMilli())+"), (2, "+fmt.Sprint(time.Now().Unix())+")")
		began := time.Now()
		src := startSource(t, config(path, "query", "SELECT * FROM t WHERE id = 2", "mode", "timestamp", "timestamp.column.name", "ts"))
		if msgs, err := src.Poll(t.Context()); len(msgs) != 1 || err != nil || time.Since(began) != time.Second {
			t.Errorf("%d messages, %v after %v; want 1 after a second", len(msgs), err, time.Since(began))
		}
	})
}

func TestRowInTheFutureIsWarnedAboutAndNotSkippedOver(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, ts)", "INSERT INTO t VALUES (1, '9999-12-31 00:00:00'), (2, '2020-01-01')")
	var log warnings
	src, err := trySourceLogging(t, config(path, "table.whitelist", "t", "mode", "timestamp", "timestamp.column.name", "ts"), &log)
	if err != nil {
		t.Fatal(err)
	}
	msgs, _ := pollAll(t, src)
	want(t, values(t, msgs), "2 2020-01-01")
	run(t, db, "INSERT INTO t VALUES (3, '2021-01-01')")
	msgs, _ = pollAll(t, src)
	want(t, values(t, msgs), "3 2021-01-01")
	if !log.has("in the future", "table t", "db.timezone") || strings.Count(log.String(), "in the future") != 1 {
		t.Errorf("the log says: %s", log.String())
	}
}

func TestRowsThatAreNeverReadAreWarnedAbout(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, ts)",
		"INSERT INTO t VALUES (1, 1, '2020-01-01'), (2, NULL, '2020-01-02'), (3, 3, NULL)")
	var log warnings
	src, err := trySourceLogging(t, config(path, "table.whitelist", "t", "mode", "timestamp+incrementing",
		"timestamp.column.name", "ts", "incrementing.column.name", "n"), &log)
	if err != nil {
		t.Fatal(err)
	}
	msgs, _ := pollAll(t, src)
	want(t, values(t, msgs), "1 1 2020-01-01")
	pollAll(t, src)
	if !log.has("rows=2", "table t", "columns=\"ts, n\"") || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("the log says: %s", log.String())
	}
	run(t, db, "INSERT INTO t VALUES (4, 4, NULL)")
	pollAll(t, src)
	if !log.has("rows=3") {
		t.Errorf("the log says: %s", log.String())
	}
}

func TestSourceWaitsForItsIntervalAndPollReturnsInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
		src := startSource(t, config(path, "table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id", "poll.interval.ms", "4500"))
		began := time.Now()
		if msgs, _ := pollAll(t, src); len(msgs) != 1 || time.Since(began) != 0 {
			t.Errorf("the first poll has %d messages after %v, want 1 at once", len(msgs), time.Since(began))
		}
		run(t, db, "INSERT INTO t VALUES (2)")
		for {
			before := time.Now()
			msgs, err := src.Poll(t.Context())
			if err != nil || time.Since(before) > time.Second {
				t.Fatalf("Poll took %v, %v", time.Since(before), err)
			}
			if len(msgs) > 0 {
				break
			}
		}
		if got := time.Since(began); got != 4500*time.Millisecond {
			t.Errorf("the next row came after %v, want 4.5s", got)
		}
		pollAll(t, src)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		before := time.Now()
		if _, err := src.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 300*time.Millisecond {
			t.Errorf("a poll whose context ends returns %v after %v", err, time.Since(before))
		}
	})
}

func TestPollStopsASlowQueryWithItsContext(t *testing.T) {
	path, _ := create(t, "CREATE TABLE t (id)")
	const slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r WHERE n < 0"
	for _, pairs := range [][]string{{}} {
		src := startSource(t, config(path, append(pairs, "query", slow)...))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := src.Poll(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || oms.CodeOf(err) != "" {
			t.Errorf("%v: the poll returned %v", pairs, err)
		}
	}
}

func TestTasksDivideTheTables(t *testing.T) {
	p := sql.SourcePlugin()
	c, err := p.New(connect.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		tables string
		limit  int
		want   []string
	}{
		{"a,b,c,d,e", 2, []string{"a,c,e", "b,d"}},
		{"a,b", 5, []string{"a", "b"}},
		{"a", 1, []string{"a"}},
		{"", 3, []string{""}}, // a query
	} {
		tasks, err := c.(connect.Splitter).Split(t.Context(), oms.KeyValue{"table.whitelist": tc.tables, "mode": "bulk"}, tc.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, task := range tasks {
			if task["mode"] != "bulk" {
				t.Errorf("a task lost its other keys: %v", task)
			}
			got = append(got, task["table.whitelist"])
		}
		want(t, got, tc.want...)
	}
}

func TestTasksLeaveThePositionsOfOthersAlone(t *testing.T) {
	path, _ := create(t, "CREATE TABLE a (id INTEGER PRIMARY KEY)", "INSERT INTO a VALUES (1)", "CREATE TABLE b (id INTEGER PRIMARY KEY)", "INSERT INTO b VALUES (1)")
	both, _ := pollAll(t, startSource(t, config(path, "table.whitelist", "a,b")))
	msgs, _ := pollAll(t, startSource(t, config(path, "table.whitelist", "b"), positions(both[:1])...))
	if len(msgs) != 1 {
		t.Errorf("%d rows of b, want 1", len(msgs))
	}
}

func TestABusyTableDoesNotStarveOthers(t *testing.T) {
	path, _ := create(t, rows, "CREATE TABLE a (id INTEGER PRIMARY KEY)", "INSERT INTO a SELECT value FROM rows",
		"CREATE TABLE b (id INTEGER PRIMARY KEY)", "INSERT INTO b SELECT value FROM rows")
	src := startSource(t, config(path, "table.whitelist", "a,b", "mode", "incrementing", "incrementing.column.name", "id", "batch.max.rows", "10"))
	var turns []string
	for range 4 {
		msgs, err := src.Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		turns = append(turns, msgs[0].Origin.Partition)
	}
	want(t, turns, `{"table":"a"}`, `{"table":"b"}`, `{"table":"a"}`, `{"table":"b"}`)
}

func TestLargeRowsMakeShortPages(t *testing.T) {
	path, _ := create(t, rows, "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)", "INSERT INTO t SELECT value, zeroblob(1500000) FROM rows WHERE value <= 9")
	src := startSource(t, config(path, "table.whitelist", "t"))
	n := 0
	for {
		msgs, err := src.Poll(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(msgs) > 3 {
			t.Fatalf("%d messages on a page, %v", len(msgs), err)
		}
		n += len(msgs)
	}
	if n != 9 {
		t.Errorf("%d of 9 rows arrived", n)
	}
}
