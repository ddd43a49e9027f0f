package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tests in this file hold the checks to what they are to find.

func TestTheCheckOfDeliveriesFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	l := limits{deaths: 1, topic: 2, sink: 2}
	for name, tc := range map[string]struct {
		offsets, numbers []int
		want             string // part of the error; "" for none
	}{
		"all in order":                {[]int{1, 2, 3, 4}, []int{1, 2, 3, 4}, ""},
		"read again":                  {[]int{1, 2, 3, 4, 5, 6}, []int{1, 2, 3, 2, 3, 4}, ""},
		"put again":                   {[]int{1, 2, 3, 2, 3, 4}, []int{1, 2, 3, 2, 3, 4}, ""},
		"one is lost":                 {[]int{1, 2, 3}, []int{1, 2, 4}, "3..3 did not come before 4"},
		"the last is lost":            {[]int{1, 2, 3}, []int{1, 2, 3}, "4..4 never came"},
		"nothing came":                {nil, nil, "1..4 never came"},
		"an offset is skipped":        {[]int{1, 2, 3, 5, 6}, []int{1, 2, 3, 3, 4}, "offsets at the sink"},
		"two are swapped":             {[]int{1, 2, 3, 4}, []int{1, 3, 2, 4}, "2..2 did not come before 3"},
		"two are swapped at the sink": {[]int{1, 3, 2, 4}, []int{1, 3, 2, 4}, "offsets at the sink: 2..2"},
		"too much is read again":      {[]int{1, 2, 3, 4, 5, 6, 7}, []int{1, 2, 3, 1, 2, 3, 4}, "the topic: it went back 1 times, by 3 at most"},
		"too much is put again":       {[]int{1, 2, 3, 1, 2, 3, 4}, []int{1, 2, 3, 1, 2, 3, 4}, "the sink: it went back 1 times, by 3 at most"},
		"it is read again too often":  {[]int{1, 2, 3, 4, 5, 6}, []int{1, 1, 2, 2, 3, 4}, "the topic: it went back 2 times"},
		"an offset changes":           {[]int{1, 2, 2, 3, 4}, []int{1, 2, 1, 3, 4}, "offset 2 holds record 2, and later record 1"},
	} {
		var ds []delivery
		for i := range tc.offsets {
			ds = append(ds, delivery{"x", tc.offsets[i], tc.numbers[i]})
		}
		_, err := checkDeliveries(ds, 4, l)
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestTheCheckOfPositionsFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a seek 0 |\na told 3 |\na told 7 |\nb seek 7 |\nb told 9 |\na told 8 |": "",
		"a seek 0 |\na told 3 |\na tol":                                          "",
		"a seek 0 |\na told 3 |\na told 3 |":                                     "a was told 3 after 3",
		"a seek 0 |\na told 3 |\nb seek 2 |":                                     "a had let go of all up to 3",
		"a seek 4 |\nb seek 3 |":                                                 "the one before behind 4",
	} {
		path := filepath.Join(t.TempDir(), "positions")
		if err := os.WriteFile(path, []byte("\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := checkPositions(path)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestWhatAProcessWasWritingWhenItDiedIsNoDelivery(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	text := fmt.Sprintf("\na 1 %s |\na 2 %s\nb 2 %s |", record(1), record(2)[:1], record(2))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ds, err := deliveries(path)
	if err != nil || len(ds) != 2 || ds[1] != (delivery{"b", 2, 2}) {
		t.Errorf("got %v, %v", ds, err)
	}
	text = fmt.Sprintf("\na 1 %s |", record(1)+"y")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if ds, err := deliveries(path); err == nil {
		t.Errorf("a changed body is taken for a record: %v", ds)
	}
}
