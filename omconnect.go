// Package omconnect is the gateway as a program: it reads flags, environment
// and gateway.yaml, wires drivers, stores, connectors and REST together, runs
// them and stops them in reverse. Everything that it wires stands in packages
// of its own; this one knows them all and is known by mains only.
//
// A main of one's own imports further connectors or drivers, which register
// themselves, and is a whole gateway:
//
//	package main
//
//	import (
//		"github.com/omconnect/omconnect"
//		_ "example.org/warehouse" // a connector
//	)
//
//	func main() { omconnect.Main() }
//
// # Exit codes
//
// 0: good. 1: failed while running. 2: bad usage or configuration, which
// starting again does not mend.
//
// # Secrets
//
// Access points and URLs of state stores may hold passwords. None is printed:
// every error and every attribute of a log record passes a filter that knows
// what a password in a URL looks like.
package omconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/omconnect/omconnect/internal/redact"
)

// Version is the version of this build. Released ones are built with
// -ldflags "-X github.com/omconnect/omconnect.Version=1.2.3".
var Version = "0.1.0-dev"

// The exit codes.
const (
	exitGood   = 0
	exitFailed = 1 // failed while running
	exitUsage  = 2 // bad usage or configuration
)

// heapGrowth is the garbage collector's target in percent, as in GOGC. What a
// gateway moves is garbage at once, and the server of an embedded broker lets
// go of what it cached only when it is collected: with Go's own 100 a gateway
// takes a third more memory, to save some hundredths of the CPU time.
const heapGrowth = 50

// Main runs the program with the arguments of the command line, and does not
// return. The first SIGINT or SIGTERM stops softly, the second at once. Of the
// environment, the Go runtime reads GOGC and GOMEMLIMIT; without a GOGC, it is
// 50.
func Main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	ctx, stop := untilSignal(context.Background(), os.Stderr, os.Exit)
	code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run runs the program until it is done, or until ctx is done and everything
// has stopped softly, and returns the exit code. A gateway's logger becomes the
// default one of the process, as drivers have no other.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := execute(ctx, args, &streams{args: args, in: stdin, out: stdout, err: stderr})
	if err == nil {
		return exitGood
	}
	report(stderr, err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// streams are what the program gets, reads and writes.
type streams struct {
	args []string
	in   io.Reader
	out  io.Writer // results
	err  io.Writer // logs, errors, progress
}

// A usageError is an error of whoever called the program.
type usageError struct{ error }

// Unwrap returns the error itself.
func (e usageError) Unwrap() error { return e.error }

// badUsage makes a usageError, with fmt.Errorf's arguments.
func badUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// report prints an error, each of its lines as one of the program's.
func report(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			_, _ = fmt.Fprintf(w, "omconnect: %s\n", printable(redact.Text(line)))
		}
	}
}
