package sql_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

func TestEveryProblemBetweenKeysIsNamedAtOnce(t *testing.T) {
	for _, c := range []struct {
		kv   oms.KeyValue
		want []string
	}{
		{
			oms.KeyValue{"connection.url": "sqlite:///x.db", "mode": "timestamp+incrementing"},
			[]string{"incrementing.column.name: missing", "table.whitelist: missing", "timestamp.column.name: missing", "topic: missing"},
		},
		{
			config("/x.db", "table.whitelist", "a,A", "query", "SELECT 1", "topic", "t", "topic.prefix", "p", "incrementing.column.name", "id", "timestamp.delay.interval.ms", "5"),
			[]string{"query: a query cannot stand beside", `table.whitelist: "A" stands there twice`, "topic.prefix: it cannot", "incrementing.column.name: mode bulk has no use", "timestamp.delay.interval.ms: mode bulk"},
		},
		{
			config("/x.db", "query", "SELECT 1; DROP TABLE t", "topic", "t", "db.timezone", "Mars/Base", "poll.interval.ms", "0", "batch.max.rows", "0", "mode", "fast"),
			[]string{"query: it has more than one statement", `db.timezone: "Mars/Base"`, "poll.interval.ms: 0 is not between", "batch.max.rows: 0 is not", `mode: "fast" is not one of`},
		},
		{oms.KeyValue{"table.whitelist": "t", "topic": "t", "tabel.whitelist": "t"}, []string{"connection.url: missing", "tabel.whitelist: unknown key (did you mean table.whitelist?)"}},
	} {
		err := sql.SourcePlugin().Def.Validate(c.kv)
		wantError(t, err, oms.ErrInvalid, c.want...)
	}
}

func TestURLProblemsAreClearAndDoNotShowPasswords(t *testing.T) {
	for url, want := range map[string]string{
		"":                                 "connection.url",
		"test.db":                          "known schemes: sqlite",
		"postgres://ann:hunter2@h/db":      `no database has the scheme "postgres"; known schemes: sqlite`,
		"sqlite://ann:hunter2@host/x.db":   "neither user nor password",
		"sqlite://ann:hunter2@host:port/x": "not a URL",
		"sqlite://x.db":                    "three slashes",
		"sqlite://host/hunter2.db":         "three slashes",
		"sqlite:///x.db?mode=hunter2":      "takes no options",
		"sqlite:///x.db#hunter2":           "takes no options",
		"sqlite:///":                       "names no file",
		"sqlite:":                          "names no file",
		"sqlite:///a%00b":                  "not the name of a file",
		"sqlite::memory:":                  "not the name of a file",
		"sqlite:///%zz":                    "not a URL",
	} {
		for _, p := range []connect.Plugin{sql.SourcePlugin(), sql.SinkPlugin()} {
			err := p.Def.Validate(oms.KeyValue{"connection.url": url, "table.whitelist": "t", "topic": "t"})
			wantError(t, err, oms.ErrInvalid, want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		}
	}
}

func TestFilesThatAreNoDatabaseAreRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	db.Close()
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	corrupt := append([]byte(nil), b...)
	for i := 100; i < len(corrupt); i++ {
		corrupt[i] = 0xaa
	}
	missing := filepath.Join(dir, "missing.db")
	for _, c := range []struct {
		path string
		code oms.Code
		want string
	}{
		{missing, oms.ErrNotFound, "does not create it"},
		{filepath.Join(dir, "no", "folder.db"), oms.ErrNotFound, "does not"},
		{dir, oms.ErrInvalid, "a directory"},
		{"/dev/null", oms.ErrInvalid, "a device"},
		{write("text.db", "hello, I am a text file, not a database"), oms.ErrFormat, "does not begin as a SQLite database does"},
		{write("short.db", "SQLi"), oms.ErrFormat, "does not begin as a SQLite database does"},
		{write("corrupt.db", string(corrupt)), oms.ErrFormat, "malformed"},
		{write("cut.db", string(b[:120])), oms.ErrFormat, "cut.db"},
	} {
		_, err := trySource(t, config(c.path, "table.whitelist", "t"))
		wantError(t, err, c.code, c.want, c.path)
		_, err = start(t, sql.SinkPlugin(), config(c.path), &warnings{})
		wantError(t, err, c.code, c.want, c.path)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Error("a missing database was created")
	}
}

