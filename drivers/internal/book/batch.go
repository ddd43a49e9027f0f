package book

import (
	"sync"
	"sync/atomic"

	"github.com/omconnect/omconnect/oms"
)

// A Batch is what one call of SendAsync was given.
type Batch struct {
	book         *Book
	number       uint64
	done         func(error)
	count, bytes int          // that it has of the window
	left         atomic.Int64 // messages without an outcome, and one more until all were handed over
	finished     bool         // done has returned; the book's lock guards it

	mu     sync.Mutex
	failed map[int]error // by index; nil while there is none
}

// Settle notes the outcome of the message with that index, of each once. The
// last outcome makes room for others and calls done; only when that has
// returned the batch stands no longer in the way. The caller holds no lock that
// done may need, nor one that SendAsync needs.
func (b *Batch) Settle(index int, err error) {
	if err != nil {
		b.mu.Lock()
		if b.failed == nil {
			b.failed = make(map[int]error)
		}
		b.failed[index] = err
		b.mu.Unlock()
	}
	b.settled()
}

// Handed says that every message is on its way or has its outcome. Done is not
// called before that.
func (b *Batch) Handed() { b.settled() }

func (b *Batch) settled() {
	if b.left.Add(-1) > 0 {
		return
	}
	if b.failed != nil { // nobody writes it any more
		b.finish(&oms.BatchError{Failed: b.failed})
		return
	}
	b.finish(nil)
}

func (b *Batch) finish(err error) {
	if b.count > 0 {
		b.book.window.Leave(b.count, b.bytes)
	}
	b.done(err)
	b.book.leave(b)
}
