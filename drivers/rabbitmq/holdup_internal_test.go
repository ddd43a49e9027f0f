package rabbitmq

import (
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestWhatIsBehindAFailureIsHeldUp(t *testing.T) {
	t.Parallel()
	here, beside := oms.Partition{Topic: "t"}, oms.Partition{Topic: "t", Number: 1}
	h := newHoldup()
	holds := func(when string, p oms.Partition, number int, want bool) {
		t.Helper()
		if got := h.holds(p, number); got != want {
			t.Errorf("%s: batch %d of %v is held up: %t, want %t", when, number, p, got, want)
		}
	}
	h.fail(here, 3)
	holds("before done", here, 4, true)
	holds("before done", here, 9, true)
	holds("before done", beside, 4, false)
	h.settled(2, 6)
	holds("when another done has returned", here, 7, true)
	h.settled(3, 7)
	holds("let in before done returned", here, 4, true)
	holds("let in before done returned", here, 7, true)
	holds("let in afterwards", here, 8, false)
	h.fail(here, 4) // it was held up, and is behind which others stand
	holds("let in before the next done", here, 8, true)
	h.settled(4, 8)
	holds("let in before the next done", here, 8, true)
	holds("let in afterwards", here, 9, false)
	for number := 5; number <= 8; number++ {
		h.settled(number, 8)
	}
	if len(h.failed)+len(h.behind) > 0 {
		t.Errorf("%+v is left when all is settled", h)
	}
}

func TestAFailureOfATopicHoldsUpAllItsPartitions(t *testing.T) {
	t.Parallel()
	h := newHoldup()
	h.fail(oms.Partition{Topic: "t", Number: everyPartition}, 1)
	for p, want := range map[oms.Partition]bool{{Topic: "t"}: true, {Topic: "t", Number: 5}: true, {Topic: "u"}: false} {
		if got := h.holds(p, 2); got != want {
			t.Errorf("%v is held up: %t, want %t", p, got, want)
		}
	}
	h.settled(1, 2)
	if !h.holds(oms.Partition{Topic: "t", Number: 5}, 2) || h.holds(oms.Partition{Topic: "t", Number: 5}, 3) {
		t.Error("what was let in before done returned is to be held up, and nothing else")
	}
}
