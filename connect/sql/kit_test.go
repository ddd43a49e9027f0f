package sql_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

// kitSource makes a harness of a sql-source. The tables hold a column n with
// the number; write is an INSERT with the number as its parameter, by table.
func kitSource(pairs, tables []string, writes ...string) func(t *testing.T) connecttest.Source {
	return func(t *testing.T) connecttest.Source {
		t.Helper()
		path, db := create(t, tables...)
		kv := config(path, append([]string{"batch.max.rows", "4", "poll.interval.ms", "1"}, pairs...)...)
		if kv["topic.prefix"] == "" {
			kv["topic"] = "rows"
		}
		unstartable := kv.Clone()
		unstartable["connection.url"] += "-is-missing"
		mode := kv["mode"]
		return connecttest.Source{
			Plugin: sql.SourcePlugin(), Config: kv, Unstartable: unstartable, Finite: mode == "" || mode == "bulk",
			Write: func(first, n int) {
				for i := first; i < first+n; i++ {
					if _, err := db.Exec(writes[i/2%len(writes)], i); err != nil {
						t.Fatal(err)
					}
				}
			},
			Number: numberOf,
		}
	}
}

func numberOf(m *oms.Message) (int, error) {
	r, err := row.Decode(m.Body)
	if err != nil {
		return 0, err
	}
	for i, c := range r.Columns {
		if c.Name == "n" {
			return strconv.Atoi(fmt.Sprint(r.Values[i]))
		}
	}
	return 0, fmt.Errorf("%s has no column n", m.Body)
}

func TestSourceKeepsTheContractOfConnectors(t *testing.T) {
	// Three rows share a timestamp, long ago; a row of now would have to wait.
	const stamp = "printf('2020-01-01 00:%02d:00', ?1 / 3)"
	keyed := []string{"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, ts TEXT)"}
	insert := "INSERT INTO t (n, ts) VALUES (?1, " + stamp + ")"
	for name, c := range map[string]struct {
		pairs  []string
		tables []string
		writes []string
	}{
		"bulk": {[]string{"table.whitelist", "t"}, keyed, []string{insert}},
		"bulk of several tables": {
			[]string{"table.whitelist", "t,u,v", "topic.prefix", "db."},
			append([]string{"CREATE TABLE u (n)", "CREATE TABLE v (n, PRIMARY KEY (n)) WITHOUT ROWID"}, keyed...),
			[]string{insert, "INSERT INTO u VALUES (?)", "INSERT INTO v VALUES (?)"},
		},
		"bulk without a key": {[]string{"table.whitelist", "t"}, []string{"CREATE TABLE t (n, ts)"}, []string{insert}},
		"bulk of a view":     {[]string{"table.whitelist", "w"}, append(slices.Clone(keyed), "CREATE VIEW w AS SELECT n FROM t"), []string{insert}},
		"bulk of a query":    {[]string{"query", "SELECT n FROM t -- all of it"}, keyed, []string{insert}},
		"incrementing":       {[]string{"table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id"}, keyed, []string{insert}},
		"incrementing, several tables": {
			[]string{"table.whitelist", "t,u", "topic.prefix", "db.", "mode", "incrementing", "incrementing.column.name", "n"},
			append([]string{"CREATE TABLE u (n)"}, keyed...),
			[]string{insert, "INSERT INTO u VALUES (?)"},
		},
		"incrementing, a query": {[]string{"query", "SELECT n FROM t", "mode", "incrementing", "incrementing.column.name", "n"}, keyed, []string{insert}},
		"timestamp": {
			[]string{"table.whitelist", "t", "mode", "timestamp", "timestamp.column.name", "ts"}, keyed, []string{insert},
		},
		"timestamp+incrementing": {
			[]string{"table.whitelist", "t", "mode", "timestamp+incrementing", "timestamp.column.name", "ts", "incrementing.column.name", "id"}, keyed, []string{insert},
		},
		// Without a key the rows of one timestamp cannot be told apart, so each
		// has its own.
		"timestamp without a key": {
			[]string{"table.whitelist", "t", "mode", "timestamp", "timestamp.column.name", "ts"},
			[]string{"CREATE TABLE t (n, ts)"},
			[]string{"INSERT INTO t VALUES (?1, printf('2020-01-01 00:%02d:00', ?1))"},
		},
	} {
		t.Run(name, func(t *testing.T) { connecttest.RunSource(t, kitSource(c.pairs, c.tables, c.writes...)) })
	}
}

