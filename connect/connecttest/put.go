package connecttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var putRules = []rule{
	{"Put", "what was put, and flushed by a sink that has Flush, is in the target, in order: nothing waits for more to come or for OnStop", always, checkPut},
	{"PutAgain", "a batch that is put again after a crash is there: once if the sink is idempotent, else at least once", always, checkPutAgain},
	{"PutUnchanged", "Put changes neither the messages nor the list of them", always, checkPutUnchanged},
	{"Tombstones", "a sink that says it handles tombstones takes them, and deletes what they name if the harness has it so", tombstones, checkTombstones},
}

// next makes the next n messages.
func (b *bench) next(n int) []*oms.Message {
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		msgs[i] = b.message(b.written)
		b.written++
	}
	return msgs
}

// message makes the message of a number. It has a body: what has none is a
// tombstone.
func (b *bench) message(i int) *oms.Message {
	m := b.sink.Message(i)
	if m == nil || m.Body == nil {
		fail("message %d of the harness is none, or a tombstone", i)
	}
	return m
}

// messages makes the messages of some numbers.
func (b *bench) messages(numbers ...int) []*oms.Message {
	msgs := make([]*oms.Message, len(numbers))
	for i, n := range numbers {
		msgs[i] = b.message(n)
		b.written = max(b.written, n+1)
	}
	return msgs
}

func (l *life) tryPut(ctx context.Context, msgs ...*oms.Message) error {
	return l.call(ctx, "Put", func(ctx context.Context) error { return l.conn.(connect.Sink).Put(ctx, msgs) })
}

func (l *life) put(ctx context.Context, msgs ...*oms.Message) {
	ok(fmt.Sprintf("Put of %d messages", len(msgs)), l.tryPut(ctx, msgs...))
	l.healthy()
}

// tryFlush calls Flush of a sink that has it.
func (l *life) tryFlush(ctx context.Context) error {
	if f, is := l.conn.(connect.Flusher); is {
		return l.call(ctx, "Flush", f.Flush)
	}
	return nil
}

func (l *life) flush(ctx context.Context) { ok("Flush", l.tryFlush(ctx)) }

// begin starts a sink.
func (b *bench) begin(ctx context.Context) *life {
	l := b.create(ctx)
	l.start(ctx)
	return l
}

// stored fails unless the target has exactly these.
func (b *bench) stored(when string, want ...int) {
	if got := b.sink.Stored(); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		fail("%s the target has %s, and not %s", when, listed(got), listed(want))
	}
}

// safe fails unless the target has these, once each and in order if the sink
// is idempotent.
func (b *bench) safe(when string, want ...int) {
	if b.sink.Idempotent {
		b.stored(when, want...)
		return
	}
	got := b.sink.Stored()
	for _, n := range want {
		if !slices.Contains(got, n) {
			fail("%s the target has %s, and %d is lost", when, listed(got), n)
		}
	}
}

// upTo returns the numbers below n.
func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

func checkPut(ctx context.Context, b *bench) {
	l := b.begin(ctx)
	for _, n := range []int{1, 2, 7, 1} {
		l.put(ctx, b.next(n)...)
		l.flush(ctx)
		b.stored("after Put", upTo(b.written)...)
	}
	l.put(ctx, b.next(2)...)
	l.put(ctx, b.next(2)...)
	l.flush(ctx)
	b.stored("after two Puts", upTo(b.written)...)
	l.stop(ctx)
	b.stored("after OnStop", upTo(b.written)...)
	l = b.begin(ctx)
	b.stored("after the next OnStart", upTo(b.written)...)
	l.put(ctx, b.next(3)...)
	l.flush(ctx)
	b.stored("after Put by the next instance", upTo(b.written)...)
}

func checkPutAgain(ctx context.Context, b *bench) {
	l := b.begin(ctx)
	l.put(ctx, b.messages(0, 1, 2)...) // not flushed, not acknowledged
	l.stop(ctx)
	l = b.begin(ctx)
	l.put(ctx, b.messages(0, 1, 2)...)
	l.put(ctx, b.messages(2, 3)...)
	l.flush(ctx)
	b.safe("after the batch was put again", 0, 1, 2, 3)
	l.put(ctx, b.messages(0)...)
	l.put(ctx, b.messages(1, 2, 3, 3)...)
	l.flush(ctx)
	b.safe("after it was put a third time", 0, 1, 2, 3)
}

func checkPutUnchanged(ctx context.Context, b *bench) {
	l := b.begin(ctx)
	msgs := b.next(5)
	if b.sink.Refused != nil {
		msgs = append(msgs, b.sink.Refused(b.written))
	}
	list := slices.Clone(msgs)
	before := make([]message, len(msgs))
	for i, m := range msgs {
		before[i] = snapshot(m)
	}
	_ = l.tryPut(ctx, msgs...) // it may be partial
	l.flush(ctx)
	l.stop(ctx)
	for i, m := range list {
		if msgs[i] != m {
			fail("message %d of the batch is another one after Put", i)
		}
		if part := before[i].changed(m); part != "" {
			fail("the %s of message %d was changed: it is acknowledged, put again or sent elsewhere as it is", part, i)
		}
	}
}

// tombstones reports whether the sink says that it handles tombstones. The
// runtime asks after OnStart, and so does the check.
func tombstones(b *bench) bool {
	_, is := b.sample.(connect.TombstoneHandler)
	return is
}

func checkTombstones(ctx context.Context, b *bench) {
	l := b.begin(ctx)
	claimed := false
	l.must(ctx, "HandlesTombstones", func(context.Context) error {
		claimed = l.conn.(connect.TombstoneHandler).HandlesTombstones()
		return nil
	})
	if !claimed {
		if b.sink.Tombstone != nil {
			fail("the harness has tombstones, and the sink says that it does not handle them")
		}
		return
	}
	l.put(ctx, b.messages(0, 1, 2, 3)...)
	if b.sink.Tombstone == nil {
		m := b.message(1)
		m.Body = nil
		l.put(ctx, m)
		l.flush(ctx)
		return
	}
	l.put(ctx, b.sink.Tombstone(1))
	l.flush(ctx)
	b.stored("after a tombstone of 1", 0, 2, 3)
	l.put(ctx, b.message(4), b.sink.Tombstone(4), b.sink.Tombstone(1), b.message(5), b.sink.Tombstone(3))
	l.flush(ctx)
	b.stored("after tombstones of 4, 1 and 3 among others", 0, 2, 5)
}
