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
//   - drivers: package oms over the driver of Kafka, RabbitMQ or RocketMQ
//     against a client library of that broker, on a real one.
//   - connect: the program from a file into Kafka, and from there into a file,
//     against Kafka Connect.
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
	"log/slog"
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
	topics   int           // that were made
}

// syncInterval is the default of drivers/embedded.
const syncInterval = 100 * time.Millisecond

// The parts.
const (
	partBroker   = "broker"
	partPipeline = "pipeline"
	partDrivers  = "drivers"
	partConnect  = "connect"
	partStart    = "start"
	partIdle     = "idle"
)

// parts are what -only chooses from. The three behind partDrivers are its own.
var parts = []string{partBroker, partPipeline, partDrivers, clientKafka, clientRabbitMQ, clientRocketMQ, partConnect, partStart, partIdle}

// A result is what a run measured.
type result struct {
	comparisons []*comparison // with the library that the embedded broker is made of
	drivers     []*comparison
	connect     []*comparison
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
	// That a topic has one replica only is meant.
	slog.SetLogLoggerLevel(slog.LevelError)
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
	only := flags.String("only", "", "measure only these `parts`, separated by commas: "+strings.Join(parts, ", "))
	out := flags.String("o", "", "write the report to this `file` instead of standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; there are only flags", flags.Arg(0))
	case b.pairs < 1 || b.records < 1:
		return errors.New("-pairs and -records must be positive")
	}
	chosen, err := chooseParts(*only)
	if err != nil {
		return err
	}
	report, err := b.report(ctx, chosen...)
	if err != nil {
		return err
	}
	if *out == "" {
		_, err = stdout.Write(report)
		return err
	}
	return os.WriteFile(*out, report, 0o644) //nolint:gosec // a document
}

// chooseParts reads a list of parts. An empty one means all.
func chooseParts(list string) (chosen []string, err error) {
	if list == "" {
		return nil, nil
	}
	chosen = strings.Split(list, ",")
	for _, part := range chosen {
		if !slices.Contains(parts, part) {
			return nil, fmt.Errorf("-only %s: there is no part %q; there are %s", list, part, strings.Join(parts, ", "))
		}
	}
	return chosen, nil
}

// report measures and writes it down.
func (b *bench) report(ctx context.Context, only ...string) (report []byte, err error) {
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

// measure measures some parts, or all.
func (b *bench) measure(ctx context.Context, only []string) (*result, error) {
	r := new(result)
	for _, part := range []struct {
		names   []string
		program bool // it is of the program
		measure func(context.Context, *result) error
	}{
		{[]string{partBroker}, false, b.measureBroker},
		{[]string{partPipeline}, true, b.measurePipeline},
		{[]string{partStart}, true, b.measureStart},
		{[]string{partIdle}, true, b.measureIdle},
		{[]string{partDrivers, clientKafka}, false, b.driver(kafkaRivals)},
		{[]string{partDrivers, clientRabbitMQ}, false, b.driver(rabbitmqRivals)},
		{[]string{partDrivers, clientRocketMQ}, false, b.driver(rocketmqRivals)},
		{[]string{partConnect}, true, b.measureConnect},
	} {
		chosen := func(name string) bool { return slices.Contains(only, name) }
		if len(only) > 0 && !slices.ContainsFunc(part.names, chosen) {
			continue
		}
		if part.program && b.program == "" {
			if err := b.build(ctx); err != nil {
				return nil, err
			}
		}
		if err := part.measure(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (b *bench) measureBroker(ctx context.Context, r *result) error {
	for _, partitions := range []int{1, 4} {
		cs, err := b.compareBroker(ctx, partitions)
		if err != nil {
			return err
		}
		r.comparisons = append(r.comparisons, cs...)
	}
	return nil
}

func (b *bench) measurePipeline(ctx context.Context, r *result) error {
	c, err := b.comparePipeline(ctx)
	if err != nil {
		return err
	}
	r.comparisons = append(r.comparisons, c)
	return nil
}

func (b *bench) measureStart(ctx context.Context, r *result) error {
	return b.inPairs("start", func() error {
		s, err := b.runStart(ctx)
		r.starts = append(r.starts, s)
		return err
	})
}

func (b *bench) measureIdle(ctx context.Context, r *result) error {
	b.say("idle: %d connectors", b.idle)
	s, err := b.runIdle(ctx)
	if err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	r.idle = &s
	return nil
}
