package sql_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

// TestTargetFollowsItsSourceThroughRandomKills writes into a table at random,
// kills source and sink at random, repeats what had not been committed, and
// wants the target to be equal in the end.
func TestTargetFollowsItsSourceThroughRandomKills(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	path, db := create(t,
		"CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY, v, n INTEGER)",
		"CREATE INDEX by_n ON t (n)")
	target := t.TempDir() + "/target.db"
	kv := config(path,
		"table.whitelist", "t",
		"mode", "timestamp", "timestamp.column.name", "n",
		"batch.max.rows", fmt.Sprint(1+rng.IntN(6)))
	sinkConfig := config(target,
		"insert.mode", "upsert", "auto.create", "true", "table.name.format", "t")

	var stored []oms.Origin
	clock := 0
	for range 12 {
		src, sink := startSource(t, kv, stored...), startSink(t, sinkConfig)
		for range rng.IntN(6) {
			for range rng.IntN(8) {
				// Several rows share a moment. It never goes back.
				clock += rng.IntN(2)
				_, err := db.Exec("INSERT INTO t VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET v = ?2, n = ?3",
					fmt.Sprint("k", rng.IntN(25)), awkward(rng), clock)
				if err != nil {
					t.Fatal(err)
				}
			}
			clock++ // the moment is over before it is read
			msgs, err := src.Poll(t.Context())
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if rng.IntN(5) == 0 {
				break // read, and never written
			}
			put(t, sink, msgs...)
			if rng.IntN(5) == 0 {
				break // written, and never committed
			}
			stored = positions(msgs, stored...)
		}
	}
	msgs, _ := pollAll(t, startSource(t, kv, stored...))
	put(t, startSink(t, sinkConfig), msgs...)
	const all = "SELECT id, typeof(v), quote(v), hex(v), n FROM t ORDER BY id"
	if diff := cmp.Diff(query(t, db, all), query(t, open(t, target), all)); diff != "" {
		t.Errorf("seed %d (-source +target):\n%s", seed, diff)
	}
}

// TestSinkIsAMapOfRows puts random batches, good ones and bad ones, and holds
// the table against a map.
func TestSinkIsAMapOfRows(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	path, db := create(t, "CREATE TABLE t (a, b, v CHECK (v <> 'refused'), PRIMARY KEY (b, a))")
	sink := startSink(t, config(path, "insert.mode", "upsert", "delete.enabled", "true"))
	model := make(map[string]string)
	columns := []string{"v any", "a any key", "b any key"}

	for i := range 60 {
		var batch []*oms.Message
		bad := -1
		after := maps.Clone(model)
		for j := range rng.IntN(12) {
			a, b := int64(rng.IntN(3)), fmt.Sprint(rng.IntN(3))
			v := fmt.Sprint("v", i, "-", j)
			m := message(t, "t", int64(j), columns, v, a, b)
			key := fmt.Sprint(a, " ", b)
			switch rng.IntN(20) {
			case 0:
				m.Body = []byte("not a row")
			case 1:
				m = message(t, "t", int64(j), columns, "refused", a, b)
			case 2:
				m = message(t, "t", int64(j), columns, v, nil, b)
			case 3, 4, 5, 6:
				m.Body = nil
				if bad < 0 {
					delete(after, key)
				}
				batch = append(batch, m)
				continue
			default:
				if bad < 0 {
					after[key] = v
				}
				batch = append(batch, m)
				continue
			}
			if bad < 0 {
				bad = j
			}
			batch = append(batch, m)
		}
		for range 2 { // the same batch twice changes nothing
			err := sink.Put(t.Context(), batch)
			var partial *connect.PartialError
			switch {
			case bad < 0 && err != nil:
				t.Fatalf("seed %d, batch %d: %v", seed, i, err)
			case bad >= 0 && (!errors.As(err, &partial) || partial.Index != bad):
				t.Fatalf("seed %d, batch %d: %v, want a PartialError of index %d", seed, i, err, bad)
			}
			var wanted []string
			for key, v := range after {
				wanted = append(wanted, key+" "+v)
			}
			slices.Sort(wanted)
			got := query(t, db, "SELECT a, b, v FROM t ORDER BY a, b")
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Fatalf("seed %d, batch %d (-want +got):\n%s", seed, i, diff)
			}
		}
		model = after
	}
}