func TestMistypedNamesAreErrorsThatListWhatThereIs(t *testing.T) {
	path, _ := create(t, "CREATE TABLE orders (id INTEGER PRIMARY KEY, placed TEXT)", "CREATE TABLE people (name)", "INSERT INTO orders VALUES (1, 'x')")
	for _, c := range []struct {
		pairs []string
		want  []string
	}{
		{[]string{"table.whitelist", "ordres"}, []string{"table.whitelist", "ordres", "there are: orders, people"}},
		{[]string{"table.whitelist", "sqlite_master"}, []string{"there is no table of that name"}},
		{[]string{"table.whitelist", "orders", "key.columns", "idd"}, []string{"key.columns", `no column "idd" in table orders`, "id, placed"}},
		{
			[]string{"table.whitelist", "orders", "mode", "incrementing", "incrementing.column.name", "idd"},
			[]string{"incrementing.column.name", `no column "idd" in table orders`, "id, placed"},
		},
		{
			[]string{"table.whitelist", "orders", "mode", "timestamp", "timestamp.column.name", "place"},
			[]string{"timestamp.column.name", `no column "place"`, "id, placed"},
		},
		{
			[]string{"query", "SELECT id AS n FROM orders", "mode", "incrementing", "incrementing.column.name", "id"},
			[]string{"incrementing.column.name", `no column "id" in the query`, "are: n"},
		},
		{[]string{"query", "SELECT idd FROM orders"}, []string{"query", "no such column: idd"}},
		{[]string{"query", `SELECT "idd" FROM orders`}, []string{"query", "no such column"}},
		{[]string{"query", "SELECT id FROM ordres"}, []string{"query", "no such table: ordres"}},
	} {
		_, err := trySource(t, config(path, c.pairs...))
		wantError(t, err, oms.ErrNotFound, c.want...)
	}
	_, err := trySource(t, config(path, "query", "SELEC 1"))
	wantError(t, err, oms.ErrInvalid, "query", "syntax error")
}

func TestQueryCanOnlyReadItsDatabase(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	other := filepath.Join(t.TempDir(), "other.db")
	for _, q := range []string{
		"DELETE FROM t", "DELETE FROM t RETURNING id", "ATTACH '" + other + "' AS x", "PRAGMA query_only = 0", "VACUUM INTO '" + other + "'",
		"CREATE TABLE u (x)", "SELECT * FROM pragma_database_list", "SELECT load_extension('x')", "SELECT 1) UNION SELECT (2",
		"SELECT 1); DELETE FROM t; SELECT * FROM (SELECT 1", "SELECT 1; SELECT 2", "SELECT '", "SELECT 1 /*", "SELECT (1", "", " ; ",
	} {
		src, err := trySource(t, config(path, "query", q))
		if err == nil {
			_, err = src.Poll(t.Context())
		}
		if err == nil || oms.CodeOf(err) == "" {
			t.Errorf("%s: error %v, want one with a code", q, err)
		}
	}
	want(t, query(t, db, "SELECT * FROM t"), "1")
	if _, err := os.Stat(other); err == nil {
		t.Error("a query created another database")
	}
	msgs, _ := pollAll(t, startSource(t, config(path, "query", " /* a; comment( */ SELECT ';)' AS \"a;\", `id` FROM t WHERE id > 0 -- and; more )\n; ;; -- end")))
	want(t, values(t, msgs), ";) 1")
}

func TestPositionThatIsNotOneOfThisSourceIsRefused(t *testing.T) {
	path, _ := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, ts TEXT)")
	const partition = `{"table":"t"}`
	incrementing := []string{"table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id"}
	for _, c := range []struct {
		pairs    []string
		origin   oms.Origin
		complain string
	}{
		{incrementing, oms.Origin{Partition: partition, Position: `{"incrementing":{"id":`}, partition},
		{incrementing, oms.Origin{Partition: partition, Position: `{"incrementing":{"id":{}}}`}, "not one of this source"},
		{incrementing, oms.Origin{Partition: partition, Position: `{"incrementing":5}`}, "not one of this source"},
		{incrementing, oms.Origin{Partition: partition, Position: `{"offset":5}`}, "not one of this source"},
		{incrementing, oms.Origin{Partition: partition, Position: `{"done":true,"incrementing":{"id":5}}`}, "not one of this source"},
		{incrementing, oms.Origin{Partition: partition, Position: ``}, "not one of this source"},
		{incrementing, oms.Origin{Partition: partition, Position: `{}`}, "its columns are: incrementing id"},
		{incrementing, oms.Origin{Partition: partition, Position: `{"done":true}`}, "another mode or other columns; now its columns are: incrementing id"},
		{incrementing, oms.Origin{Partition: partition, Position: `{"incrementing":{"n":5}}`}, "other columns"},
		{incrementing, oms.Origin{Partition: partition, Position: `{"timestamp":{"id":5}}`}, "other columns"},
		{incrementing, oms.Origin{Partition: `{"file":"t"}`, Position: `{"incrementing":{"id":5}}`}, `{"file":"t"}`},
		{incrementing, oms.Origin{Partition: `garbage`, Position: `{"incrementing":{"id":5}}`}, "garbage"},
		{[]string{"table.whitelist", "t"}, oms.Origin{Partition: partition, Position: `{"incrementing":{"id":5}}`}, "reset the offsets"},
	} {
		_, err := trySource(t, config(path, c.pairs...), c.origin)
		wantError(t, err, oms.ErrFormat, c.complain)
	}
}

