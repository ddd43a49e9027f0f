package rabbitmq

import (
	"cmp"
	"slices"
)

// An acking is what to tell the broker: this tag, or all up to it.
type acking struct {
	tag      uint64
	multiple bool
}

// ack settles messages, and returns how many the broker is not told of yet.
// Stale reports that some were handed out in an earlier session, or given back
// since.
func (l *ledger) ack(rs []receipt) (untold int, stale bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.retired {
		return 0, len(rs) > 0 && !l.retired
	}
	for _, r := range rs {
		e := l.entry(r.tag)
		switch {
		case e == nil: // acknowledged before
			continue
		case !e.out || e.attempt != r.attempt:
			stale = true
			continue
		}
		l.entries[r.tag-l.low] = gone
		l.held--
		l.bytes -= e.size
		l.untold = append(l.untold, r.tag)
		l.comeBack(e)
	}
	n := 0
	for n < len(l.entries) && l.entries[n] == gone {
		n++
	}
	l.entries, l.low = l.entries[n:], l.low+uint64(n)
	return len(l.untold), stale
}

// comeBack notes that an entry is not out any more.
func (l *ledger) comeBack(e *entry) {
	l.out--
	l.outBytes -= e.size
	l.hungry, l.starved = false, 0
	l.retired = l.parting && l.out == 0
}

// tell returns what to tell the broker. It has one word for all those that are
// settled without a gap, and names a tag that is acknowledged now: the broker
// closes the channel over one that it does not know any more.
func (l *ledger) tell() (words []acking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last uint64 // of those without a gap before it
	row := 0
	for _, tag := range l.untold {
		if tag < l.low {
			last = max(last, tag)
			row++
		} else {
			words = append(words, acking{tag: tag})
		}
	}
	l.untold = l.untold[:0]
	slices.SortFunc(words, func(a, b acking) int { return cmp.Compare(a.tag, b.tag) })
	if row > 0 {
		words = slices.Insert(words, 0, acking{tag: last, multiple: row > 1})
	}
	return words
}

// giveBack makes messages ready again.
func (l *ledger) giveBack(rs []receipt) (stale bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.retired {
		return len(rs) > 0 && !l.retired
	}
	for _, r := range rs {
		e := l.entry(r.tag)
		switch {
		case e == nil: // acknowledged before
			continue
		case !e.out || e.attempt != r.attempt:
			stale = true
			continue
		}
		e.out = false
		l.comeBack(e)
		l.insert(e)
	}
	return stale
}

// retire hands nothing out any more, as soon as nothing is out. It reports
// whether that is so already.
func (l *ledger) retire() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.parting = true
	l.retired = l.out == 0
	return l.retired
}
