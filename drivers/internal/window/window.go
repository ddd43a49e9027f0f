// Package window bounds what the sender of a driver has in flight.
package window

import (
	"context"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A Window bounds what is in flight. Those who wait for room get it in the
// order in which they came, which is what keeps the order of sends.
type Window struct {
	maxCount, maxBytes int
	turn               chan struct{} // held by the one who is being admitted
	room               chan struct{} // signalled when something has left

	mu           sync.Mutex
	count, bytes int
}

// New returns an empty window.
func New(cfg oms.SenderConfig) *Window {
	return &Window{
		maxCount: cfg.MaxInFlight, maxBytes: cfg.MaxInFlightBytes,
		turn: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
}

// Admit waits for room and for the turn, which the caller then has until it
// calls Next. It is ErrAborted or ErrClosed when ctx or closing is done first.
func (w *Window) Admit(ctx context.Context, closing <-chan struct{}, count, bytes int) error {
	if err := ctx.Err(); err != nil {
		return &oms.Error{Code: oms.ErrAborted, Err: err}
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return &oms.Error{Code: oms.ErrAborted, Err: ctx.Err()}
	case <-closing:
		return &oms.Error{Code: oms.ErrClosed}
	}
	for !w.enter(count, bytes) {
		select {
		case <-w.room:
		case <-ctx.Done():
			w.Next()
			return &oms.Error{Code: oms.ErrAborted, Err: ctx.Err()}
		case <-closing:
			w.Next()
			return &oms.Error{Code: oms.ErrClosed}
		}
	}
	return nil
}

// enter takes room if there is enough. What is larger than the window gets it
// for itself.
func (w *Window) enter(count, bytes int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count > 0 && (w.count+count > w.maxCount || w.bytes+bytes > w.maxBytes) {
		return false
	}
	w.count += count
	w.bytes += bytes
	return true
}

// Next ends a turn.
func (w *Window) Next() { <-w.turn }

// Leave makes room. Anybody may call it.
func (w *Window) Leave(count, bytes int) {
	w.mu.Lock()
	w.count -= count
	w.bytes -= bytes
	w.mu.Unlock()
	select {
	case w.room <- struct{}{}:
	default: // it was signalled before
	}
}