// TestSourceAndSinkShareAFile has both in one database and one process, where
// a careless look at the file would take the locks away.
func TestSourceAndSinkShareAFile(t *testing.T) {
	path, db := create(t, "CREATE TABLE a (id INTEGER PRIMARY KEY, v)", "CREATE TABLE b (id INTEGER PRIMARY KEY, v)")
	sink := startSink(t, config(path, "insert.mode", "upsert", "table.name.format", "b"))
	const count = 60
	for i := range count {
		run(t, db, fmt.Sprintf("INSERT INTO a VALUES (%d, 'v')", i))
		// A new instance looks at the file while others have it open.
		msgs, err := startSource(t, config(path, "query", fmt.Sprintf("SELECT * FROM a WHERE id = %d", i), "key.columns", "id")).Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		put(t, sink, msgs...)
	}
	want(t, query(t, db, "SELECT count(*) FROM b"), fmt.Sprint(count))
	want(t, query(t, db, "PRAGMA integrity_check"), "ok")
}

func TestPositionsAreCanonicalOrderedAndUnique(t *testing.T) {
	for kind, statements := range tables {
		path, _ := create(t, append([]string{rows}, statements...)...)
		src := startSource(t, config(path,
			"table.whitelist", "t", "batch.max.rows", "7",
			"mode", "timestamp+incrementing", "timestamp.column.name", "ts", "incrementing.column.name", "n"))
		msgs, _ := pollAll(t, src)
		seen := make(map[string]bool)
		for _, m := range msgs {
			for _, object := range []string{m.Origin.Partition, m.Origin.Position} {
				if object == "" {
					continue
				}
				canonical, err := oms.CanonicalObject(rawJSON(object))
				if err != nil || canonical != object {
					t.Errorf("%s: %s should be %s (%v)", kind, object, canonical, err)
				}
			}
			if m.Origin.Position != "" && seen[m.Origin.Position] {
				t.Errorf("%s: position %s stands there twice", kind, m.Origin.Position)
			}
			seen[m.Origin.Position] = true
		}
		if !slices.IsSortedFunc(msgs, func(a, b *oms.Message) int {
			return strings.Compare(stampOf(t, a), stampOf(t, b))
		}) {
			t.Errorf("%s: the rows are not in order", kind)
		}
	}
}

type rawJSON string

// MarshalJSON returns the text as it is.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func stampOf(t *testing.T, m *oms.Message) string {
	t.Helper()
	r, err := row.Decode(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Columns, func(c row.Column) bool { return c.Name == "ts" })
	return r.Values[i].(string)
}

func TestTasksOfASplitReadEveryTableOnce(t *testing.T) {
	var statements, names []string
	for i := range 7 {
		name := fmt.Sprint("t", i)
		names = append(names, name)
		statements = append(statements,
			"CREATE TABLE "+name+" (id INTEGER PRIMARY KEY)",
			fmt.Sprintf("INSERT INTO %s VALUES (%d)", name, i))
	}
	path, _ := create(t, statements...)
	kv := config(path, "table.whitelist", strings.Join(names, ","), "topic", "all", "mode", "bulk")
	splitter := startSource(t, kv).(connect.Splitter)
	for limit := 1; limit <= 8; limit++ {
		tasks, err := splitter.Split(t.Context(), kv, limit)
		if err != nil || len(tasks) > limit {
			t.Fatalf("limit %d: %d tasks, %v", limit, len(tasks), err)
		}
		var keys []string
		for _, task := range tasks {
			msgs, _ := pollAll(t, startSource(t, task))
			for _, m := range msgs {
				keys = append(keys, string(m.Key))
			}
		}
		slices.Sort(keys)
		want(t, keys, `{"id":0}`, `{"id":1}`, `{"id":2}`, `{"id":3}`, `{"id":4}`, `{"id":5}`, `{"id":6}`)
	}
}
