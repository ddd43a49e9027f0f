package sql_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestSourceReadsWhileAnotherProgramWrites(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			path, db := create(t, "PRAGMA journal_mode = "+journal, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
			const count = 300
			src := startSource(t, config(path, "table.whitelist", "t", "mode", "incrementing", "incrementing.column.name", "id", "batch.max.rows", "20"))
			var writer sync.WaitGroup
			defer writer.Wait()
			writer.Go(func() {
				for i := range count {
					if _, err := db.Exec("INSERT INTO t VALUES (?, ?)", i+1, fmt.Sprint("v", i+1)); err != nil {
						t.Errorf("the writer was hindered: %v", err)
						return
					}
				}
			})
			next := 1
			for next <= count && !t.Failed() {
				msgs, err := src.Poll(t.Context())
				if err != nil && !errors.Is(err, oms.ErrBusy) {
					t.Fatal(err)
				}
				for _, line := range values(t, msgs) {
					if wanted := fmt.Sprintf("%d v%d", next, next); line != wanted {
						t.Fatalf("got %s, want %s", line, wanted)
					}
					next++
				}
			}
		})
	}
}

func TestLockedDatabaseIsBusyAndWorksAfterwards(t *testing.T) {
	path, db := create(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	src := startSource(t, config(path, "table.whitelist", "t"))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	_, err = src.Poll(t.Context())
	wantError(t, err, oms.ErrBusy, "table t")
	if !oms.IsTemporary(err) {
		t.Errorf("%v is not temporary", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	msgs, _ := pollAll(t, src)
	want(t, values(t, msgs), "1")
}

func TestLockedTargetIsBusyAndNothingIsWritten(t *testing.T) {
	path, db := create(t, "CREATE TABLE rows (id INTEGER PRIMARY KEY)")
	sink := startSink(t, config(path))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	m := message(t, "rows", 1, []string{"id int64 key"}, int64(1))
	err = sink.Put(t.Context(), []*oms.Message{m})
	wantError(t, err, oms.ErrBusy)
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	put(t, sink, m)
	want(t, query(t, db, "SELECT * FROM rows"), "1")
}

func TestFullDatabaseIsFullAndGoesOnWhenThereIsRoom(t *testing.T) {
	path, db := create(t, "CREATE TABLE rows (id INTEGER PRIMARY KEY, v BLOB)")
	sink := startSink(t, config(path, "insert.mode", "upsert"))
	columns := []string{"id int64 key", "v bytes"}
	put(t, sink, message(t, "rows", 1, columns, int64(1), []byte("x")))
	limitPages(t, sink, 4)
	big := message(t, "rows", 2, columns, int64(2), make([]byte, 100_000))
	err := sink.Put(t.Context(), []*oms.Message{message(t, "rows", 3, columns, int64(3), []byte("y")), big})
	wantError(t, err, oms.ErrFull)
	want(t, query(t, db, "SELECT id FROM rows"), "1")
	limitPages(t, sink, 1_000_000)
	put(t, sink, big)
	want(t, query(t, db, "SELECT id FROM rows"), "1", "2")
}

// copyOf copies a database as a crash would leave it: the file and its
// journal, without the memory that the programs shared.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal", "-journal"} {
		b, err := os.ReadFile(path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestCrashedWritersDatabaseIsReadOrWaitsForAWriter(t *testing.T) {
	path, _ := create(t, "PRAGMA journal_mode = WAL", "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	msgs, _ := pollAll(t, startSource(t, config(copyOf(t, path), "table.whitelist", "t")))
	want(t, values(t, msgs), "1")

	path, db := create(t, rows, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t SELECT value, zeroblob(60000) FROM rows")
	db.SetMaxOpenConns(1)
	run(t, db, "PRAGMA cache_size = 1", "PRAGMA synchronous = FULL", "BEGIN", "UPDATE t SET v = randomblob(60000)")
	crashed := copyOf(t, path)
	_, err := trySource(t, config(crashed, "table.whitelist", "t"))
	wantError(t, err, oms.ErrUnavailable, "a writer died", "repairs it")
	want(t, query(t, open(t, crashed), "SELECT count(*), sum(v = zeroblob(60000)) FROM t"), "40 40")
	msgs, _ = pollAll(t, startSource(t, config(crashed, "table.whitelist", "t")))
	if len(msgs) != 40 {
		t.Errorf("%d of 40 rows after the repair", len(msgs))
	}
}
