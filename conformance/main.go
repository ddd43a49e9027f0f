// Command conformance holds every driver to the rules of package omstest, each
// on its real broker, prints what holds by rule and driver, and writes it to
// docs/conformance.md, and the capabilities of the drivers also to README.md.
// "make conformance" runs it.
//
// Nothing is written when a rule is broken, or when a driver was not asked.
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

	"github.com/omconnect/omconnect/oms"

	_ "github.com/omconnect/omconnect" // registers the drivers
)

// What is written, from the top of the tree.
const (
	reportFile = "docs/conformance.md"
	readmeFile = "README.md"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	only := flags.String("only", "", "names of drivers, separated by commas; nothing is written then")
	if err := flags.Parse(args); err != nil {
		return err
	}
	asked, err := choose(*only)
	if err != nil {
		return err
	}
	var seen []*column
	for _, s := range asked {
		if _, err := fmt.Fprintf(out, "%s: %s of %s\n", s.name, s.test, s.folder); err != nil {
			return err
		}
		c, err := s.ask(ctx)
		if err != nil {
			return err
		}
		seen = append(seen, c)
	}
	if _, err := io.WriteString(out, rules(seen)); err != nil {
		return err
	}
	if err := broken(seen); err != nil {
		return err
	}
	if len(asked) < len(subjects) {
		return nil
	}
	table, err := capabilities(&oms.Default)
	if err != nil {
		return err
	}
	if err := os.WriteFile(reportFile, report(seen, table), 0o644); err != nil { //nolint:gosec // documentation, for all to read
		return err
	}
	readme, err := os.ReadFile(readmeFile)
	if err != nil {
		return err
	}
	if readme, err = replace(readme, table); err != nil {
		return fmt.Errorf("%s: %w", readmeFile, err)
	}
	return os.WriteFile(readmeFile, readme, 0o644) //nolint:gosec // documentation, for all to read
}

// choose returns the subjects that are named, all for "".
func choose(names string) ([]subject, error) {
	if names == "" {
		return subjects, nil
	}
	var chosen []subject
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only: there is no driver %q", name)
		}
		chosen = append(chosen, subjects[i])
	}
	return chosen, nil
}

// The marks around README's table.
const (
	tableBegins = "<!-- capabilities: written by `make conformance` -->\n"
	tableEnds   = "<!-- end of capabilities -->\n"
)

// replace puts the table between its marks in a text.
func replace(text []byte, table string) ([]byte, error) {
	before, rest, ok := bytes.Cut(text, []byte(tableBegins))
	_, after, ends := bytes.Cut(rest, []byte(tableEnds))
	if !ok || !ends {
		return nil, errors.New("it has no marks between which the table of capabilities stands")
	}
	return slices.Concat(before, []byte(tableBegins+table+tableEnds), after), nil
}
