package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain has this test binary be one side of a comparison, as the program
// itself is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == sideCommand {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestTheEmbeddedBrokerIsMeasured(t *testing.T) {
	var log bytes.Buffer
	b := &bench{
		pairs: 2, records: 1200, idle: 4, settle: time.Millisecond, watch: 50 * time.Millisecond, profiles: t.TempDir(), log: &log,
		// nats-server races with itself under the race detector when it syncs
		// more often.
		sync: time.Second,
	}
	report, err := b.report(t.Context(), partBroker, partPipeline, partStart, partIdle)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	hasRows(t, string(report),
		"publish, 1 partition", "receive, 1 partition", "publish, against no ids", "publish, 4 partitions", "receive, 4 partitions", "file to file",
		"empty", "of an earlier run")
	if _, err := os.Stat(filepath.Join(b.profiles, "oms-receive-4.prof")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("what was made is not removed: %v", err)
	}
}

func TestBrokersThatAreServersAreMeasured(t *testing.T) {
	var log bytes.Buffer
	b := &bench{pairs: 1, records: 6000, profiles: t.TempDir(), log: &log}
	report, err := b.report(t.Context(), partDrivers, partConnect)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	hasRows(t, string(report),
		"Kafka, send", "Kafka, receive", "RabbitMQ, send", "RabbitMQ, receive", "RocketMQ, send", "RocketMQ, receive",
		"file to Kafka", "Kafka to file")
	if _, err := os.Stat(filepath.Join(b.profiles, "rabbitmq-receive-1.prof")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Errorf("what was made is not removed: %v", err)
	}
}

// hasRows checks that a report has each of these rows once, with figures.
func hasRows(t *testing.T, report string, rows ...string) {
	t.Helper()
	for _, row := range rows {
		if n := strings.Count(report, "\n| "+row+" | "); n != 1 {
			t.Errorf("there are %d rows for %q in\n%s", n, row, report)
		}
	}
	for _, not := range []string{"NaN", "Inf", "%!", "| 0.00 |"} {
		if strings.Contains(report, not) {
			t.Errorf("%q stands in\n%s", not, report)
		}
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-only", "nothing"}, {"-only", "start,nothing"}, {"-only", "start,"}, {"-pairs", "0"}, {"-records", "-1"}, {"word"}, {"-nosuch"}} {
		if err := run(t.Context(), args, new(bytes.Buffer), new(bytes.Buffer)); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
	if err := side(t.Context(), `{"Client": "nobody", "Step": "publish"}`, new(bytes.Buffer)); err == nil {
		t.Error("a side that does not exist is measured")
	}
}

func TestFilesThatDifferAreTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := file("a", "1\n2\n3\n")
	if err := sameFiles(a, file("same", "1\n2\n3\n")); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"swapped": "2\n1\n3\n", "repeated": "1\n2\n2\n3\n", "shorter": "1\n2\n", "longer": "1\n2\n3\n4\n"} {
		if err := sameFiles(a, file(name, text)); err == nil {
			t.Errorf("a file with a line %s is the same", name)
		}
	}
}
