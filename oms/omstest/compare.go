package omstest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// sameMessages fails unless got arrived as want was sent, in order, as far as
// the driver claims to keep it.
func (b *bench) sameMessages(got, want []*oms.Message) {
	if len(got) != len(want) {
		b.fail("%d messages came, %d were sent", len(got), len(want))
	}
	for i := range want {
		b.sameMessage(got[i], want[i])
	}
}

func (b *bench) sameMessage(got, want *oms.Message) {
	if diffs := b.differences(got, want); len(diffs) > 0 {
		b.fail("message %q did not arrive as it was sent: %s", short(want.ID), strings.Join(diffs, "; "))
	}
}

// differences tells what was not kept of a message.
func (b *bench) differences(got, want *oms.Message) (diffs []string) {
	note := func(same bool, what string, got, want any) {
		if !same {
			diffs = append(diffs, fmt.Sprintf("%s is %s, was %s", what, short(fmt.Sprintf("%#v", got)), short(fmt.Sprintf("%#v", want))))
		}
	}
	note(got.Topic == want.Topic, "topic", got.Topic, want.Topic)
	note(got.ID == want.ID, "id", got.ID, want.ID)
	note(sameBytes(got.Body, want.Body, b.caps.Has(oms.Tombstones)), "body", got.Body, want.Body)
	if b.caps.Has(oms.MessageKey) {
		note(sameBytes(got.Key, want.Key, true), "key", got.Key, want.Key)
	}
	note(slices.EqualFunc(got.Headers, want.Headers, b.sameHeader), "headers", firstDifference(got.Headers, want.Headers), len(want.Headers))
	note(sameTime(got.BornAt, want.BornAt), "born time", got.BornAt, want.BornAt)
	note(got.CorrelationID == want.CorrelationID, "correlation id", got.CorrelationID, want.CorrelationID)
	note(got.TraceParent == want.TraceParent, "trace parent", got.TraceParent, want.TraceParent)
	note(got.TraceState == want.TraceState, "trace state", got.TraceState, want.TraceState)
	note(got.Delay == 0, "delay", got.Delay, time.Duration(0))
	note(got.ToPartition == nil, "partition asked for", got.ToPartition, nil)
	if b.caps.Has(oms.Expiry) {
		note(sameTime(got.ExpiresAt, want.ExpiresAt), "expiry", got.ExpiresAt, want.ExpiresAt)
	}
	if b.caps.Has(oms.Priority) {
		note(got.Priority == want.Priority, "priority", got.Priority, want.Priority)
	}
	return diffs
}

// sameBytes compares; exactly says that nil differs from empty.
func sameBytes(x, y []byte, exactly bool) bool {
	return bytes.Equal(x, y) && (!exactly || (x == nil) == (y == nil))
}

func (b *bench) sameHeader(x, y oms.Header) bool {
	return x.Name == y.Name && sameBytes(x.Value, y.Value, b.caps.Has(oms.NilHeaders))
}

func firstDifference(got, want oms.Headers) string {
	for i := range min(len(got), len(want)) {
		if g, w := got[i], want[i]; g.Name != w.Name || !sameBytes(g.Value, w.Value, true) {
			return fmt.Sprintf("number %d %q=%q for %q=%q", i, g.Name, short(string(g.Value)), w.Name, short(string(w.Value)))
		}
	}
	return fmt.Sprintf("%d in number", len(got))
}

// sameTime compares to the millisecond.
func sameTime(x, y time.Time) bool {
	if x.IsZero() || y.IsZero() {
		return x.IsZero() == y.IsZero()
	}
	return x.UnixMilli() == y.UnixMilli()
}
