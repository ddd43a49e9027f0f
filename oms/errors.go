package oms

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// A Code says what kind of failure an error is. Codes are themselves errors,
// so that errors.Is(err, oms.ErrNotFound) holds for every error of that kind,
// whichever driver or store it came from.
type Code string //nolint:errname // the codes are named Err; their type reads better as Code

// The codes of failures that repeating the call does not mend.
const (
	ErrInvalid     Code = "invalid"
	ErrNotFound    Code = "not found"
	ErrExists      Code = "already exists"
	ErrDenied      Code = "permission denied"
	ErrUnsupported Code = "not supported"
	ErrTooLarge    Code = "too large"
	ErrFormat      Code = "malformed"
	ErrClosed      Code = "closed"
	ErrAborted     Code = "aborted" // given up untried: by the caller, or because of a failure before it
)

// The codes of temporary failures: the same call may succeed later.
const (
	ErrUnavailable    Code = "unavailable"
	ErrTimeout        Code = "timed out"
	ErrBusy           Code = "busy"
	ErrFull           Code = "out of space"
	ErrNoSubscription Code = "no group subscribes to the topic"
	ErrUnknown        Code = "outcome unknown" // may have been done, may not
)

// The codes of calls by somebody whose turn has passed. They are never
// repeated as such: whoever gets one starts over or gives up.
const (
	ErrStaleDelivery Code = "delivery belongs to an earlier session"
	ErrFenced        Code = "fenced by a newer owner"
	ErrHeld          Code = "held by another owner"
)

// Error implements the error interface.
func (c Code) Error() string { return string(c) }

// Temporary reports whether the same call may succeed later.
func (c Code) Temporary() bool {
	switch c {
	case ErrUnavailable, ErrTimeout, ErrBusy, ErrFull, ErrNoSubscription, ErrUnknown:
		return true
	default:
		return false
	}
}

// Error describes a failed operation on a broker or a store.
type Error struct {
	Op     string // what was being done, as in "send"
	Driver string // which driver or store, as in "kafka"; empty in the front
	Target string // what it was done to: a topic, a group, a key, a file
	Code   Code   // what kind of failure it was
	Err    error  // the cause; may be nil
}

// Error implements the error interface.
func (e *Error) Error() string {
	var parts []string
	for _, s := range []string{e.Driver, e.Op, e.Target} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	text := string(e.Code)
	switch {
	case e.Err == nil:
	case text == "" || CodeOf(e.Err) == e.Code:
		text = e.Err.Error() // the cause says the code already
	default:
		text += ": " + e.Err.Error()
	}
	if len(parts) == 0 {
		return text
	}
	return strings.Join(parts, " ") + ": " + text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the code of e.
func (e *Error) Is(target error) bool { return target == error(e.Code) }

// CodeOf returns the code of err: the first one on the way from err to its
// causes, of several causes the first that has one. It is "" when err has
// none.
func CodeOf(err error) Code {
	switch e := err.(type) { //nolint:errorlint // this is the walk that errors.As would do, in the order of causes
	case nil:
		return ""
	case Code:
		return e
	case KeyErrors:
		return ErrInvalid
	case *Error:
		if e.Code != "" {
			return e.Code
		}
	}
	switch e := err.(type) { //nolint:errorlint // as above
	case interface{ Unwrap() error }:
		return CodeOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			if c := CodeOf(cause); c != "" {
				return c
			}
		}
	}
	return ""
}

// IsTemporary reports whether the call that failed with err may be repeated.
func IsTemporary(err error) bool { return CodeOf(err).Temporary() }

// A BatchError is the outcome of a batch of which some messages failed. Those
// that it does not name were confirmed.
type BatchError struct {
	Failed map[int]error // by index in the batch; never empty, no value nil
}

// NewBatchError returns the error of a batch of n messages that all failed
// with err.
func NewBatchError(n int, err error) *BatchError {
	failed := make(map[int]error, n)
	for i := range n {
		failed[i] = err
	}
	return &BatchError{Failed: failed}
}

// Error tells the first failure and the number of failures.
func (e *BatchError) Error() string {
	if len(e.Failed) == 0 {
		return "messages of the batch failed, and which ones is not known"
	}
	i := e.Indices()[0]
	if len(e.Failed) == 1 {
		return fmt.Sprintf("message %d of the batch: %v", i, e.Failed[i])
	}
	return fmt.Sprintf("%d messages of the batch, the first at %d: %v", len(e.Failed), i, e.Failed[i])
}

// Unwrap returns the causes in the order of the batch, so that errors.Is and
// CodeOf see the first failure first.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed))
	for _, i := range e.Indices() {
		errs = append(errs, e.Failed[i])
	}
	return errs
}

// Indices returns the indices of the failed messages, ascending.
func (e *BatchError) Indices() []int {
	idx := make([]int, 0, len(e.Failed))
	for i := range e.Failed {
		idx = append(idx, i)
	}
	sort.Ints(idx)
	return idx
}

// FailureOf returns what err says of the message at index i of a batch: nil
// when it was confirmed, its own cause in a *BatchError, else err itself.
func FailureOf(err error, i int) error {
	if err == nil {
		return nil
	}
	if be, ok := errors.AsType[*BatchError](err); ok {
		return be.Failed[i]
	}
	return err
}

// A KeyError is one thing that is wrong with one key of a configuration.
type KeyError struct {
	Key     string
	Problem string // what is wrong, and what to do about it; never a secret's value
}

// Error implements the error interface.
func (e KeyError) Error() string { return e.Key + ": " + e.Problem }

// KeyErrors is everything that is wrong with a configuration. Its code is
// ErrInvalid.
type KeyErrors []KeyError

// Error lists the problems, separated by semicolons.
func (es KeyErrors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Is reports that the list is ErrInvalid.
func (es KeyErrors) Is(target error) bool { return target == error(ErrInvalid) }

// OrNil returns nil for an empty list, else the list as an error.
func (es KeyErrors) OrNil() error {
	if len(es) == 0 {
		return nil
	}
	return es
}
