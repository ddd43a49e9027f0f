package connect

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A Stage is a part of the path of a record.
type Stage string

// The stages.
const (
	StageStart  Stage = "start"
	StagePoll   Stage = "poll"
	StageSend   Stage = "send"
	StageCommit Stage = "commit"
	StageFetch  Stage = "receive"
	StagePut    Stage = "put"
	StageAck    Stage = "acknowledge"
)

// An Outcome is a failure as a stage reports it.
type Outcome struct { //nolint:errname // it is what a stage reports; that it is an error comes second
	Stage    Stage
	Messages []*oms.Message // that it is about; none when it is about no message
	Err      error
}

// Error names the stage, and the first record by its coordinates and its key,
// never by its content.
func (o *Outcome) Error() string {
	var b strings.Builder
	b.WriteString(string(o.Stage))
	if len(o.Messages) > 0 {
		m := o.Messages[0]
		switch {
		case m.Receipt != nil:
			fmt.Fprintf(&b, " of %s partition %d offset %d", m.Topic, m.Partition, m.Offset)
		case m.Origin != nil:
			fmt.Fprintf(&b, " of %s at %s", m.Origin.Partition, m.Origin.Position)
		}
		if n := len(m.Key); n > 0 && n <= 200 && o.Stage != StageTransform && o.Stage != StageConvert {
			// In a chain the key may be what a transform is there to hide.
			fmt.Fprintf(&b, " key %q", m.Key)
		}
	}
	return b.String() + ": " + o.Err.Error()
}

// Unwrap returns the cause.
func (o *Outcome) Unwrap() error { return o.Err }

// A verdict is what becomes of a task that has failed.
type verdict int

const (
	giveUp     verdict = iota // FAILED: trying again cannot help
	tryAgain                  // RETRYING, restart.max.attempts times
	tryForever                // RETRYING: it passes by itself one day
)

// judge is the one place that decides what an error means for its task.
// Invariant 7: it never means to go on behind the record that failed.
func judge(err error) verdict {
	if errors.Is(err, errStuck) || errors.Is(err, errBadConnector) || errors.Is(err, errSameConnector) {
		return giveUp // each attempt would leave another goroutine behind
	}
	switch code := oms.CodeOf(err); code {
	case oms.ErrInvalid, oms.ErrNotFound, oms.ErrExists, oms.ErrUnsupported, oms.ErrTooLarge, oms.ErrFormat, offsets.ErrStateLost:
		return giveUp
	case oms.ErrDenied, // credentials are mended without a restart
		oms.ErrFenced, oms.ErrHeld, oms.ErrStaleDelivery: // somebody else's turn, for now
		return tryForever
	default:
		if code.Temporary() {
			return tryForever
		}
		return tryAgain
	}
}

// failures counts the failures of a task in a row.
type failures struct {
	all     int
	counted int // not known to be temporary: those that have a limit
}

// heldMost is the longest wait for what somebody else holds: when a gateway
// dies, its task is taken over soon, and when another program has left a group,
// the task that waits for that goes on.
const heldMost = 5 * time.Second

// next counts one more failure. It returns how long to wait before the next
// attempt, or false when there is to be none.
func (f *failures) next(p restartPolicy, err error) (time.Duration, bool) {
	f.all++
	wait := p.wait(f.all)
	switch judge(err) {
	case tryForever:
		if errors.Is(err, oms.ErrHeld) || errors.Is(err, errForeign) {
			wait = min(wait, heldMost)
		}
		return wait, true
	case tryAgain:
		f.counted++
		return wait, p.maxAttempts < 0 || f.counted <= p.maxAttempts
	default:
		return 0, false
	}
}

// trace returns an error in full: its text, and the stack of a panic.
func trace(err error) string {
	if p, ok := errors.AsType[*PanicError](err); ok {
		return err.Error() + "\n" + string(p.Stack)
	}
	return err.Error()
}
