package rabbitmq

import "github.com/omconnect/omconnect/oms"

// everyPartition stands for all partitions of a topic.
const everyPartition = -1

// A holdup knows what must not be sent because something before it failed: its
// sender may not know of that yet, and would send it again behind what follows.
// Batches are numbered in the order in which they were let in.
type holdup struct {
	// failed has the last batch in which a message of the partition failed,
	// until its done has returned.
	failed map[oms.Partition]int
	// behind has the last batch that was let in before that. It may be tried
	// only afterwards.
	behind map[oms.Partition]int
}

func newHoldup() holdup {
	return holdup{failed: make(map[oms.Partition]int), behind: make(map[oms.Partition]int)}
}

// fail notes that a message of the partition failed.
func (h *holdup) fail(p oms.Partition, number int) { h.failed[p] = max(h.failed[p], number) }

// settled notes that the done of a batch has returned, when those up to last
// had been let in. Batches are settled in their order.
func (h *holdup) settled(number, last int) {
	for p, n := range h.failed {
		if n == number {
			delete(h.failed, p)
			h.behind[p] = last
		}
	}
	for p, n := range h.behind {
		if n <= number {
			delete(h.behind, p)
		}
	}
}

// holds reports whether a message of that batch must not be sent.
func (h *holdup) holds(p oms.Partition, number int) bool {
	if len(h.failed) == 0 && len(h.behind) == 0 { // as a rule
		return false
	}
	for _, p := range []oms.Partition{p, {Topic: p.Topic, Number: everyPartition}} {
		if h.failed[p] > 0 || number <= h.behind[p] {
			return true
		}
	}
	return false
}
