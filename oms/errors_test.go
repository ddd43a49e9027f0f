package oms_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestAnErrorIsItsCodeAndItsCause(t *testing.T) {
	err := fmt.Errorf("task 0: %w", &oms.Error{Op: "send", Driver: "kafka", Target: "t", Code: oms.ErrUnavailable, Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, oms.ErrUnavailable) || errors.Is(err, oms.ErrNotFound) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("errors.Is is wrong about %v", err)
	}
	if !oms.IsTemporary(err) {
		t.Errorf("IsTemporary(%v) = false", err)
	}
	if got, want := err.Error(), "task 0: kafka send t: unavailable: unexpected EOF"; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
}

func TestCodeOfLooksAtWhatComesFirst(t *testing.T) {
	inner := &oms.Error{Op: "a", Code: oms.ErrFull}
	for name, test := range map[string]struct {
		err  error
		want oms.Code
	}{
		"nil":                 {nil, ""},
		"no code":             {io.EOF, ""},
		"a code":              {oms.ErrHeld, oms.ErrHeld},
		"outermost":           {&oms.Error{Op: "b", Code: oms.ErrDenied, Err: inner}, oms.ErrDenied},
		"of the cause":        {&oms.Error{Op: "b", Err: inner}, oms.ErrFull},
		"keys":                {oms.KeyErrors{{Key: "k", Problem: "p"}}, oms.ErrInvalid},
		"first of the batch":  {&oms.BatchError{Failed: map[int]error{4: inner, 2: oms.ErrTooLarge}}, oms.ErrTooLarge},
		"joined, first first": {errors.Join(inner, &oms.Error{Code: oms.ErrDenied}), oms.ErrFull},
	} {
		if got := oms.CodeOf(test.err); got != test.want {
			t.Errorf("%s: CodeOf(%v) = %q, want %q", name, test.err, got, test.want)
		}
	}
}

func TestTemporaryCodesAreThoseThatPass(t *testing.T) {
	for _, c := range []oms.Code{oms.ErrUnavailable, oms.ErrTimeout, oms.ErrBusy, oms.ErrFull, oms.ErrNoSubscription, oms.ErrUnknown} {
		if !c.Temporary() {
			t.Errorf("%q is not temporary", c)
		}
	}
	for _, c := range []oms.Code{
		oms.ErrInvalid, oms.ErrNotFound, oms.ErrExists, oms.ErrDenied, oms.ErrUnsupported, oms.ErrTooLarge, oms.ErrFormat,
		oms.ErrClosed, oms.ErrAborted, oms.ErrStaleDelivery, oms.ErrFenced, oms.ErrHeld,
	} {
		if c.Temporary() {
			t.Errorf("%q is temporary", c)
		}
	}
}

func TestErrorTextSaysThingsOnce(t *testing.T) {
	for want, err := range map[string]error{
		"mem open x: not found": &oms.Error{Op: "open", Driver: "mem", Target: "x", Code: oms.ErrNotFound},
		"invalid":               &oms.Error{Code: oms.ErrInvalid},
		"a: b: out of space":    &oms.Error{Op: "a", Code: oms.ErrFull, Err: &oms.Error{Op: "b", Code: oms.ErrFull}},
		"a: EOF":                &oms.Error{Op: "a", Err: io.EOF},
		"messages of the batch failed, and which ones is not known": &oms.BatchError{},
		"message 1 of the batch: EOF":                               &oms.BatchError{Failed: map[int]error{1: io.EOF}},
		"2 messages of the batch, the first at 0: EOF":              oms.NewBatchError(2, io.EOF),
		"k: p; l: q": oms.KeyErrors{{Key: "k", Problem: "p"}, {Key: "l", Problem: "q"}},
	} {
		if got := err.Error(); got != want {
			t.Errorf("Error = %q, want %q", got, want)
		}
	}
}

func TestFailureOfTellsEachMessageItsOwn(t *testing.T) {
	err := error(&oms.BatchError{Failed: map[int]error{1: io.EOF}})
	if oms.FailureOf(err, 0) != nil || !errors.Is(oms.FailureOf(err, 1), io.EOF) {
		t.Errorf("FailureOf mixes the messages of %v up", err)
	}
	if oms.FailureOf(nil, 3) != nil || !errors.Is(oms.FailureOf(io.EOF, 3), io.EOF) {
		t.Error("FailureOf is wrong about a batch with one outcome")
	}
}

func TestCapabilitiesNameWhatIsMissing(t *testing.T) {
	caps := oms.Claim(oms.Groups)
	caps.Claims[oms.Priority] = oms.Support{Note: "a log has one order"}
	caps.Claims[oms.Expiry] = oms.Support{Claimed: true, Emulated: true}
	if err := caps.Check("x", []oms.Need{{Capability: oms.Groups}, {Capability: oms.Expiry}}); err != nil {
		t.Errorf("Check = %v, want nil", err)
	}
	err := caps.Check("x", []oms.Need{{Capability: oms.Priority, Key: "prio"}, {Capability: oms.Delay}})
	want := "x check capabilities: not supported: capability priority (asked for by prio): a log has one order; capability delay"
	if !errors.Is(err, oms.ErrUnsupported) || err.Error() != want {
		t.Errorf("Check = %v, want %s", err, want)
	}
	if got := len(caps.All()); got != 3 {
		t.Errorf("All has %d capabilities, want 3", got)
	}
}
