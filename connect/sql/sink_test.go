package sql_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

func limitPages(t *testing.T, s connect.Sink, n int) {
	t.Helper()
	if err := sql.LimitPages(s, n); err != nil {
		t.Fatal(err)
	}
}

var person = []string{"id int64 key", "name text", "age any"}

func TestUpsertReplacesRowsAndTheSameBatchTwiceChangesNothing(t *testing.T) {
	path, db := create(t, "CREATE TABLE people (age, Name, ID INTEGER PRIMARY KEY, extra DEFAULT 'kept')")
	sink := startSink(t, config(path, "insert.mode", "upsert"))
	batch := []*oms.Message{
		message(t, "people", 1, person, int64(1), "Ann", int64(30)),
		message(t, "people", 2, person, int64(2), "Bob", nil),
		message(t, "people", 3, person, int64(1), "Ann", int64(31)), // a change within the batch
	}
	wanted := []string{"31 Ann 1 kept", "<nil> Bob 2 kept"}
	for range 2 {
		put(t, sink, batch...)
		want(t, query(t, db, "SELECT * FROM people ORDER BY id"), wanted...)
	}
	put(t, sink, message(t, "people", 4, []string{"id int64 key", "name text"}, int64(1), "Anne"))
	want(t, query(t, db, "SELECT * FROM people ORDER BY id"), "31 Anne 1 kept", wanted[1])
}

func TestUpsertOfNothingButAKeyLeavesTheRow(t *testing.T) {
	path, db := create(t, "CREATE TABLE seen (id INTEGER PRIMARY KEY, n DEFAULT 7)")
	sink := startSink(t, config(path, "insert.mode", "upsert"))
	m := message(t, "seen", 1, []string{"id int64 key"}, int64(1))
	put(t, sink, m, m)
	put(t, sink, m)
	want(t, query(t, db, "SELECT * FROM seen"), "1 7")
}

func TestUpsertGoesByAnyUniqueColumns(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, v, UNIQUE (b, a))")
	sink := startSink(t, config(path, "insert.mode", "upsert", "pk.fields", "a,b"))
	columns := []string{"a any", "b any", "v any"}
	put(t, sink, message(t, "t", 1, columns, "x", "y", int64(1)), message(t, "t", 2, columns, "x", "y", int64(2)), message(t, "t", 3, columns, "y", "x", int64(3)))
	want(t, query(t, db, "SELECT a, b, v FROM t ORDER BY id"), "x y 2", "y x 3")
}

func TestInsertAddsRowsAndReportsTheOneThatIsThere(t *testing.T) {
	path, db := create(t, "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age)", "INSERT INTO people VALUES (3, 'there', 1)")
	sink := startSink(t, config(path))
	batch := []*oms.Message{
		message(t, "people", 10, person, int64(1), "a", nil),
		message(t, "people", 11, person, int64(2), "b", nil),
		message(t, "people", 12, person, int64(3), "c", nil),
		message(t, "people", 13, person, int64(4), "d", nil),
	}
	err := sink.Put(t.Context(), batch)
	var partial *connect.PartialError
	if !errors.As(err, &partial) || partial.Index != 2 {
		t.Fatalf("Put returned %v, want a PartialError of index 2", err)
	}
	wantError(t, err, oms.ErrExists, "topic people, partition 0, offset 12", "table people", "people.id")
	want(t, query(t, db, "SELECT id, name FROM people"), "1 a", "2 b", "3 there")
	put(t, sink, batch[3])

	err = sink.Put(t.Context(), []*oms.Message{message(t, "people", 14, person, int64(5), nil, nil)})
	wantError(t, err, oms.ErrInvalid, "offset 14", "people.name")
	if !errors.As(err, &partial) || partial.Index != 0 {
		t.Errorf("Put returned %v, want a PartialError of index 0", err)
	}
	want(t, query(t, db, "SELECT count(*) FROM people"), "4")
}

