// Command benchmarks measures what the gateway costs over what it is built on,
// and writes docs/benchmarks.md. "make bench" runs it.
//
// A machine is never as fast twice, so figures are ratios: both sides are
// measured in one run, in alternating pairs, each in a process of its own, and
// the median of the paired ratios counts. What is measured:
//
//   - broker: package oms over drivers/embedded against the client library of
//     NATS on a server with the same settings: publishing, and receiving with
//     acknowledgements.
//   - pipeline: the program, from a file through the embedded broker into a
//     file, against the client library publishing and receiving as much.
//   - start: from the start of the process to the first answer of its API.
//   - idle: memory and CPU time of a gateway whose connectors wait.
//
// It reads /proc, so it needs Linux.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A bench is one run, and how it is made.
type bench struct {
	pairs    int
	records  int
	idle     int           // connectors
	settle   time.Duration // before idle connectors are watched
	watch    time.Duration // how long they are
	profiles string        // folder for CPU profiles; "" for none
	log      io.Writer
	self     string        // this program
	sync     time.Duration // how often brokers sync their files
	dir      string        // for everything that is made
	program  string        // the gateway
}

// syncInterval is the default of drivers/embedded.
const syncInterval = 100 * time.Millisecond

// parts are what -only chooses from.
var parts = []string{"broker", "pipeline", "start", "idle"}

// A result is what a run measured.
type result struct {
	comparisons []*comparison
	starts      []startSample
	idle        *idleSample
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// run is the program: one side of a comparison, or all of it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	if len(args) == 2 && args[0] == sideCommand {
		return side(ctx, args[1], stdout)
	}
	b := &bench{log: stderr, sync: syncInterval}
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&b.pairs, "pairs", 7, "how many `pairs` are measured; under six, intervals have less than 95 % confidence")
	flags.IntVar(&b.records, "records", 500_000, "how many `records` are moved at a time")
	flags.IntVar(&b.idle, "idle", 1000, "how many idle `connectors` are watched")
	flags.DurationVar(&b.settle, "settle", 30*time.Second, "how long they are left alone before")
	flags.DurationVar(&b.watch, "watch", 30*time.Second, "how long they are watched")
	flags.StringVar(&b.profiles, "profile", "", "write CPU profiles of the clients to this `folder`")
	only := flags.String("only", "", "measure only this: "+strings.Join(parts, ", "))
	out := flags.String("o", "", "write the report to this `file` instead of standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; there are only flags", flags.Arg(0))
	case *only != "" && !slices.Contains(parts, *only):
		return fmt.Errorf("-only %s: want one of %s", *only, strings.Join(parts, ", "))
	case b.pairs < 1 || b.records < 1:
		return errors.New("-pairs and -records must be positive")
	}
	report, err := b.report(ctx, *only)
	if err != nil {
		return err
	}
	if *out == "" {
		_, err = stdout.Write(report)
		return err
	}
	return os.WriteFile(*out, report, 0o644) //nolint:gosec // a document
}

// report measures and writes it down.
func (b *bench) report(ctx context.Context, only string) (report []byte, err error) {
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "omconnect-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	r, err := b.measure(ctx, only)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	r.write(&text, b)
	return text.Bytes(), nil
}

// say tells how far it is.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.log, format+"\n", args...) // a run does not fail for that
}

// measure measures one part, or all.
func (b *bench) measure(ctx context.Context, only string) (*result, error) {
	r := new(result)
	wanted := func(part string) bool { return only == "" || only == part }
	if only != "broker" { // everything else is the program's
		if err := b.build(ctx); err != nil {
			return nil, err
		}
	}
	if wanted("broker") {
		for _, partitions := range []int{1, 4} {
			cs, err := b.compareBroker(ctx, partitions)
			if err != nil {
				return nil, err
			}
			r.comparisons = append(r.comparisons, cs...)
		}
	}
	if wanted("pipeline") {
		c, err := b.comparePipeline(ctx)
		if err != nil {
			return nil, err
		}
		r.comparisons = append(r.comparisons, c)
	}
	if wanted("start") {
		err := b.inPairs("start", func() error {
			s, err := b.runStart(ctx)
			r.starts = append(r.starts, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if wanted("idle") {
		b.say("idle: %d connectors", b.idle)
		s, err := b.runIdle(ctx)
		if err != nil {
			return nil, fmt.Errorf("idle: %w", err)
		}
		r.idle = &s
	}
	return r, nil
}
