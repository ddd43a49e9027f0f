package connecttest

import (
	"context"
	"slices"
	"sync"
)

// An Upstream is a queue in memory that forgets what was acknowledged, as the
// queue of a broker or the replication slot of a database does. A source that
// acknowledges before it was told to by Committed loses records with it: the
// next reader does not get them. Its zero value is empty and ready for use. It
// outlives the instances that read from it, and may be used concurrently.
type Upstream struct {
	mu        sync.Mutex
	forgotten int64 // records that are no longer there
	records   []string
	grown     chan struct{} // closed by the next Append; nil while nobody waits
}

// Append puts records at the end.
func (u *Upstream) Append(records ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.records = append(u.records, records...)
	if u.grown != nil {
		close(u.grown)
		u.grown = nil
	}
}

// Read returns up to limit records behind the first n of all there ever were,
// and how many come before them: more than n when the upstream has forgotten
// some of those that were asked for. It waits for records until the context
// ends; then it returns none.
func (u *Upstream) Read(ctx context.Context, n int64, limit int) (records []string, before int64) {
	for {
		records, before, grown := u.read(n, limit)
		if len(records) > 0 {
			return records, before
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, before
		}
	}
}

func (u *Upstream) read(n int64, limit int) (records []string, before int64, grown <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n = max(n, u.forgotten)
	have := u.records[min(n-u.forgotten, int64(len(u.records))):]
	if len(have) == 0 && u.grown == nil {
		u.grown = make(chan struct{})
	}
	return slices.Clone(have[:min(limit, len(have))]), n, u.grown
}

// Ack says that the first n of all records are not needed any more. They are
// forgotten.
func (u *Upstream) Ack(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if more := min(n-u.forgotten, int64(len(u.records))); more > 0 {
		u.records = slices.Clone(u.records[more:])
		u.forgotten += more
	}
}

// Len returns how many records the upstream has not forgotten.
func (u *Upstream) Len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.records)
}
