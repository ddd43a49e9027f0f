package connect

import (
	"context"
	"time"
)

// An idler makes a source that returns at once with nothing wait a little, and
// longer the longer there is nothing.
type idler struct {
	last time.Time
	next time.Duration
}

const (
	idleFirst = 5 * time.Millisecond
	idleMost  = 500 * time.Millisecond
)

func newIdler() *idler { return &idler{last: time.Now(), next: idleFirst} }

func (i *idler) wait(ctx context.Context, records int) {
	took := time.Since(i.last)
	if records > 0 {
		i.next = idleFirst
	} else if took < i.next {
		select {
		case <-time.After(i.next - took):
		case <-ctx.Done():
		}
		i.next = min(2*i.next, idleMost)
	}
	i.last = time.Now()
}
