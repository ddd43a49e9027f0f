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
	entries  map[uint64]*entry // not settled
	ready    []*entry          // not handed out, by tag
	low      uint64            // every tag below is settled
	settled  map[uint64]bool   // tags from low on that are
	out      int               // handed out and not settled
	outBytes int
	bytes    int             // of all that is not settled
	paused   map[string]bool // by topic, of all that are assigned
	closed   bool            // the channel is over
	halted   bool            // nothing is handed out any more
	retired  bool            // it had nothing handed out at last, so all its receipts are settled
}

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
		entries: make(map[uint64]*entry), settled: make(map[uint64]bool), low: 1, paused: make(map[string]bool),
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

// add notes a delivery.
func (l *ledger) add(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.entries[e.tag] = e
	l.bytes += e.size
	l.insert(e)
}

// isOver reports whether more was delivered than may be.
func (l *ledger) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes > l.maxBytes
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
	if l.closed || l.retired || l.halted {
		return nil
	}
	var msgs []*oms.Message
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
		m := e.msg.Clone()
		m.Deliveries += e.attempt - 1
		m.Receipt = receipt{ledger: l, tag: e.tag, attempt: e.attempt}
		msgs = append(msgs, m)
	}
	clear(l.ready[len(kept):])
	l.ready = kept
	return msgs
}

// An acking is what to tell the broker: this tag, or all up to it.
type acking struct {
	tag      uint64
	multiple bool
}

// ack settles messages, and returns what to tell the broker. Stale reports
// that some were handed out in an earlier session, or given back since.
func (l *ledger) ack(rs []receipt) (tell []acking, stale bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.retired {
		return nil, len(rs) > 0 && !l.retired
	}
	for _, r := range rs {
		e, ok := l.entries[r.tag]
		switch {
		case !ok: // acknowledged before
			continue
		case !e.out || e.attempt != r.attempt:
			stale = true
			continue
		}
		delete(l.entries, r.tag)
		l.settled[r.tag] = true
		l.out--
		l.outBytes -= e.size
		l.bytes -= e.size
		tell = append(tell, acking{tag: r.tag})
	}
	for l.settled[l.low] {
		delete(l.settled, l.low)
		l.low++
	}
	return l.together(tell), stale
}

// together has one word for all those that are settled without a gap. It names
// a tag that is being acknowledged now: the broker closes the channel over one
// that it does not know any more.
func (l *ledger) together(tell []acking) []acking {
	slices.SortFunc(tell, func(a, b acking) int { return cmp.Compare(a.tag, b.tag) })
	n := 0
	for n < len(tell) && tell[n].tag < l.low {
		n++
	}
	if n < 2 {
		return tell
	}
	tell[n-1].multiple = true
	return tell[n-1:]
}

// giveBack makes messages ready again.
func (l *ledger) giveBack(rs []receipt) (stale bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.retired {
		return len(rs) > 0 && !l.retired
	}
	for _, r := range rs {
		e, ok := l.entries[r.tag]
		switch {
		case !ok: // acknowledged before
			continue
		case !e.out || e.attempt != r.attempt:
			stale = true
			continue
		}
		e.out = false
		l.out--
		l.outBytes -= e.size
		l.insert(e)
	}
	return stale
}

// retire hands nothing out any more, unless something is out.
func (l *ledger) retire() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.out > 0 {
		return false
	}
	l.retired = true
	return true
}

// halt hands nothing out any more. What is out may be settled.
func (l *ledger) halt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halted = true
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
		if e.queue == queue {
			n++
		}
	}
	return n
}

// close makes everything stale.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.entries, l.ready, l.settled = nil, nil, nil
}