func TestMessageThatIsNoRowIsReportedAndThoseBeforeItAreSafe(t *testing.T) {
	path, db := create(t, "CREATE TABLE people (id INTEGER PRIMARY KEY, name, age)")
	sink := startSink(t, config(path))
	for i, body := range []string{`hello`, `{"id":1}`, ``, `{"form":2,"schema":{},"row":{}}`} {
		good := message(t, "people", 1, person, int64(i), "x", nil)
		bad := &oms.Message{Topic: "people", Partition: 3, Offset: 7, Body: []byte(body)}
		err := sink.Put(t.Context(), []*oms.Message{good, bad, good})
		var partial *connect.PartialError
		if !errors.As(err, &partial) || partial.Index != 1 {
			t.Fatalf("%q: Put returned %v, want a PartialError of index 1", body, err)
		}
		wantError(t, err, oms.ErrFormat, "topic people, partition 3, offset 7")
		want(t, query(t, db, "SELECT count(*) FROM people"), fmt.Sprint(i+1))
	}
}

func TestTableIsCreatedWithTheTypesOfTheRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	sink := startSink(t, config(path, "auto.create", "true", "insert.mode", "upsert", "table.name.format", "copy_of_${topic}"))
	put(t, sink, message(t, "t", 1, []string{
		"id int64 key", "a any", "b boolean", "c bytes", "d date", "e decimal", "f float64", "g text", "h time", "i timestamp", "j timestamptz", "k text key",
	}, int64(1), nil, true, []byte{1}, row.Date("2020-01-01"), row.Decimal("1.50"), 1.5, "x", row.Time("01:02:03"),
		row.Timestamp("2020-01-01T01:02:03"), row.TimestampTZ("2020-01-01T01:02:03Z"), "key"))
	db := open(t, path)
	want(t, query(t, db, "SELECT name, type, pk FROM pragma_table_xinfo('copy_of_t')"),
		"id INTEGER 1", "a  0", "b BOOLEAN 0", "c BLOB 0", "d DATE 0", "e DECIMAL 0", "f REAL 0", "g TEXT 0", "h TIME 0", "i TIMESTAMP 0", "j TIMESTAMPTZ 0", "k TEXT 2")
	want(t, query(t, db, "SELECT b + 0, '' || d, '' || i, '' || j FROM copy_of_t"), "1 2020-01-01 2020-01-01 01:02:03 2020-01-01 01:02:03Z")
}

func TestNilFromPutMeansOnDisk(t *testing.T) {
	path, _ := create(t, "CREATE TABLE t (id)")
	sink := startSink(t, config(path))
	for name, wanted := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		if got, err := sql.Pragma(sink, name); got != wanted || err != nil {
			t.Errorf("%s = %s, %v; want %s", name, got, err, wanted)
		}
	}
}

func TestMissingTablesAndColumnsSayWhatToDo(t *testing.T) {
	path, db := create(t, "CREATE TABLE people (id INTEGER PRIMARY KEY, name)", "CREATE TABLE loose (id, name, age)")
	for _, c := range []struct {
		topic string
		pairs []string
		code  oms.Code
		want  []string
	}{
		{"persons", nil, oms.ErrNotFound, []string{"persons", "there are: loose, people", "auto.create=true", "table.name.format"}},
		{"people", nil, oms.ErrNotFound, []string{"table people", `no column "age"`, "id, name", "Add the column"}},
		{"loose", []string{"insert.mode", "upsert"}, oms.ErrInvalid, []string{"table loose", "no primary key or unique index of just the columns (id)", "it has: none"}},
		{"loose", []string{"insert.mode", "upsert", "pk.fields", "id,nom"}, oms.ErrInvalid, []string{"pk.fields", "it has: id, name, age"}},
		{"new", []string{"auto.create", "true", "pk.fields", "nom"}, oms.ErrInvalid, []string{"pk.fields", "it has: id, name, age"}},
	} {
		err := startSink(t, config(path, c.pairs...)).Put(t.Context(), []*oms.Message{message(t, c.topic, 5, person, int64(1), "x", nil)})
		wantError(t, err, c.code, append(c.want, "offset 5")...)
		if partial := new(connect.PartialError); !errors.As(err, &partial) || partial.Index != 0 {
			t.Errorf("%v is not a PartialError of index 0", err)
		}
	}
	sink := startSink(t, config(path, "insert.mode", "upsert", "table.name.format", "people"))
	err := sink.Put(t.Context(), []*oms.Message{message(t, "x", 5, []string{"id int64"}, int64(1))})
	wantError(t, err, oms.ErrInvalid, "no key to replace others by", "pk.fields")

	// What was missing may be made while the sink runs.
	m := message(t, "people", 6, person, int64(1), "x", int64(9))
	err = sink.Put(t.Context(), []*oms.Message{m})
	wantError(t, err, oms.ErrNotFound, `no column "age"`)
	run(t, db, "ALTER TABLE people ADD COLUMN age")
	put(t, sink, m)
	want(t, query(t, db, "SELECT * FROM people"), "1 x 9")
}

