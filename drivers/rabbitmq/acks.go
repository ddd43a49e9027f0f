package rabbitmq

import (
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// ackDelay is how long the broker may not know of what was acknowledged, and
// ackShare which part of a prefetch. Each word to it costs as much as several
// messages.
const (
	ackDelay = 5 * time.Millisecond
	ackShare = 4
	ackMost  = 200
)

// ack settles messages. The broker is told of many at a time, and of few a
// moment later; what it cannot be told because the channel has ended is stale:
// it comes again. Anybody may call it.
func (in *intake) ack(rs []receipt) (stale bool) {
	in.order.Lock()
	defer in.order.Unlock()
	untold, stale := in.ledger.ack(rs)
	switch {
	case untold == 0:
		return stale
	case in.ch.IsClosed():
		return true
	}
	in.unsure = true
	if untold < min(ackMost, in.ahead/ackShare) {
		in.tellSoon()
		return stale
	}
	return in.tell() != nil || stale
}

// tellSoon has the broker be told of what was acknowledged. The caller has
// order.
func (in *intake) tellSoon() {
	switch {
	case in.delayed:
		return
	case in.late == nil:
		in.late = time.AfterFunc(ackDelay, in.tellLate)
	default:
		in.late.Reset(ackDelay)
	}
	in.delayed = true
}

// tellLate is called by the timer.
func (in *intake) tellLate() {
	in.order.Lock()
	defer in.order.Unlock()
	in.delayed = false
	_ = in.tell() // the channel has ended, and what was acknowledged comes again
}

// tell tells the broker of what was acknowledged. The caller has order.
func (in *intake) tell() error {
	words := in.ledger.tell()
	if len(words) > 1 { // written at once
		in.session.socket.hold()
		defer in.session.socket.release()
	}
	for _, w := range words {
		if err := in.ch.Ack(w.tag, w.multiple); err != nil {
			return err
		}
	}
	return nil
}

// flush returns when the broker has seen every acknowledgement so far: it
// takes what comes on a channel one after the other, and has told the queues
// before it asks them for what they hold. Anybody may call it.
func (in *intake) flush() error {
	in.order.Lock()
	defer in.order.Unlock()
	if !in.unsure {
		return nil
	}
	defer in.session.guard()()
	_ = in.tell() // the questions fail, too
	for _, queue := range in.queues {
		if _, err := in.ch.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
			in.unsure = false // told here
			return &oms.Error{Code: oms.ErrUnknown, Err: fmt.Errorf("acknowledgements may be lost: %w", in.session.why(err))}
		}
	}
	in.unsure = false
	return nil
}

// isUnsure reports whether there were acknowledgements that are not flushed.
func (in *intake) isUnsure() bool {
	in.order.Lock()
	defer in.order.Unlock()
	return in.unsure
}
