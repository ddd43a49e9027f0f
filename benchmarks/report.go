package main

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"
)

// startTarget is how soon a gateway should answer.
const startTarget = 300 * time.Millisecond

// write writes the report, in Markdown.
func (r *result) write(w *bytes.Buffer, b *bench) {
	fmt.Fprintf(w, `<!-- Written by "make bench"; changes are lost. -->

# Benchmarks

Measured by `+"`make bench`"+` (`+"`go run ./benchmarks -o docs/benchmarks.md`"+`; `+"`-h`"+` lists its flags) on %s/%s with %d CPUs and %s, in %d alternating pairs of %s.
`, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), goVersion(), b.pairs, count(b.records, "record")+" of 1 KiB")
	if len(r.comparisons)+len(r.drivers)+len(r.connect) > 0 {
		writeMethod(w, b.pairs)
	}
	if len(r.comparisons) > 0 {
		r.writeComparisons(w)
	}
	if len(r.drivers) > 0 {
		r.writeDrivers(w, b)
	}
	if len(r.connect) > 0 {
		r.writeConnect(w)
	}
	if len(r.starts) > 0 {
		r.writeStarts(w)
	}
	if r.idle != nil {
		r.writeIdle(w)
	}
}

// goVersion is that of Go without what experiments it was built with.
func goVersion() string {
	version, _, _ := strings.Cut(runtime.Version(), " ")
	return strings.Replace(version, "go", "Go ", 1)
}

func (r *result) writeComparisons(w *bytes.Buffer) {
	fmt.Fprint(w, "\n## Beside the client library\n\n")
	writeTable(w, r.comparisons)
	fmt.Fprintf(w, `
- Starting and closing are left out, except of the program.
- **Ours** in publish and receive is package oms over drivers/embedded with the defaults of connectors: batches of 500 messages, windows of 10,000; at the end of receiving, the acknowledgements are flushed, which waits until they are written.
- **Theirs** is the NATS client of Go (package jetstream) on a server in its process with the same settings: file streams, one for each partition, synced every 100 ms. It publishes asynchronously with up to %s unconfirmed, each message with an id so that it can be sent again without being stored twice ("no ids" leaves that out and promises less). It receives in a loop of Fetch for %s and an explicit Ack of each message, one loop for each partition, and waits for the answer to the last Ack.
- **File to file** is the program with file-source, embedded broker and file-sink, from the start of the process until the last line stands in the other file, which is then compared. Theirs is publishing and then receiving as many messages. Ours should take less than %d MiB.
`, count(bareWindow, "message"), count(bareFetch, "message"), pipelineLimit>>20)
}

func (r *result) writeStarts(w *bytes.Buffer) {
	fmt.Fprintf(w, `
## Start

From the start of the process until GET /connectors is answered with 200, in %s.

| data folder | ms | interval | target |
| --- | ---: | ---: | ---: |
`, count(len(r.starts), "start"))
	for _, row := range []struct {
		name string
		of   func(startSample) float64
	}{
		{"empty", func(s startSample) float64 { return millis(s.empty) }},
		{"of an earlier run", func(s startSample) float64 { return millis(s.previous) }},
	} {
		s := summarize(column(r.starts, row.of))
		fmt.Fprintf(w, "| %s | %.0f | %.0f–%.0f | < %.0f |\n", row.name, s.median, s.low, s.high, millis(startTarget))
	}
}

func (r *result) writeIdle(w *bytes.Buffer) {
	fmt.Fprintf(w, `
## Idle

%s that run and have nothing to do, half of them sources that follow an empty file, half of them sinks, two to a topic; watched for %.0f s after they have settled.

| resident MiB | peak MiB | CPU ms each second | share of one CPU |
| ---: | ---: | ---: | ---: |
| %.0f | %.0f | %.0f | %.1f %% |
`, count(r.idle.connectors, "connector"), r.idle.watched.Seconds(), mebi(r.idle.memory.now), mebi(r.idle.memory.peak), 1000*r.idle.share(), 100*r.idle.share())
}

// intervalSentence explains the intervals of n pairs.
func intervalSentence(n int) string {
	s := summarize(make([]float64, n))
	return fmt.Sprintf("The interval is made of two of the %d values themselves, equally far from the two ends; whatever their distribution, it has the true median in it with a confidence of %.1f %%.", n, 100*s.confidence)
}

// count writes a number with its noun, thousands apart.
func count(n int, noun string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		noun += "s"
	}
	return digits + " " + noun
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

func mebi(n int64) float64 { return math.Round(float64(n) / (1 << 20)) }

func (s sample) peakMiB() float64 { return mebi(s.Peak) }
