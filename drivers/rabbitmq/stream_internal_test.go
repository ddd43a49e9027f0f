package rabbitmq

import (
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestPositionsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, offset := range []int64{0, 1, 1 << 62} {
		p := position{identity: "ID", offset: offset}
		got, err := parsePosition(p.String())
		if err != nil || got != p {
			t.Errorf("position %v is read as %v: %v", p, got, err)
		}
	}
	for _, text := range []string{"", "1", "1 ID", "1 ID ", "1 ID x", "2 ID 5", "5", "1 ID 5 6", "1  ID 5"} {
		if p, err := parsePosition(text); oms.CodeOf(err) != oms.ErrFormat {
			t.Errorf("%q is read as %v: %v, want %v", text, p, err, oms.ErrFormat)
		}
	}
}

func TestNamesOfStreamsFitWhereThatOfTheirTopicDoes(t *testing.T) {
	t.Parallel()
	p := oms.Partition{Topic: "t", Number: mostPartitions - 1}
	for _, name := range []string{streamQueue(p), identityQueue("t"), step{delayLevels - 1, delayBase - 1}.queue("t"), delayExchange("t", delayLevels-1)} {
		if len(name) > len(countQueue("t")) {
			t.Errorf("%s is longer than %s, by which names of topics are measured", name, countQueue("t"))
		}
	}
	if a, b := positionQueue("g", oms.Partition{Topic: "a:1", Number: 2}), positionQueue("g", oms.Partition{Topic: "a", Number: 1}); a == b {
		t.Errorf("two positions are both in %s", a)
	}
}

func TestErrorsThatPassAreNotReceived(t *testing.T) {
	t.Parallel()
	for _, code := range []oms.Code{oms.ErrUnavailable, oms.ErrFull, oms.ErrTimeout, oms.ErrAborted, oms.ErrNotFound, oms.ErrHeld} {
		if err := lasting(&oms.Error{Code: code}); err != nil {
			t.Errorf("%v lasts", err)
		}
	}
	if lasting(nil) != nil || lasting(&oms.Error{Code: oms.ErrDenied}) == nil {
		t.Error("no error lasts, or one that does does not")
	}
}

// Of tags that are acknowledged without a gap one word tells, and no word names
// one that was told before.
func TestRoomIsGivenBackOnce(t *testing.T) {
	t.Parallel()
	f := &feed{low: 1, settled: make(map[uint64]bool)}
	for _, step := range []struct{ tags, want []acking }{
		{[]acking{{tag: 3}}, []acking{{tag: 3}}},
		{[]acking{{tag: 2}, {tag: 1}}, []acking{{tag: 2, multiple: true}}},
		{[]acking{{tag: 6}, {tag: 4}, {tag: 7}}, []acking{{tag: 4, multiple: true}, {tag: 6}, {tag: 7}}},
		{[]acking{{tag: 5}}, []acking{{tag: 5, multiple: true}}},
	} {
		var tags []uint64
		for _, a := range step.tags {
			tags = append(tags, a.tag)
		}
		got := f.together(tags)
		if len(got) != len(step.want) {
			t.Fatalf("of %v the broker is told %v, want %v", tags, got, step.want)
		}
		for i := range got {
			if got[i] != step.want[i] {
				t.Errorf("of %v the broker is told %v, want %v", tags, got, step.want)
			}
		}
	}
}