func TestTableThatIsDroppedIsCreatedAgain(t *testing.T) {
	path, db := create(t)
	sink := startSink(t, config(path, "auto.create", "true", "insert.mode", "upsert"))
	put(t, sink, message(t, "people", 1, person, int64(1), "x", nil))
	run(t, db, "DROP TABLE people")
	put(t, sink, message(t, "people", 1, person, int64(1), "x", nil), message(t, "people", 2, person, int64(2), "y", nil))
	want(t, query(t, db, "SELECT id FROM people"), "1", "2")
}

func TestDeletionsAreDoneInOrderAndOnlyWhereAllowed(t *testing.T) {
	path, db := create(t, "CREATE TABLE people (id INTEGER PRIMARY KEY, name, age, UNIQUE (name))")
	kv := config(path, "insert.mode", "upsert", "delete.enabled", "true")
	sink := startSink(t, kv)
	tombstone := func(key string) *oms.Message { return &oms.Message{Topic: "people", Key: []byte(key), Offset: 9} }
	put(t, sink,
		message(t, "people", 1, person, int64(1), "a", nil),
		message(t, "people", 2, person, int64(2), "b", nil),
		tombstone(`{"id":1}`),
		message(t, "people", 4, person, int64(1), "again", nil),
		tombstone(`{"id":2}`),
		tombstone(`{"id":77}`), // gone already
	)
	want(t, query(t, db, "SELECT id, name FROM people"), "1 again")
	put(t, sink, tombstone(`{"name":"again"}`))
	want(t, query(t, db, "SELECT count(*) FROM people"), "0")

	for key, part := range map[string]string{
		`{"age":1}`:          "of just the columns (age)",
		`{"id":1,"name":""}`: "of just the columns (id, name)",
		`{"idd":1}`:          `no column "idd"`,
		`{"id":null}`:        `"id" is NULL`,
		`1`:                  "not the key of a row",
		``:                   "not the key of a row",
	} {
		err := sink.Put(t.Context(), []*oms.Message{tombstone(key)})
		if err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "offset 9") {
			t.Errorf("deletion of %s: error %v, want one with %q", key, err, part)
		}
	}
	other := startSink(t, config(path, "insert.mode", "upsert", "delete.enabled", "true", "pk.fields", "name"))
	err := other.Put(t.Context(), []*oms.Message{tombstone(`{"id":1}`)})
	wantError(t, err, oms.ErrInvalid, "pk.fields says name")

	if !sink.(connect.TombstoneHandler).HandlesTombstones() || startSink(t, config(path)).(connect.TombstoneHandler).HandlesTombstones() {
		t.Error("HandlesTombstones is not what delete.enabled says")
	}
	err = startSink(t, config(path)).Put(t.Context(), []*oms.Message{tombstone(`{"id":1}`)})
	wantError(t, err, oms.ErrUnsupported, "delete.enabled=true")
	wantError(t, sql.SinkPlugin().Def.Validate(config(path, "delete.enabled", "true")), oms.ErrInvalid, "delete.enabled: it needs insert.mode=upsert")
}

func TestDeletionBeforeTheFirstRowHasNothingToDelete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	sink := startSink(t, config(path, "auto.create", "true", "insert.mode", "upsert", "delete.enabled", "true"))
	put(t, sink, &oms.Message{Topic: "people", Key: []byte(`{"id":1}`)}, message(t, "people", 1, person, int64(1), "x", nil))
	want(t, query(t, open(t, path), "SELECT id FROM people"), "1")
}

