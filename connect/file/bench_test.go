package file_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// BenchmarkSource reads 200,000 records of 1 KiB.
func BenchmarkSource(b *testing.B) {
	const records = 200_000
	pad := strings.Repeat("x", 1000)
	for _, tt := range []struct{ format, head, line string }{
		{"lines", "", pad + "%016d\n"},
		{"json", "", `{"id":%016d,"pad":"` + pad + "\"}\n"},
		{"csv", "id,pad\n", "%016d," + pad + "\n"},
	} {
		b.Run(tt.format, func(b *testing.B) {
			var text strings.Builder
			text.WriteString(tt.head)
			for i := range records {
				fmt.Fprintf(&text, tt.line, i+1_000_000_000_000_000)
			}
			path := filepath.Join(b.TempDir(), "input")
			write(b, path, text.String())
			b.SetBytes(int64(text.Len()))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				r := read(b, oms.KeyValue{"file": path, "format": tt.format}, "")
				n := 0
				for {
					msgs, err := r.Poll(b.Context())
					if n += len(msgs); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				if n != records {
					b.Fatalf("%d records", n)
				}
				r.stop()
			}
			runtime.ReadMemStats(&after)
			total := float64(records) * float64(b.N)
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/total, "allocs/record")
			b.ReportMetric(total/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkSink appends batches of 500 lines of 1 KiB.
func BenchmarkSink(b *testing.B) {
	batch := messages(repeated(strings.Repeat("x", 1024), 500)...)
	for _, fsync := range []string{"true", "false"} {
		b.Run("fsync="+fsync, func(b *testing.B) {
			w := start(b, oms.KeyValue{"file": filepath.Join(b.TempDir(), "out"), "fsync": fsync})
			b.SetBytes(500 * 1025)
			for b.Loop() {
				if err := w.Put(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
