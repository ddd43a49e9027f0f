package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// How often, and for how long, the file of a consumer's state is looked at.
// The server writes it ten times a second.
const (
	stateEvery  = 10 * time.Millisecond
	stateWithin = 5 * time.Second
)

// written returns when the server has written the acknowledgement of a message
// to a consumer's file, and with it all before. It answers acknowledgements
// before it writes them, and a process that is killed takes along what was not
// written. There is no call that waits for that, so the file itself is read.
func (b *broker) written(ctx context.Context, stream, durable string, offset int64) error {
	return b.awaitState(ctx, stream, durable, func(s consumerState) bool {
		return s.acknowledged(uint64(offset)) //nolint:gosec // not negative
	})
}

// floor returns the ack floor that stands in a consumer's file, if it is not
// beyond the one that the server has told: after a seek the file may be late.
func (b *broker) floor(ctx context.Context, stream, durable string, told uint64) (uint64, error) {
	floor := told
	err := b.awaitState(ctx, stream, durable, func(s consumerState) bool {
		floor = min(told, s.floor)
		return true
	})
	return floor, err
}

// awaitState reads a consumer's file until enough is satisfied with it. One that
// is not whole is read again. One of another release's form is an error at
// once, since nothing that stands in it can be relied on; so is a consumer
// without a folder (errNoState), unless the server says that it was deleted.
func (b *broker) awaitState(ctx context.Context, stream, durable string, enough func(consumerState) bool) error {
	folder := filepath.Join(b.folder.store(), "jetstream", "$G", "streams", stream, "obs", durable)
	ctx, cancel := context.WithTimeout(ctx, stateWithin)
	defer cancel()
	for {
		content, err := os.ReadFile(filepath.Join(folder, "o.dat")) //nolint:gosec // made of encoded names
		if errors.Is(err, os.ErrNotExist) {
			if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
				return &oms.Error{Target: stream, Code: oms.ErrFormat, Err: errNoState}
			}
		}
		var state consumerState
		if err == nil {
			state, err = readState(content)
		}
		switch {
		case errors.Is(err, errStateForm):
			return &oms.Error{Target: stream, Code: oms.ErrFormat, Err: err}
		case err == nil && enough(state):
			return nil
		}
		if sleep.For(ctx, stateEvery) != nil {
			return &oms.Error{Code: oms.ErrTimeout, Err: fmt.Errorf("the broker does not write the acknowledgements of %s: %w", stream, errors.Join(err, ctx.Err()))}
		}
	}
}

// A consumerState is what the server remembers of a consumer.
type consumerState struct {
	floor     uint64 // everything up to it is acknowledged
	delivered uint64
	pending   map[uint64]bool // delivered and not acknowledged
}

func (s consumerState) acknowledged(seq uint64) bool {
	return seq <= s.floor || seq <= s.delivered && !s.pending[seq]
}

// The beginning of the file, in the only form that there is as of 2.15.
const (
	stateMagic   = 22
	stateVersion = 2
)

var (
	errState     = errors.New("the consumer's state is not whole")
	errStateForm = errors.New("the consumer's state is in a form that this release does not know: what of it is durable cannot be told")
	errNoState   = errors.New("the consumer's state is not where this release looks for it: what of it is durable cannot be told")
)

// readState decodes the file: after magic and version the floor's numbers, the
// latest delivery's, and the pending messages, relative to the floor.
func readState(b []byte) (consumerState, error) {
	var s consumerState
	if len(b) < 2 {
		return s, errState
	}
	if b[0] != stateMagic || b[1] != stateVersion {
		return s, errStateForm
	}
	b = b[2:]
	failed := false
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			failed, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	next() // the consumer's own number of the floor
	s.floor = next()
	next() // and of the delivery
	s.delivered = next()
	count := next()
	if failed || count > uint64(len(b)) {
		return s, errState
	}
	s.pending = make(map[uint64]bool, count)
	if count > 0 {
		next() // the time that the others are relative to
	}
	for range count {
		s.pending[s.floor+next()] = true
		next() // the consumer's number
		next() // when; zigzag, but only its length matters here
	}
	if failed {
		return s, errState
	}
	return s, nil
}