// Rows of one timestamp that nothing tells apart are read in one go and have
// one position among them, once nothing more of that timestamp comes.
func TestSourceOfSharedTimestampsKeepsTheContractOfConnectors(t *testing.T) {
	connecttest.RunSource(t, func(t *testing.T) connecttest.Source {
		t.Helper()
		s := kitSource([]string{"table.whitelist", "t", "mode", "timestamp", "timestamp.column.name", "ts"}, []string{"CREATE TABLE t (n, ts)"}, "")(t)
		db := open(t, strings.TrimPrefix(s.Config["connection.url"], "sqlite://"))
		calls := 0
		s.Write = func(first, n int) {
			// What is written at once has at most three rows of a timestamp.
			for i := first; i < first+n; i++ {
				run(t, db, fmt.Sprintf("INSERT INTO t VALUES (%d, printf('2020-01-01 %%02d:%%02d:00', %d, %d))", i, calls, (i-first)/3))
			}
			calls++
		}
		return s
	})
}

func TestSinkKeepsTheContractOfConnectors(t *testing.T) {
	upsert := []string{"insert.mode", "upsert", "delete.enabled", "true"}
	for name, pairs := range map[string][]string{
		"insert":                          {},
		"upsert":                          upsert,
		"upsert into a table of its own":  {"insert.mode", "upsert", "auto.create", "true", "table.name.format", "made_${topic}"},
		"upsert by columns of the config": append([]string{"pk.fields", "n"}, upsert...),
	} {
		t.Run(name, func(t *testing.T) {
			connecttest.RunSink(t, func(t *testing.T) connecttest.Sink {
				t.Helper()
				key := "NOT NULL PRIMARY KEY"
				if name == "insert" {
					key = "" // or what is put again after a crash would be refused
				}
				path, db := create(t, "CREATE TABLE t (n INTEGER "+key+", v CHECK (v <> 'refused'))")
				kv := config(path, pairs...)
				table := "t"
				if kv["auto.create"] == "true" {
					table = "made_t"
				}
				unstartable := kv.Clone()
				unstartable["connection.url"] = "sqlite://" + filepath.Dir(path)
				columns := []string{"n int64 key", "v text"}
				s := connecttest.Sink{
					Plugin: sql.SinkPlugin(), Config: kv, Unstartable: unstartable, Idempotent: kv["insert.mode"] == "upsert",
					Message: func(i int) *oms.Message { return message(t, "t", int64(i), columns, int64(i), "v") },
					Stored: func() []int {
						if len(query(t, db, "SELECT name FROM sqlite_master WHERE name = '"+table+"'")) == 0 {
							return nil
						}
						return numbers(t, query(t, db, "SELECT n FROM "+table+" ORDER BY rowid"))
					},
					Refused: func(i int) *oms.Message { return message(t, "t", int64(i), columns, int64(i), "refused") },
					Block: func() func() {
						conn, err := db.Conn(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
							t.Fatal(err)
						}
						return func() {
							if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
								t.Error(err)
							}
							conn.Close()
						}
					},
				}
				if table == "made_t" {
					s.Refused = func(i int) *oms.Message { return message(t, "t", int64(i), columns, nil, "v") }
				}
				if kv["delete.enabled"] == "true" {
					s.Tombstone = func(i int) *oms.Message {
						m := s.Message(i)
						m.Body = nil
						return m
					}
				}
				return s
			})
		})
	}
}

func numbers(tb testing.TB, lines []string) []int {
	tb.Helper()
	list := make([]int, len(lines))
	for i, line := range lines {
		n, err := strconv.Atoi(line)
		if err != nil {
			tb.Fatal(err)
		}
		list[i] = n
	}
	return list
}
