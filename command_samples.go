package omconnect

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// samplesCommand is omconnect test.
type samplesCommand struct {
	outputFlag

	Files []string `arg:"" name:"file" help:"Records in, records out: a file in YAML or JSON with a connector and its cases."`
}

// A caseResult is what became of a case, as JSON has it.
type caseResult struct {
	File        string       `json:"file"`
	Line        int          `json:"line"`
	Case        string       `json:"case"`
	Passed      bool         `json:"passed"`
	Differences []difference `json:"differences,omitempty"`
}

// Run puts the records of every case through the transforms and converters of
// the connector, and compares what comes out. Nothing is run when a file is
// wrong.
func (c *samplesCommand) Run(ctx context.Context, s *streams, plugins *connect.Plugins) error {
	var files []*sampleFile
	var wrong []string
	for _, path := range c.Files {
		file, err := readSamples(path, plugins)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		files = append(files, file)
	}
	if len(wrong) > 0 {
		return badUsage("%s", strings.Join(wrong, "\n"))
	}
	results, failed := []caseResult{}, 0
	for _, file := range files {
		for _, sample := range file.cases {
			differences, err := file.try(ctx, sample, plugins)
			if err != nil {
				return err
			}
			if len(differences) > 0 {
				failed++
			}
			results = append(results, caseResult{
				File: file.path, Line: sample.line, Case: sample.name, Passed: len(differences) == 0, Differences: differences,
			})
		}
	}
	if err := c.report(s.out, results); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, count(int64(len(results)), "case"))
	}
	return nil
}

// report prints the results.
func (c *samplesCommand) report(w io.Writer, results []caseResult) error {
	if c.Output == "json" {
		return writeJSON(w, results)
	}
	var b strings.Builder
	for _, r := range results {
		verdict := "ok    "
		if !r.Passed {
			verdict = "FAILED"
		}
		fmt.Fprintf(&b, "%s %s:%d: %s\n", verdict, printable(r.File), r.Line, printable(r.Case))
		for _, d := range r.Differences {
			fmt.Fprintf(&b, "  %s\n    got   %s\n    want  %s\n", printable(d.Where), printable(d.Got), printable(d.Want))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// try runs a case on a chain of its own, as a task that begins with it.
func (f *sampleFile) try(ctx context.Context, sample sampleCase, plugins *connect.Plugins) ([]difference, error) {
	chain, err := connect.NewChain(plugins, f.kind, f.config)
	if err != nil {
		return nil, usageError{err} // it was made before: a plugin that does not do the same twice
	}
	defer chain.Close()
	var got []*oms.Message
	var failure error
	before := 0
	for _, r := range sample.in {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var out *oms.Message
		if out, failure = chain.Apply(f.message(r)); failure != nil {
			break
		}
		before++
		if out != nil {
			got = append(got, out)
		}
	}
	differences := compareFailures(before, failure, sample.failure)
	if sample.hasOut && (failure == nil || sample.failure != "") {
		differences = append(differences, compareRecords(got, sample.out)...)
	}
	f.hide(differences)
	return differences, nil
}

// message returns a record as the chain is given it: that of a sink has been
// received, that of a source has the topic that it is sent to.
func (f *sampleFile) message(s sampleRecord) *oms.Message {
	m := s.message()
	m.Topic = s.Topic
	if !s.has("topic") {
		m.Topic = f.topic()
	}
	switch {
	case f.kind == connect.KindSink:
		m.Receipt = f // any: it says that the record was received
		if s.Partition != nil {
			m.Partition = *s.Partition
		}
		if s.Offset != nil {
			m.Offset = *s.Offset
		}
	case s.Partition != nil:
		m.ToPartition = s.Partition
	}
	return m
}

// topic returns the topic of records that do not name one: the connector's, of
// several the first.
func (f *sampleFile) topic() string {
	return slices.Concat(oms.SplitList(f.config["topic"]), oms.SplitList(f.config["topics"]), []string{"test"})[0]
}

// compareFailures compares how a case ended with how it should. A record that
// fails is the one behind those that were read.
func compareFailures(before int, got error, want string) []difference {
	const nothing = "no failure"
	switch {
	case got == nil && want == "":
		return nil
	case got == nil:
		return []difference{{"error", nothing, want}}
	case want == "":
		want = nothing
	case strings.Contains(got.Error(), want):
		return nil
	}
	return []difference{{fmt.Sprintf("in %d, error", before+1), got.Error(), want}}
}
