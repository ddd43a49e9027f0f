package integration

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The records of these tests are numbered from 1. Crasher's source reads them
// from a spool and its sink writes them into a journal, and both tell of it in
// files that outlive them.

// record returns the body of a record.
func record(n int) string { return fmt.Sprintf("%d:%s", n, strings.Repeat("x", n%97)) }

// feed puts the records from..to into a spool.
func feed(t *testing.T, dir string, from, to int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for n := from; n <= to; n++ {
		// Whole or not at all: a source may be reading.
		name := fmt.Sprintf("%s/%09d", dir, n)
		if err := os.WriteFile(dir+".new", []byte(record(n)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+".new", name); err != nil {
			t.Fatal(err)
		}
	}
}

// An entry is a line of one of crasher's files.
type entry struct {
	who   string
	words []string
}

// entries returns the whole lines of a file. What a process was writing when
// it died is left out.
func entries(path string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var all []entry
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if n := len(words); n >= 3 && words[n-1] == "|" {
			all = append(all, entry{words[0], words[1 : n-1]})
		}
	}
	return all, nil
}

// A delivery is a message that the sink took.
type delivery struct {
	who    string
	offset int // in its topic, from 1
	number int // of the record
}

func deliveries(path string) ([]delivery, error) {
	es, err := entries(path)
	if err != nil {
		return nil, err
	}
	ds := make([]delivery, 0, len(es))
	for _, e := range es {
		d := delivery{who: e.who}
		d.offset, err = strconv.Atoi(e.words[0])
		body := strings.Join(e.words[1:], " ")
		number, _, _ := strings.Cut(body, ":")
		if d.number, _ = strconv.Atoi(number); err != nil || body != record(d.number) {
			return nil, fmt.Errorf("%s has the entry %q, which is no record", path, e.words)
		}
		ds = append(ds, d)
	}
	return ds, nil
}

// Limits are what crashes may cost.
type limits struct {
	deaths int // how often a process died or lost its lease
	topic  int // records stored again after one of them
	sink   int // messages put again after one of them
}

// Costs are what crashes did cost.
type costs struct{ topic, sink sequence }

// checkDeliveries holds what the sink took to the invariants: every record is
// there, first deliveries are in order, and repeats are within the limits. The
// topic is looked at through the sink's eyes.
func checkDeliveries(ds []delivery, total int, l limits) (c costs, err error) {
	numbers, offsets, stored := make([]int, len(ds)), make([]int, len(ds)), make(map[int]int)
	var errs []error
	for i, d := range ds {
		numbers[i], offsets[i] = d.number, d.offset
		if n, there := stored[d.offset]; there && n != d.number {
			errs = append(errs, fmt.Errorf("offset %d holds record %d, and later record %d", d.offset, n, d.number))
		}
		stored[d.offset] = d.number
	}
	_, err = follow(numbers, total)
	errs = append(errs, prefixed("records at the sink", err))
	c.sink, err = follow(offsets, len(stored))
	errs = append(errs, prefixed("offsets at the sink", err))
	inTopic := make([]int, 0, len(stored))
	for _, offset := range slices.Sorted(maps.Keys(stored)) {
		inTopic = append(inTopic, stored[offset])
	}
	c.topic, err = follow(inTopic, total)
	errs = append(errs, prefixed("records in the topic", err),
		prefixed("the topic", c.topic.within(l.deaths, l.topic)), prefixed("the sink", c.sink.within(l.deaths, l.sink)))
	return c, errors.Join(errs...)
}

func prefixed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// A sequence is what follow has seen of repeats.
type sequence struct {
	repeats int
	jumps   int // back to something earlier
	longest int // run of repeats from such a jump on
}

func (s sequence) within(jumps, longest int) error {
	if s.jumps > jumps || s.longest > longest {
		return fmt.Errorf("it went back %d times, by %d at most; %d times by %d are allowed", s.jumps, s.longest, jumps, longest)
	}
	return nil
}

// follow checks that the numbers 1..total all come, each for the first time in
// order, and counts what comes again.
func follow(numbers []int, total int) (s sequence, err error) {
	next, last, run := 1, 0, 0
	var errs []error
	for _, n := range numbers {
		if n <= last {
			s.jumps++
			run = 0
		}
		last = n
		switch {
		case n == next:
			next++
			run = 0
		case n < next:
			s.repeats++
			run++
			s.longest = max(s.longest, run)
		default:
			errs = append(errs, fmt.Errorf("%d..%d did not come before %d", next, n-1, n))
			next, run = n+1, 0
		}
	}
	if next <= total {
		errs = append(errs, fmt.Errorf("%d..%d never came", next, total))
	}
	return s, errors.Join(errs...)
}

// checkPositions holds what the source was told to the invariants: it is never
// told to go back, and never to go on before what it has let go of.
func checkPositions(path string) error {
	es, err := entries(path)
	if err != nil {
		return err
	}
	var errs []error
	told, sought := make(map[string]int), 0
	for i, e := range es {
		n, err := strconv.Atoi(e.words[1])
		if err != nil {
			return err
		}
		switch e.words[0] {
		case "seek":
			for who, t := range told {
				if n < t {
					errs = append(errs, fmt.Errorf("entry %d: %s goes on behind %d, and %s had let go of all up to %d", i, e.who, n, who, t))
				}
			}
			if n < sought {
				errs = append(errs, fmt.Errorf("entry %d: %s goes on behind %d, and the one before behind %d", i, e.who, n, sought))
			}
			sought = n
		case "told":
			if n <= told[e.who] {
				errs = append(errs, fmt.Errorf("entry %d: %s was told %d after %d", i, e.who, n, told[e.who]))
			}
			told[e.who] = n
		}
	}
	return errors.Join(errs...)
}