func TestRowsWithoutAKeyValueAreRefused(t *testing.T) {
	path, db := create(t, "CREATE TABLE people (id INTEGER PRIMARY KEY, name, age)", "CREATE TABLE loose (id, name, age)")
	for _, mode := range []string{"insert", "upsert"} {
		err := startSink(t, config(path, "insert.mode", mode)).Put(t.Context(), []*oms.Message{message(t, "people", 1, person, nil, "x", nil)})
		wantError(t, err, oms.ErrInvalid, `key column "id" is NULL`)
	}
	put(t, startSink(t, config(path)), message(t, "loose", 1, person, nil, "x", nil))
	want(t, query(t, db, "SELECT * FROM loose"), "<nil> x <nil>")
}

func TestValueThatSQLiteDoesNotHaveIsRefused(t *testing.T) {
	path, _ := create(t, "CREATE TABLE t (f)")
	err := startSink(t, config(path)).Put(t.Context(), []*oms.Message{message(t, "t", 1, []string{"f float64"}, math.NaN())})
	wantError(t, err, oms.ErrInvalid, `column "f"`, "NaN")
}

func TestNamesFromDataCannotBreakOut(t *testing.T) {
	path, db := create(t, "CREATE TABLE victim (id)")
	sink := startSink(t, config(path, "auto.create", "true", "insert.mode", "upsert", "delete.enabled", "true"))
	for i, name := range []string{
		`"; DROP TABLE victim; --`, "`; DROP TABLE victim; --", "'; DROP TABLE victim; --", "]; DROP TABLE victim; --", "x` (id); DROP TABLE victim; --",
		"``", "a`", `"`, "select", "1", "é𝄞", "a b", "main.victim", "x\ny", "--", "/*", "?", "?1", ":a", "$a", "NULL", "rowid", strings.Repeat("n", 128),
	} {
		m := message(t, name, 1, []string{"id int64 key"}, int64(i))
		r := row.Row{Columns: []row.Column{{Name: name, Type: row.TypeText}, {Name: "key" + name[:min(len(name), 100)], Type: row.TypeText, Key: true}}, Values: []any{name, name}}
		var err error
		if m.Key, m.Body, err = row.Encode(r); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			put(t, sink, m)
		}
		quoted := "`" + strings.ReplaceAll(name, "`", "``") + "`"
		if diff := cmp.Diff([]string{name}, query(t, db, "SELECT "+quoted+" FROM "+quoted)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
		put(t, sink, &oms.Message{Topic: name, Key: m.Key})
		want(t, query(t, db, "SELECT count(*) FROM "+quoted), "0")
	}
	want(t, query(t, db, "SELECT count(*) FROM sqlite_master WHERE name = 'victim'"), "1")
	for _, name := range []string{"", "a\x00b", "\xff", "sqlite_master", "SQLite_x", strings.Repeat("n", 129)} {
		err := sink.Put(t.Context(), []*oms.Message{message(t, name, 1, []string{"id int64 key"}, int64(1))})
		wantError(t, err, oms.ErrInvalid, "table.name.format")
		if name == "" || name == "\xff" {
			continue // no column of the row form
		}
		err = sink.Put(t.Context(), []*oms.Message{message(t, "fresh", 1, []string{name + " int64 key"}, int64(1))})
		wantError(t, err, oms.ErrInvalid)
	}
}

func TestFileThatIsDeletedDoesNotSwallowWrites(t *testing.T) {
	path, _ := create(t, "CREATE TABLE people (id, name, age)")
	sink := startSink(t, config(path))
	put(t, sink, message(t, "people", 1, person, int64(1), "x", nil))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	err := sink.Put(t.Context(), []*oms.Message{message(t, "people", 2, person, int64(2), "x", nil)})
	wantError(t, err, oms.ErrUnavailable, "deleted or replaced")
}

func TestSinkKeysAreChecked(t *testing.T) {
	wantError(t, sql.SinkPlugin().Def.Validate(oms.KeyValue{
		"connection.url": "sqlite:///x.db", "insert.mode": "update", "table.name.format": "${topic}_${date}", "auto.create": "yes", "auto.evolve": "true",
	}), oms.ErrInvalid, "insert.mode", "table.name.format", "${topic}", "auto.create", "auto.evolve: unknown key")
}

func TestEmptyBatchIsFine(t *testing.T) {
	path, _ := create(t, "CREATE TABLE t (id)")
	put(t, startSink(t, config(path)))
}
