package rabbitmq

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func TestSharesAreEven(t *testing.T) {
	t.Parallel()
	const partitions = 12
	first := make(map[int]int) // owners of the first partitions of many topics
	for topic := range 50 {
		for members := 1; members <= 7; members++ {
			var slots []int
			for i := range members {
				slots = append(slots, 3*i) // some have left
			}
			has := make(map[int]int)
			for p := range partitions {
				owner := ownerOf(oms.Partition{Topic: fmt.Sprint("topic", topic), Number: p}, slots)
				if !slices.Contains(slots, owner) {
					t.Fatalf("partition %d belongs to slot %d, which nobody has", p, owner)
				}
				has[owner]++
				if p == 0 && members == 3 {
					first[owner]++
				}
			}
			least, most := partitions, 0
			for _, slot := range slots {
				least, most = min(least, has[slot]), max(most, has[slot])
			}
			if most-least > 1 {
				t.Errorf("%d members have from %d to %d partitions", members, least, most)
			}
		}
	}
	for slot, n := range first {
		if n < 8 || len(first) != 3 {
			t.Errorf("of 50 topics with one partition, slot %d has %d", slot, n)
		}
	}
}

func TestAMemberThatIsNotFoundKeepsItsShare(t *testing.T) {
	t.Parallel()
	ro := &roster{slot: 2, work: make(chan struct{}, 1), seen: map[string]*roll{"t": {}}}
	p := oms.Partition{Topic: "t"}
	if !ro.owns(p) || ro.isKnown("other") {
		t.Error("what is not known is nobody else's, and to be waited for")
	}
	ro.note("t", []int{2, 5})
	one, other := ro.owns(p), ro.owns(oms.Partition{Topic: "t", Number: 1})
	if one == other {
		t.Errorf("of two members one has %v and %v", one, other)
	}
	<-ro.work
	ro.note("t", []int{5})
	if ro.owns(p) != one || len(ro.work) > 0 {
		t.Error("a roll without the member itself counts")
	}
	ro.seen["t"].asked = time.Now().Add(-rosterTrust)
	if !ro.owns(p) || !ro.owns(oms.Partition{Topic: "t", Number: 1}) {
		t.Error("a roll that is too old counts")
	}
	ro.note("t", []int{2, 5})
	<-ro.work
	if ro.owns(p) != one {
		t.Error("a roll that is new again does not count")
	}
	var none *roster
	if !none.owns(p) || !none.isKnown("t") {
		t.Error("without a roster not everything is a member's")
	}
}
