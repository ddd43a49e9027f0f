package matrix

import (
	"strings"
	"testing"
)

func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	records := []record{{"a", "1", true, ""}, {"b", "2", true, ""}, {"a", "3", true, ""}, {"b", "4", false, ""}, {"a", "5", true, ""}}
	ordered := func(l *ledger) { l.ordered = true }
	ends := func(es ...end) func(*ledger) { return func(l *ledger) { l.ends = es } }
	kill, stop := func(at int) end { return end{at, true} }, func(at int) end { return end{at, false} }
	for name, tc := range map[string]struct {
		numbers []int
		want    string // part of the error; "" for none
		change  func(*ledger)
	}{
		"all in order":                        {[]int{1, 2, 3, 4, 5}, "", nil},
		"keys overtake each other":            {[]int{2, 4, 1, 3, 5}, "", nil},
		"one that need not come is not there": {[]int{1, 2, 3, 5}, "", nil},
		"one is lost":                         {[]int{1, 2, 4, 5}, "missing 1:\n\trecord 3 (key a", nil},
		"the last is lost":                    {[]int{1, 2, 3, 4}, "record 5 (key a, fed ) never came", nil},
		"nothing came":                        {nil, "missing 4:", nil},
		"a key is out of order":               {[]int{3, 1, 2, 4, 5}, "out of order 1:\n\trecord 1", nil},
		"order was not promised":              {[]int{3, 1, 2, 4, 5}, "", func(l *ledger) { l.ordered = false }},
		"one is repeated":                     {[]int{1, 2, 2, 3, 4, 5}, "repeated 1:\n\trecord 2", nil},
		"repeated behind a kill":              {[]int{1, 2, 1, 2, 3, 4, 5}, "", ends(kill(2))},
		"resent, and both come behind a kill": {[]int{1, 2, 3, 3, 4, 5}, "", ends(kill(1))},
		"repeated before the kill":            {[]int{1, 1, 2, 3, 4, 5}, "repeated 1", ends(kill(2))},
		"repeated behind a stop":              {[]int{1, 2, 1, 3, 4, 5}, "repeated 1", ends(stop(2))},
		"settled before the kill":             {[]int{1, 2, 3, 1, 4, 5}, "repeated 1", ends(stop(1), kill(3))},
		"not settled before the kill":         {[]int{1, 2, 3, 2, 3, 4, 5}, "", ends(stop(1), kill(3))},
		"repeated behind a kill and a stop":   {[]int{1, 2, 3, 2, 4, 5}, "", ends(kill(2), stop(3))},
		"a repeat does not lower the order":   {[]int{1, 3, 1, 2, 4, 5}, "", ends(kill(2))},
		"foreign":                             {[]int{1, 2, 3, 4, 5, 6}, "delivery 6 is no record that was fed", nil},
	} {
		l := ledger{records: records}
		for _, n := range tc.numbers {
			d := delivery{number: n, text: "?"}
			if n <= len(records) {
				d.key, d.text = records[n-1].key, records[n-1].text
			}
			l.deliveries = append(l.deliveries, d)
		}
		ordered(&l)
		if tc.change != nil {
			tc.change(&l)
		}
		err := l.check()
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	l := ledger{records: records[:1], deliveries: []delivery{{1, "a", "one"}}}
	if err := l.check(); err == nil || !strings.Contains(err.Error(), "changed 1") {
		t.Errorf("a changed text is found as %v", err)
	}
	if n := (ledger{deliveries: []delivery{{number: 1}, {number: 2}, {number: 1}}}).repeats(); n != 1 {
		t.Errorf("%d repeats, want 1", n)
	}
}
