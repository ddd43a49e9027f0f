package kafka

import (
	"cmp"
	"slices"
)

// A trail is what was delivered of a partition and has not been left behind:
// a group has one position, so what is acknowledged behind something that is
// not waits there.
type trail struct {
	entries []entry // by offset, the first not acknowledged
}

type entry struct {
	offset int64
	size   int
	acked  bool
}

// add notes a delivery. Offsets rise; some are never there.
func (t *trail) add(offset int64, size int) {
	t.entries = append(t.entries, entry{offset: offset, size: size})
}

// ack notes an acknowledgement and returns the size of what it settles; ok is
// false for what was settled before.
func (t *trail) ack(offset int64) (size int, ok bool) {
	i := 0 // as it is in order, which most are
	if len(t.entries) == 0 || t.entries[0].offset != offset {
		var found bool
		i, found = slices.BinarySearchFunc(t.entries, offset, func(e entry, o int64) int { return cmp.Compare(e.offset, o) })
		if !found || t.entries[i].acked {
			return 0, false
		}
	}
	t.entries[i].acked = true
	size = t.entries[i].size
	n := 0
	for n < len(t.entries) && t.entries[n].acked {
		n++
	}
	t.entries = t.entries[n:]
	return size, true
}

// position is the offset of the first message that is not acknowledged, or
// next where all are.
func (t *trail) position(next int64) int64 {
	if len(t.entries) > 0 {
		return t.entries[0].offset
	}
	return next
}

// out returns how much is delivered and not acknowledged.
func (t *trail) out() (count, bytes int) {
	for _, e := range t.entries {
		if !e.acked {
			count++
			bytes += e.size
		}
	}
	return count, bytes
}
