package rabbitmq

import (
	"cmp"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A shelf has what a member took of a partition and is not settled yet, from
// when the partition was assigned until it goes. All of it is guarded by the
// receiver's mu.
type shelf struct {
	part     oms.Partition
	identity string // of the topic
	feed     *feed  // nil: nothing comes
	next     int64  // offset that comes next, or a later one
	items    []*item
	ready    []*item // of items, those that are not handed out, by offset
	stored   int64   // position that the broker has; -1: not known
	paused   bool
	halted   bool      // nothing is handed out any more
	closed   bool      // the partition has gone
	ended    bool      // the broker ended the consumer
	full     bool      // what this consumer brings has no room; the next one brings it again
	opened   time.Time // when it began
	out      int       // messages that are handed out
	outBytes int
	bytes    int // of all that is not settled
}

// An item is one message. Items that were handed out and are settled leave
// their shelf when all before them have.
type item struct {
	msg     *oms.Message // nil once it is settled
	offset  int64
	size    int
	feed    *feed
	tag     uint64
	out     bool
	settled bool
	dropped bool // by a seek
	attempt int  // how often it was handed out
}

// A streamReceipt is the handle of one handing out.
type streamReceipt struct {
	owner   *streamReceiver
	shelf   *shelf
	item    *item
	attempt int
}

// add notes a delivery.
func (s *shelf) add(i *item) {
	s.next = i.offset + 1
	s.bytes += i.size
	s.items = append(s.items, i)
	s.ready = append(s.ready, i)
}

// position is the offset of the first message that is not settled.
func (s *shelf) position() int64 {
	if len(s.items) > 0 {
		return s.items[0].offset
	}
	return s.next
}

// take returns the next message to hand out that has room; nil: none.
func (s *shelf) take(fits func(size int) bool) *item {
	if s.halted || s.paused || len(s.ready) == 0 || !fits(s.ready[0].size) {
		return nil
	}
	i := s.ready[0]
	s.ready[0] = nil
	s.ready = s.ready[1:]
	i.out = true
	i.attempt++
	s.out++
	s.outBytes += i.size
	return i
}

// settle notes that a message is done with.
func (s *shelf) settle(i *item) {
	i.settled, i.out, i.msg = true, false, nil
	s.out--
	s.outBytes -= i.size
	s.bytes -= i.size
	n := 0
	for n < len(s.items) && s.items[n].settled {
		s.items[n] = nil
		n++
	}
	s.items = s.items[n:]
}

// giveBack makes a message ready again, before all that follow it.
func (s *shelf) giveBack(i *item) {
	i.out = false
	s.out--
	s.outBytes -= i.size
	at, _ := slices.BinarySearchFunc(s.ready, i.offset, func(x *item, offset int64) int { return cmp.Compare(x.offset, offset) })
	s.ready = slices.Insert(s.ready, at, i)
}

// clear drops everything, and goes on at an offset.
func (s *shelf) clear(next int64) {
	for _, i := range s.items {
		i.dropped = true
	}
	s.items, s.ready, s.next = nil, nil, next
	s.out, s.outBytes, s.bytes = 0, 0, 0
}