func TestSourceGoesOnAfterATableHasChanged(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)", "INSERT INTO t VALUES (1, 'a1', 'b1')")
	src := startSource(t, config(path, "table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id"))
	msgs, _ := pollAll(t, src)
	run(t, db, "ALTER TABLE t ADD COLUMN c TEXT DEFAULT 'new'", "INSERT INTO t (id, a, b) VALUES (2, 'a2', 'b2')")
	more, _ := pollAll(t, src)
	msgs = append(msgs, more...)
	run(t, db, "ALTER TABLE t DROP COLUMN a", "INSERT INTO t (id, b) VALUES (3, 'b3')")
	more, _ = pollAll(t, src)
	want(t, values(t, append(msgs, more...)), "1 a1 b1", "2 a2 b2 new", "3 b3 new")

	run(t, db, "ALTER TABLE t RENAME COLUMN id TO number")
	_, err := src.Poll(t.Context())
	wantError(t, err, oms.ErrNotFound, "incrementing.column.name", `"id" in table t`, "number, b, c")
	run(t, db, "DROP TABLE t")
	_, err = src.Poll(t.Context())
	wantError(t, err, oms.ErrNotFound, "table.whitelist", "there are: none")
}

func TestRowsWithoutAKeyAreReadAgainAfterVacuum(t *testing.T) {
	path, db := create(t, rows, "CREATE TABLE t (v)", "INSERT INTO t SELECT value FROM rows")
	kv := config(path, "table.whitelist", "t", "batch.max.rows", "10")
	src := startSource(t, kv)
	page, err := src.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored := positions(page)
	// The row identifiers behind the position become smaller.
	run(t, db, "DELETE FROM t WHERE v < 9", "VACUUM")
	rest, _ := pollAll(t, src)
	after, _ := pollAll(t, startSource(t, kv, stored...))
	for _, msgs := range [][]*oms.Message{rest, after} {
		if got := values(t, msgs); len(got) != 32 || got[0] != "9" {
			t.Errorf("%d rows after VACUUM, the first %v; want all 32 again", len(got), got[:min(1, len(got))])
		}
	}
}

func TestFileThatIsReplacedIsNotReadOn(t *testing.T) {
	path, _ := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	src := startSource(t, config(path, "table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id"))
	if _, err := src.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	_, err := src.Poll(t.Context())
	wantError(t, err, oms.ErrUnavailable, path, "deleted or replaced")
}

func TestTopicThatATableCannotHaveIsRefused(t *testing.T) {
	path, _ := create(t, "CREATE TABLE `two words` (id)")
	_, err := trySource(t, config(path, "table.whitelist", "two words", "topic.prefix", "db."))
	wantError(t, err, oms.ErrNotFound, "topic.prefix", "space")
	if _, err := trySource(t, config(path, "table.whitelist", "two words")); err != nil {
		t.Error(err)
	}
}

func TestStoppingASourceThatDidNotStartIsFine(t *testing.T) {
	for _, p := range []connect.Plugin{sql.SourcePlugin(), sql.SinkPlugin()} {
		c, err := p.New(connect.Env{})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		c.OnFailed(ctx, errors.New("first cause"))
		if err := errors.Join(c.OnStop(ctx), c.OnDestroyed(ctx)); err != nil {
			t.Errorf("%s: %v", p.Class, err)
		}
	}
}
