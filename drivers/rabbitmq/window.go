package rabbitmq

import (
	"context"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A window bounds what is in flight. Those who wait for room get it in the
// order in which they came, which is what keeps the order of sends.
type window struct {
	maxCount, maxBytes int
	turn               chan struct{} // held by the one who is being admitted
	room               chan struct{} // signalled when something has left

	mu           sync.Mutex
	count, bytes int
}

func newWindow(cfg oms.SenderConfig) *window {
	return &window{
		maxCount: cfg.MaxInFlight, maxBytes: cfg.MaxInFlightBytes,
		turn: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
}

// admit waits for room and for the turn, which the caller then has until it
// calls next. It returns an error when ctx or closing is done first.
func (w *window) admit(ctx context.Context, closing <-chan struct{}, count, bytes int) error {
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
			w.next()
			return &oms.Error{Code: oms.ErrAborted, Err: ctx.Err()}
		case <-closing:
			w.next()
			return &oms.Error{Code: oms.ErrClosed}
		}
	}
	return nil
}

// enter takes room if there is enough. What is larger than the window gets it
// for itself.
func (w *window) enter(count, bytes int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count > 0 && (w.count+count > w.maxCount || w.bytes+bytes > w.maxBytes) {
		return false
	}
	w.count += count
	w.bytes += bytes
	return true
}

// next ends a turn.
func (w *window) next() { <-w.turn }

func (w *window) leave(count, bytes int) {
	w.mu.Lock()
	w.count -= count
	w.bytes -= bytes
	w.mu.Unlock()
	signal(w.room)
}

// signal wakes whoever waits, now or next.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
