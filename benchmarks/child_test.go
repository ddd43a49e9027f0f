package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// shell starts a child that runs a script, and returns it when the script has
// said its first line.
func shell(t *testing.T, script string) *child {
	t.Helper()
	heard := make(chan struct{})
	first := true
	c, err := startChild("the script", exec.CommandContext(t.Context(), "sh", "-c", script), func([]byte) {
		if first {
			close(heard)
		}
		first = false
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-heard:
	case <-time.After(patience):
		t.Fatal("the script says nothing")
	}
	return c
}

// untilTold is a script that runs until it is told to end, and then ends with
// a status.
func untilTold(status string) string {
	return "trap 'exit " + status + "' TERM; echo up; while :; do sleep 0.05; done"
}

func TestAProcessThatFailsHasItsLastWordsInTheError(t *testing.T) {
	t.Parallel()
	c := shell(t, "echo to the one; echo to the other >&2; exit 3")
	err := c.wait()
	for _, want := range []string{"the script: exit status 3", "to the one\n", "to the other\n"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestAProcessThatSaysMuchIsRememberedByTheEnd(t *testing.T) {
	t.Parallel()
	c := shell(t, "i=0; while [ $i -lt 2000 ]; do echo line $i of many; i=$((i+1)); done; exit 1")
	err := c.wait()
	if err == nil || !strings.Contains(err.Error(), "line 1999 of many") || strings.Contains(err.Error(), "line 1 of many") {
		t.Errorf("got %v", err)
	}
}

func TestAWorkerEndsWellWhenItEndsAsJavaDoes(t *testing.T) {
	t.Parallel()
	if err := (&worker{shell(t, untilTold("143"))}).stop(); err != nil {
		t.Error(err)
	}
	if err := (&worker{shell(t, untilTold("0"))}).stop(); err != nil {
		t.Error(err)
	}
	if err := (&worker{shell(t, untilTold("1"))}).stop(); err == nil {
		t.Error("a worker that fails when it is told to end is no error")
	}
	if err := shell(t, untilTold("143")).stop(); err == nil {
		t.Error("another process that ends with 143 is no error")
	}
}

func TestJavaAndItsJarsAreThoseOfTheBroker(t *testing.T) {
	t.Parallel()
	java, jars, err := javaOf([]string{"/bin/java", "-Xmx1g", "-cp", "/jars/*", "kafka.Kafka"})
	if err != nil || java != "/bin/java" || jars != "/jars/*" {
		t.Errorf("got %q, %q, %v", java, jars, err)
	}
	for _, command := range [][]string{nil, {"/bin/java"}, {"/bin/java", "-cp"}} {
		if _, _, err := javaOf(command); err == nil {
			t.Errorf("%q: want an error", command)
		}
	}
}

func TestACopyIsMeasuredFromTheLastLookThatFoundNothing(t *testing.T) {
	t.Parallel()
	c := shell(t, untilTold("0"))
	looks := make(chan int64, 5)
	for _, n := range []int64{0, 0, 3, 3, 10} {
		looks <- n
	}
	var first time.Time // look, which is before the one that counts
	s, err := follow(t.Context(), c, func() (int64, error) {
		if first.IsZero() {
			first = time.Now()
		}
		return <-looks, nil
	}, 10)
	most := time.Since(first)
	if err != nil || len(looks) != 0 || s.Took <= 0 || s.Took > most || s.CPU < 0 {
		t.Errorf("got %+v with %d looks left, %v; want at most %v", s, len(looks), err, most)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestACopyThatCannotEndIsToldWhy(t *testing.T) {
	t.Parallel()
	never := func() (int64, error) { return 0, nil }
	c := shell(t, "echo out of memory; exit 1")
	if _, err := follow(t.Context(), c, never, 10); err == nil || !strings.Contains(err.Error(), "before everything was moved") || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("of a process that ended: %v", err)
	}
	c = shell(t, untilTold("0"))
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := follow(ended, c, never, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("of a run that ended: %v", err)
	}
	broken := errors.New("no broker")
	if _, err := follow(t.Context(), c, func() (int64, error) { return 0, broken }, 10); !errors.Is(err, broken) {
		t.Errorf("of a look that failed: %v", err)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestAStopwatchThatRunsIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	w := new(stopwatch)
	if err := w.begin(); err != nil {
		t.Fatal(err)
	}
	from := w.from
	if err := w.begin(); err != nil || w.from != from {
		t.Errorf("it began at %v, and again at %v: %v", from, w.from, err)
	}
}
