package connect

import (
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A tracker turns batches confirmed in any order into positions that may be
// committed: those of the batches before the first that is not confirmed, or
// whose confirmation is too young. It is safe for concurrent use.
type tracker struct {
	durableAfter time.Duration

	mu          sync.Mutex
	batches     []*tracked // in the order read; the first ones leave when taken
	unconfirmed int        // records
	waiting     int        // records confirmed and not yet committed
	changed     chan struct{}
	full        chan struct{} // signalled while commitRecords wait, of capacity 1
}

// commitRecords is how many confirmed records are committed before the
// interval has passed.
const commitRecords = 10_000

// tracked is a batch on its way. No bodies are kept.
type tracked struct {
	positions   map[offsets.Partition]offsets.Position // the last of each partition
	records     int
	confirmed   bool
	confirmedAt time.Time
}

func newTracker(durableAfter time.Duration) *tracker {
	return &tracker{durableAfter: durableAfter, changed: make(chan struct{}), full: make(chan struct{}, 1)}
}

// add notes that a batch is on its way.
func (t *tracker) add(msgs []*oms.Message) *tracked {
	b := &tracked{records: len(msgs), positions: make(map[offsets.Partition]offsets.Position)}
	for _, m := range msgs {
		// A record without a position rides with the next that has one.
		if m.Origin != nil && m.Origin.Position != "" {
			b.positions[offsets.Partition(m.Origin.Partition)] = offsets.Position(m.Origin.Position)
		}
	}
	// A source may cut the positions of a poll from one long text. What waits
	// for its commit must not keep that alive.
	for part, pos := range b.positions {
		b.positions[part] = offsets.Position(strings.Clone(string(pos)))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches = append(t.batches, b)
	t.unconfirmed += b.records
	return b
}

// confirm notes that the broker has a batch.
func (t *tracker) confirm(b *tracked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b.confirmed, b.confirmedAt = true, time.Now()
	t.unconfirmed -= b.records
	t.waiting += b.records
	if t.waiting >= commitRecords {
		select {
		case t.full <- struct{}{}:
		default:
		}
	}
}

// take returns the positions that may be committed now, and how many records
// they cover. Invariant 1.
func (t *tracker) take() (ps map[offsets.Partition]offsets.Position, records int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	ps = make(map[offsets.Partition]offsets.Position)
	n := 0
	for _, b := range t.batches {
		if !b.confirmed || now.Sub(b.confirmedAt) < t.durableAfter {
			break
		}
		maps.Copy(ps, b.positions)
		records += b.records
		n++
	}
	t.batches = t.batches[n:]
	return ps, records
}

// committed notes that the store has what was taken.
func (t *tracker) committed(records int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting -= records
	close(t.changed)
	t.changed = make(chan struct{})
}

// blocked reports whether the first batch is not confirmed, so that nothing
// behind it can be taken.
func (t *tracker) blocked() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.batches) > 0 && !t.batches[0].confirmed
}

// load returns the records not yet confirmed, those confirmed and not yet
// committed, and a channel that is closed at the next commit.
func (t *tracker) load() (unconfirmed, waiting int, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unconfirmed, t.waiting, t.changed
}
