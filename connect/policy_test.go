package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestJudgementOfEachKindOfError(t *testing.T) {
	for _, c := range []struct {
		want verdict
		errs []error
	}{
		{giveUp, []error{
			errStuck, errBadConnector, oms.ErrInvalid, oms.ErrNotFound, oms.ErrExists, oms.ErrUnsupported, oms.ErrTooLarge,
			oms.ErrFormat, offsets.ErrStateLost,
			oms.KeyErrors{{Key: "k", Problem: "p"}},
		}},
		{tryForever, []error{
			oms.ErrDenied, oms.ErrFenced, oms.ErrHeld, oms.ErrStaleDelivery, oms.ErrUnavailable, oms.ErrTimeout, oms.ErrBusy,
			oms.ErrFull, oms.ErrNoSubscription, oms.ErrUnknown,
		}},
		{tryAgain, []error{
			errors.New("any"), io.ErrUnexpectedEOF, context.DeadlineExceeded, oms.ErrClosed, oms.ErrAborted, &PanicError{Value: 1},
		}},
	} {
		for _, err := range c.errs {
			wrapped := &Outcome{Stage: StagePut, Err: fmt.Errorf("wrapped: %w", &oms.Error{Op: "x", Err: err})}
			if got := judge(wrapped); got != c.want {
				t.Errorf("judge(%v) = %d, want %d", wrapped, got, c.want)
			}
		}
	}
}

func TestWaitForALeaseIsShortHoweverOftenItWasRefused(t *testing.T) {
	var f failures
	p := restartPolicy{maxAttempts: 0, first: time.Second, most: time.Hour}
	for range 100 {
		if wait, again := f.next(p, oms.ErrHeld); !again || wait > heldMost {
			t.Fatalf("after %d refusals: wait %v, again %v; want at most %v", f.all, wait, again, heldMost)
		}
	}
}

func TestOutcomeNamesTheRecordAndNotItsContent(t *testing.T) {
	secret := []byte("content")
	for _, c := range []struct {
		m    *oms.Message
		want string
	}{
		{&oms.Message{Topic: "t", Partition: 3, Offset: 17, Receipt: 1, Key: []byte("k"), Body: secret}, `put of t partition 3 offset 17 key "k": no`},
		{&oms.Message{Origin: &oms.Origin{Partition: `{"a":1}`, Position: `{"b":2}`}, Body: secret}, `put of {"a":1} at {"b":2}: no`},
		{&oms.Message{Key: []byte(strings.Repeat("content", 99)), Body: secret}, `put: no`},
	} {
		o := &Outcome{Stage: StagePut, Messages: []*oms.Message{c.m, c.m}, Err: errors.New("no")}
		if got := o.Error(); got != c.want {
			t.Errorf("Error() = %s, want %s", got, c.want)
		}
	}
}

func TestFailureInAChainDoesNotTellTheKey(t *testing.T) {
	m := &oms.Message{Topic: "t", Partition: 3, Offset: 17, Receipt: 1, Key: []byte("s3cr3t")}
	for _, stage := range []Stage{StageTransform, StageConvert} {
		o := &Outcome{Stage: stage, Messages: []*oms.Message{m}, Err: errors.New("no")}
		if got, want := o.Error(), string(stage)+" of t partition 3 offset 17: no"; got != want {
			t.Errorf("Error() = %s, want %s", got, want)
		}
	}
}

func TestPartialErrorIsCheckedAndKeepsItsCauses(t *testing.T) {
	no := errors.New("no")
	for want, e := range map[string]*PartialError{
		"":                           {Index: 2, Err: no, Also: map[int]error{3: no, 4: no}},
		"index -1":                   {Index: -1, Err: no},
		"index 5":                    {Index: 5, Err: no},
		"cause <nil>":                {Index: 1},
		"names index 2":              {Index: 2, Err: no, Also: map[int]error{2: no}},
		"names index 9":              {Index: 2, Err: no, Also: map[int]error{9: no}},
		"names index 3, cause <nil>": {Index: 2, Err: no, Also: map[int]error{3: nil}},
	} {
		if err := e.valid(5); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("valid(%+v) = %v, want %q", e, err, want)
		}
	}
	e := &PartialError{Index: 0, Err: oms.ErrFull, Also: map[int]error{2: oms.ErrFormat, 1: io.EOF}}
	if !errors.Is(e, oms.ErrFull) || !errors.Is(e, io.EOF) || oms.CodeOf(e) != oms.ErrFull {
		t.Errorf("%v does not keep its causes in order", e)
	}
	if got, want := e.Error(), "message 0 of the batch, and 2 more: out of space"; got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
}
