package rabbitmq

import (
	"cmp"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A ledger keeps what a channel has delivered and is not settled yet, by its
// delivery tag. It belongs to one session of a receiver.
type ledger struct {
	owner              *receiver
	maxCount, maxBytes int

	mu       sync.Mutex
	low      uint64   // every tag below is settled
	entries  []*entry // by tag, from low on; nil: not delivered yet
	untold   []uint64 // settled, and the broker does not know it yet
	ready    []*entry // not handed out, by tag
	held     int      // not settled
	bytes    int      // of those
	out      int      // handed out and not settled
	outBytes int
	strict   bool             // what has no room within maxBytes is dropped
	dropped  map[string]int64 // by queue: how many were; they come again by another channel
	hungry   bool             // somebody asked for more in vain since something was settled
	starved  int              // how often that was seen to be because they were dropped
	paused   map[string]bool  // by topic, of all that are assigned
	closed   bool             // the channel is over
	halted   bool             // nothing is handed out any more
	resting  bool             // the same, for a while
	parting  bool             // it retires when nothing is out
	retired  bool             // it had nothing handed out at last, so all its receipts are settled
}

// gone stands for an entry that is settled.
var gone = new(entry)

// An entry is one delivery.
type entry struct {
	tag     uint64
	queue   string
	msg     *oms.Message
	size    int
	out     bool
	attempt int // how often it was handed out here
}

// A receipt is the handle of one handing out. A tag means something on its own
// channel only, and the same tag may be handed out again after a nack.
type receipt struct {
	ledger  *ledger
	tag     uint64
	attempt int
}

func newLedger(r *receiver) *ledger {
	return &ledger{
		owner: r, maxCount: r.cfg.MaxUnacked, maxBytes: r.cfg.MaxUnackedBytes,
		low: 1, paused: make(map[string]bool),
	}
}

// know notes that a topic is assigned.
func (l *ledger) know(topic string) { l.pause(topic, false) }

func (l *ledger) knows(topic string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.paused[topic]
	return ok
}

func (l *ledger) pause(topic string, paused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused[topic] = paused
}

// add notes a delivery. It is dropped if there is no room for it, and so is
// everything behind it, which must not overtake it. Fit is how many there was
// room for, at the first that is dropped; else 0.
func (l *ledger) add(e *entry) (fit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0
	}
	if l.dropped != nil || l.strict && l.held > 0 && l.bytes+e.size > l.maxBytes {
		if l.dropped == nil {
			l.dropped, fit = make(map[string]int64), l.held
		}
		l.dropped[e.queue]++
		return fit
	}
	for l.low+uint64(len(l.entries)) <= e.tag { // queues are fed side by side
		l.entries = append(l.entries, nil)
	}
	l.entries[e.tag-l.low] = e
	l.held++
	l.bytes += e.size
	l.insert(e)
	return 0
}

// setStrict says whether what has no room is dropped. It must not be where no
// prefetch would be smaller.
func (l *ledger) setStrict(strict bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strict = strict
}

// entry returns that of a tag; nil if it is settled, or none was delivered.
func (l *ledger) entry(tag uint64) *entry {
	if tag < l.low || tag-l.low >= uint64(len(l.entries)) || l.entries[tag-l.low] == gone {
		return nil
	}
	return l.entries[tag-l.low]
}

// insert puts an entry among the ready ones, where its tag belongs: what is
// given back comes before what was delivered after it.
func (l *ledger) insert(e *entry) {
	i, _ := slices.BinarySearchFunc(l.ready, e.tag, func(x *entry, tag uint64) int { return cmp.Compare(x.tag, tag) })
	l.ready = slices.Insert(l.ready, i, e)
}

// take hands out at most limit messages, within the bounds. One may be out
// always, however large.
func (l *ledger) take(limit int) []*oms.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.retired || l.halted || l.resting || len(l.ready) == 0 {
		l.hungry = true
		return nil
	}
	msgs := make([]*oms.Message, 0, min(limit, len(l.ready)))
	kept := l.ready[:0]
	for i, e := range l.ready {
		if len(msgs) == limit || l.out > 0 && (l.out >= l.maxCount || l.outBytes+e.size > l.maxBytes) {
			kept = append(kept, l.ready[i:]...)
			break
		}
		if l.paused[e.msg.Topic] {
			kept = append(kept, e)
			continue
		}
		e.out = true
		e.attempt++
		l.out++
		l.outBytes += e.size
		msgs = append(msgs, l.handOut(e))
	}
	clear(l.ready[len(kept):])
	l.ready = kept
	l.hungry = len(msgs) == 0
	return msgs
}

// handOut returns a copy of an entry's message, with its receipt. They are made
// at once, and each message by itself, so that one that is kept keeps no other.
func (l *ledger) handOut(e *entry) *oms.Message {
	h := &struct {
		msg oms.Message
		own receipt
	}{*e.msg, receipt{ledger: l, tag: e.tag, attempt: e.attempt}}
	h.msg.Deliveries += e.attempt - 1
	h.msg.Receipt = &h.own
	return &h.msg
}

// halt hands nothing out any more. What is out may be settled.
func (l *ledger) halt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halted = true
}

// rest has nothing be handed out for a while, or ends that.
func (l *ledger) rest(resting bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resting = resting
}

// hasDropped reports whether something was dropped.
func (l *ledger) hasDropped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped != nil
}

// look returns how often in a row it was called while somebody waits for more
// than was dropped, and settles nothing of what is out: neither can end before
// the other.
func (l *ledger) look() (starved int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped != nil && l.hungry && l.out > 0 && len(l.ready) == 0 {
		l.starved++
	}
	return l.starved
}

func (l *ledger) isRetired() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.retired
}

func (l *ledger) isIdle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out == 0
}

// inHand returns how many messages of a queue are not settled.
func (l *ledger) inHand(queue string) (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0
	}
	for _, e := range l.entries {
		if e != nil && e.queue == queue { // one that is settled has no queue
			n++
		}
	}
	return n + l.dropped[queue]
}

// close makes everything stale.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.entries, l.ready, l.untold = nil, nil, nil
}
