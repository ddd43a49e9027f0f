package oms

import (
	"container/list"
	"context"
	"errors"
)

// A batch is what one call sent. Its outcome is put together from one or more
// attempts.
type batch struct {
	msgs    []*Message // not confirmed yet
	index   []int      // where they stand in the caller's batch; nil: as they are
	errs    []error    // of the last attempt, parallel to msgs
	gaveUp  error      // of the caller's context, when it ended before the driver took the batch
	pending bool       // the driver has it
	attempt int        // its number, from 1
	done    func(error)
	element *list.Element
}

var errWithdrawn = &Error{Op: "send", Code: ErrAborted, Err: errors.New("a message before it failed")}

// apply drops what an attempt confirmed.
func (b *batch) apply(err error) {
	if err == nil {
		b.msgs, b.errs = nil, nil
		return
	}
	msgs, index := b.msgs, b.index
	b.msgs, b.index, b.errs = nil, make([]int, 0, len(msgs)), nil
	for i, m := range msgs {
		failure := FailureOf(err, i)
		if failure == nil {
			continue
		}
		at := i
		if index != nil {
			at = index[i]
		}
		b.msgs, b.index, b.errs = append(b.msgs, m), append(b.index, at), append(b.errs, failure)
	}
}

// hopeless reports whether one of the messages failed for good.
func (b *batch) hopeless() bool {
	if b.gaveUp != nil {
		return true
	}
	for _, err := range b.errs {
		if !IsTemporary(err) && !errors.Is(err, ErrAborted) && !errors.Is(err, context.Canceled) {
			return true
		}
	}
	return false
}

func (b *batch) firstErr() error {
	for _, err := range b.errs {
		if !errors.Is(err, ErrAborted) && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errWithdrawn
}

// outcome is what the caller is told.
func (b *batch) outcome() error {
	if len(b.msgs) == 0 {
		return nil
	}
	failed := make(map[int]error, len(b.msgs))
	for i, at := range b.index {
		failed[at] = b.errs[i]
		if errors.Is(failed[at], context.Canceled) && b.gaveUp == nil {
			failed[at] = errWithdrawn
		}
	}
	return &BatchError{Failed: failed}
}
