package rocketmq

import (
	"context"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A part is a partition that a receiver holds the lock of. The receiver's lock
// guards what changes.
type part struct {
	id     oms.Partition
	native string // the topic's name
	queue  queue
	peer   *peer // the session: with it the broker forgets the member
	kick   chan struct{}
	over   chan struct{} // closed when it is held no longer

	committing sync.Mutex
	committed  int64 // what the broker was told last; guarded by committing

	end int64 // that the broker has said; of the goroutine that pulls

	next       int64   // the offset to be pulled next
	entries    []entry // taken from the broker and not settled, or behind one that is not
	ready      []*oms.Message
	generation int64 // of receipts
	told       bool  // OnAssigned has returned
	begun      bool  // it has a position
	active     bool  // it is read: OnAssigned has returned, and OnRevoked was not called
	robbed     bool  // the broker has given the lock to another
	gone       bool  // nothing may be acknowledged any more
	paused     bool
	full       bool // there was no room for the next message
	gap        *oms.Gap
	abort      context.CancelFunc // of a pull that waits
}

// An entry is what is known of an offset that was taken from the broker.
type entry struct {
	offset  int64
	size    int
	settled bool
}

// A receipt names a delivery.
type receipt struct {
	part       *part
	offset     int64
	generation int64
}

// position is the first offset that is not settled. A gap is not passed before
// it is told: whoever comes after a crash tells it.
func (p *part) position() int64 {
	switch {
	case len(p.entries) > 0:
		return p.entries[0].offset
	case p.gap != nil:
		return p.gap.From
	}
	return p.next
}

func (p *part) find(offset int64) *entry {
	i, ok := slices.BinarySearchFunc(p.entries, offset, func(e entry, o int64) int {
		switch {
		case e.offset < o:
			return -1
		case e.offset > o:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &p.entries[i]
}

// add takes a message in. It is behind all others.
func (p *part) add(m *oms.Message) {
	p.entries = append(p.entries, entry{offset: m.Offset, size: m.Size()})
	m.Receipt = receipt{part: p, offset: m.Offset, generation: p.generation}
	p.ready = append(p.ready, m)
	p.next = m.Offset + 1
}

// settle notes an acknowledgement and returns how much is free now.
func (p *part) settle(offset int64) (records, bytes int) {
	e := p.find(offset)
	if e == nil || e.settled {
		return 0, 0 // twice
	}
	e.settled = true
	records, bytes = 1, e.size
	n := 0
	for n < len(p.entries) && p.entries[n].settled {
		n++
	}
	p.entries = p.entries[n:]
	return records, bytes
}

// giveBack has a message delivered again, before any later one.
func (p *part) giveBack(m *oms.Message) {
	if e := p.find(m.Offset); e == nil || e.settled {
		return
	}
	i, there := slices.BinarySearchFunc(p.ready, m.Offset, func(r *oms.Message, o int64) int { return int(r.Offset - o) })
	if !there {
		p.ready = slices.Insert(p.ready, i, m.Clone())
	}
}

// putBack forgets what was taken in and not handed out, from the end, so that
// it is pulled again. It returns how much that was.
func (p *part) putBack() (records, bytes int) {
	for len(p.ready) > 0 {
		last := p.entries[len(p.entries)-1]
		if p.ready[len(p.ready)-1].Offset != last.offset {
			break
		}
		records++
		bytes += last.size
		p.next = last.offset
		p.entries = p.entries[:len(p.entries)-1]
		p.ready = p.ready[:len(p.ready)-1]
	}
	return records, bytes
}

// drain forgets everything that is not settled and returns how much that was.
func (p *part) drain() (records, bytes int) {
	for _, e := range p.entries {
		if !e.settled {
			records++
			bytes += e.size
		}
	}
	p.entries, p.ready = nil, nil
	p.generation++
	return records, bytes
}
