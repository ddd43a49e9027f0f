package sql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

const benchTable = `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, placed TIMESTAMP, price DECIMAL(10,2), weight REAL, paid BOOLEAN, note TEXT)`

// benchRows makes a database of n rows.
func benchRows(b *testing.B, n int) string {
	b.Helper()
	path, _ := create(b, benchTable, fmt.Sprintf(`INSERT INTO t WITH RECURSIVE r(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM r WHERE v < %d)
		SELECT v, 'name ' || v, '2024-02-29 12:30:00.250', v / 100.0, v * 1.5, v %% 2, 'a note of some words for row ' || v FROM r`, n))
	return path
}

func BenchmarkSource(b *testing.B) {
	const n = 20_000
	path := benchRows(b, n)
	for b.Loop() {
		if msgs, _ := pollAll(b, startSource(b, config(path, "table.whitelist", "t"))); len(msgs) != n {
			b.Fatalf("%d rows", len(msgs))
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkSink(b *testing.B) {
	const n = 20_000
	msgs, _ := pollAll(b, startSource(b, config(benchRows(b, n), "table.whitelist", "t")))
	for _, mode := range []string{"insert", "upsert"} {
		for _, size := range []int{100, 500, 2000} {
			b.Run(fmt.Sprintf("%s/batch=%d", mode, size), func(b *testing.B) {
				var spent time.Duration
				for b.Loop() {
					path, _ := create(b, benchTable)
					sink := startSink(b, config(path, "insert.mode", mode, "table.name.format", "t"))
					began := time.Now()
					for i := 0; i < n; i += size {
						put(b, sink, msgs[i:i+size]...)
					}
					spent += time.Since(began)
				}
				b.ReportMetric(n*float64(b.N)/spent.Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkSinkRepeats is an upsert of rows that are there already.
func BenchmarkSinkRepeats(b *testing.B) {
	const n = 5000
	path := benchRows(b, n)
	var msgs []*oms.Message
	msgs, _ = pollAll(b, startSource(b, config(path, "table.whitelist", "t")))
	sink := startSink(b, config(path, "insert.mode", "upsert", "table.name.format", "t"))
	for b.Loop() {
		for i := 0; i < n; i += 500 {
			put(b, sink, msgs[i:i+500]...)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
