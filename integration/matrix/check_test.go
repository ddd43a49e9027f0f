package matrix

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A record is what was fed. Records have numbers from 1.
type record struct {
	key  string
	text string
	must bool   // arrives: a row that was changed before it was read does not
	when string // it was fed
}

// A delivery is a record as a sink has written it.
type delivery struct {
	number    int
	key, text string
}

// An end is how a gateway ended, and how many deliveries there were then.
type end struct {
	at   int
	kill bool // else in good order: all that was delivered is settled
}

// A ledger is what a sink should have written, and what it has.
type ledger struct {
	sink       string
	records    []record // the first is number 1
	deliveries []delivery
	ends       []end
	ordered    bool // the broker claims the order of a key
}

// check returns what is wrong with the deliveries: each record that must has
// arrived, unchanged; the first deliveries of a key are in its order; and a
// record is repeated only where a killed gateway had it in hand.
func (l ledger) check() error {
	first := make([]int, len(l.records)) // the index of its first delivery, and 1
	last := make(map[string]delivery)    // of a key
	var wrong findings
	for i, d := range l.deliveries {
		if d.number < 1 || d.number > len(l.records) {
			wrong.add("foreign", "delivery %d is no record that was fed: %.200q", i+1, d.text)
			continue
		}
		r := l.records[d.number-1]
		if d.key != r.key || d.text != r.text {
			wrong.add("changed", "delivery %d is record %s with key %q and text %.200q, want %.200q", i+1, l.name(d.number), d.key, d.text, r.text)
		}
		if at := first[d.number-1]; at > 0 {
			if !l.mayRepeat(at-1, i) {
				wrong.add("repeated", "record %s came as delivery %d and again as %d", l.name(d.number), at, i+1)
			}
			continue
		}
		first[d.number-1] = i + 1
		if before, ok := last[d.key]; ok && before.number > d.number && l.ordered {
			wrong.add("out of order", "record %s came as delivery %d, first behind record %s of the same key", l.name(d.number), i+1, l.name(before.number))
		}
		if before := last[d.key]; d.number > before.number {
			last[d.key] = d
		}
	}
	for i, r := range l.records {
		if r.must && first[i] == 0 {
			wrong.add("missing", "record %s never came", l.name(i+1))
		}
	}
	return wrong.error(l.sink)
}

// mayRepeat tells whether what was delivered at first may come again at then:
// a gateway was killed before, and had not settled it.
func (l ledger) mayRepeat(first, then int) bool {
	settled := 0
	for _, e := range l.ends {
		switch {
		case e.at > then:
			return false
		case !e.kill:
			settled = e.at
		case first >= settled:
			return true
		}
	}
	return false
}

// repeats returns how many deliveries were not the first of their record.
func (l ledger) repeats() int {
	seen := make(map[int]bool, len(l.records))
	for _, d := range l.deliveries {
		seen[d.number] = true
	}
	return len(l.deliveries) - len(seen)
}

func (l ledger) name(number int) string {
	r := l.records[number-1]
	return fmt.Sprintf("%d (key %s, fed %s)", number, cmp.Or(r.key, "none"), r.when)
}

// findings are what is wrong, by kind: how often, and the first few.
type findings struct {
	kinds []string
	count map[string]int
	texts map[string][]string
}

func (f *findings) add(kind, format string, args ...any) {
	const most = 4
	if f.count == nil {
		f.count, f.texts = make(map[string]int), make(map[string][]string)
	}
	if !slices.Contains(f.kinds, kind) {
		f.kinds = append(f.kinds, kind)
	}
	f.count[kind]++
	if f.count[kind] <= most {
		f.texts[kind] = append(f.texts[kind], fmt.Sprintf(format, args...))
	}
}

func (f *findings) error(sink string) error {
	if len(f.kinds) == 0 {
		return nil
	}
	var b strings.Builder
	for _, kind := range f.kinds {
		fmt.Fprintf(&b, "\n%s %d:\n\t%s", kind, f.count[kind], strings.Join(f.texts[kind], "\n\t"))
	}
	return errors.New(sink + ":" + b.String())
}
