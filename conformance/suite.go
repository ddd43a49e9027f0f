package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms/omstest"
)

// A subject is a driver and the test that holds it to the rules.
type subject struct {
	name, folder, test string
}

// subjects are the drivers, in the order of the tables.
var subjects = []subject{
	{"mem", "./drivers/mem", "TestConformance"},
	{"embedded", "./drivers/embedded", "TestConformance"},
	{"nats", "./drivers/embedded", "TestConformanceOfAnExternalServer"},
	{"kafka", "./drivers/kafka", "TestConformanceOnARealBroker"},
	{"rabbitmq", "./drivers/rabbitmq", "TestConformance"},
	{"rocketmq", "./drivers/rocketmq", "TestConformanceOnARealBroker"},
}

// An outcome is what became of a rule.
type outcome struct {
	held   bool
	broken bool
	why    string // it says nothing about this driver
	log    string // of a broken one
}

// A column is what was seen of a driver, by rule.
type column struct {
	driver string
	rules  map[string]outcome
}

// ask runs the driver's test.
func (s subject) ask(ctx context.Context) (*column, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=30m", "-run=^"+s.test+"$", s.folder) //nolint:gosec // names from the table above
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c, other, readErr := read(s.name, stdout)
	err = cmd.Wait() // a broken rule is an error too
	if readErr != nil {
		return nil, readErr
	}
	for _, r := range omstest.Rules() {
		if _, ok := c.rules[r.ID]; !ok {
			return nil, fmt.Errorf("%s: rule %s did not run (%v)\n%s%s", s.name, r.ID, err, other, stderr.String())
		}
	}
	if err != nil && broken([]*column{c}) == nil {
		return nil, fmt.Errorf("%s: all rules hold, and its test failed: %w\n%s", s.name, err, other)
	}
	return c, nil
}

// An event is a line of go test -json.
type event struct {
	Action, Test, Output string
}

// reason is the line with which a rule says that it does not apply.
var reason = regexp.MustCompile(`: unsupported: (.*)\n`)

// read takes what a test tells, and returns by rule what became of it, and
// what was printed by no rule. A test may hold a driver to the rules several
// times: a rule holds where it holds once and is never broken.
func read(driver string, events io.Reader) (*column, string, error) {
	c := &column{driver: driver, rules: make(map[string]outcome)}
	logs := make(map[string]string) // by test
	var other strings.Builder
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, "", fmt.Errorf("%s: output of go test: %w", driver, err)
		}
		id := e.Test[strings.LastIndexByte(e.Test, '/')+1:]
		if _, ok := omstest.Lookup(id); !ok {
			other.WriteString(e.Output)
			continue
		}
		switch e.Action {
		case "output":
			logs[e.Test] += e.Output
		case "pass", "fail", "skip":
			o := outcome{held: e.Action == "pass", broken: e.Action != "pass", log: logs[e.Test]}
			if m := reason.FindStringSubmatch(o.log); m != nil && o.held {
				o = outcome{why: m[1]}
			}
			c.rules[id] = worse(c.rules[id], o)
			delete(logs, e.Test)
		}
	}
	return c, other.String(), lines.Err()
}

// worse returns which of two outcomes of a rule counts.
func worse(a, b outcome) outcome {
	switch {
	case a.broken:
		return a
	case b.broken, b.held, !a.held:
		return b
	default:
		return a
	}
}

// broken returns the rules that do not hold.
func broken(seen []*column) error {
	var errs []error
	for _, c := range seen {
		for _, r := range omstest.Rules() {
			if o := c.rules[r.ID]; o.broken {
				errs = append(errs, fmt.Errorf("%s breaks %s: %s\n%s", c.driver, r.ID, r.Sentence, o.log))
			}
		}
	}
	return errors.Join(errs...)
}

// silent returns the rules that say nothing about a driver, by reason.
func (c *column) silent() (reasons []string, rules map[string][]string) {
	rules = make(map[string][]string)
	for _, r := range omstest.Rules() {
		o := c.rules[r.ID]
		if o.held || o.broken {
			continue
		}
		if !slices.Contains(reasons, o.why) {
			reasons = append(reasons, o.why)
		}
		rules[o.why] = append(rules[o.why], r.ID)
	}
	return reasons, rules
}
