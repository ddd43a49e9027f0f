package connecttest

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// backlog is how many records are there before a source starts.
const backlog = 12

// writeAll makes the records that are there before the source starts.
func (b *bench) writeAll() {
	if b.source != nil {
		b.write(backlog)
	}
}

// write makes n more records upstream.
func (b *bench) write(n int) {
	if b.source.Write == nil {
		b.written = b.source.Total
		return
	}
	b.source.Write(b.written, n)
	b.written += n
}

// A record is a message that a source has returned.
type record struct {
	*oms.Message
	origin oms.Origin
	number int
	poll   int // of which Poll of its instance
	before message
}

// A reader is a source that is being polled.
type reader struct {
	*life
	got   []record
	lists [][]*oms.Message // what each Poll returned
	polls int
	ended bool // with io.EOF
	late  bool // the last Poll returned after the end of its context
}

// open starts a source at the positions.
func (b *bench) open(ctx context.Context, positions ...oms.Origin) *reader {
	r := &reader{life: b.create(ctx)}
	r.start(ctx, positions...)
	return r
}

// tryPoll polls once, and returns how many messages came.
func (r *reader) tryPoll(ctx context.Context) (int, error) {
	r.polls++
	var msgs []*oms.Message
	err := r.call(ctx, "Poll", func(ctx context.Context) (err error) {
		msgs, err = r.conn.(connect.Source).Poll(ctx)
		r.late = ctx.Err() != nil
		return err
	})
	r.lists = append(r.lists, msgs)
	for i, m := range msgs {
		if m == nil {
			fail("message %d of %d that Poll returned is nil", i, len(msgs))
		}
		n, errNumber := r.source.Number(m)
		ok("the number of a message that Poll returned", errNumber)
		rec := record{Message: m, number: n, poll: r.polls, before: snapshot(m)}
		if m.Origin != nil {
			rec.origin = *m.Origin
		}
		r.got = append(r.got, rec)
	}
	switch {
	case err == io.EOF: //nolint:errorlint // an error that wraps it is a failure
		r.ended, err = true, nil
	case r.late:
		err = nil // cut short; a rule of its own is for that
	}
	return len(msgs), err
}

// poll is tryPoll for a source that has no reason to fail.
func (r *reader) poll(ctx context.Context) int {
	n, err := r.tryPoll(ctx)
	ok("Poll", err)
	r.healthy()
	return n
}

// until polls until n messages have come, the source has ended or nothing
// comes any more.
func (r *reader) until(ctx context.Context, n int) {
	for last := time.Now(); len(r.got) < n && !r.ended && time.Since(last) < quietBound; {
		if r.poll(ctx) > 0 {
			last = time.Now()
			continue
		}
		wait(ctx)
	}
}

// rest polls until n messages have come, and a few times more for those that
// should not.
func (r *reader) rest(ctx context.Context, n int) {
	r.until(ctx, n)
	for range 3 {
		if !r.ended {
			r.poll(ctx)
		}
	}
}

// want fails unless the first n records are there once each.
func (r *reader) want(n int) {
	seen := make(map[int]bool)
	for _, rec := range r.got {
		switch {
		case rec.number < 0 || rec.number >= n:
			fail("record %d has come, which was never written or is not due; %s", rec.number, r)
		case seen[rec.number]:
			fail("record %d has come twice; %s", rec.number, r)
		}
		seen[rec.number] = true
	}
	for i := range n {
		if !seen[i] {
			fail("record %d has not come; %s", i, r)
		}
	}
}

// String says what has come.
func (r *reader) String() string {
	numbers := make([]int, len(r.got))
	for i, rec := range r.got {
		numbers[i] = rec.number
	}
	return "what has come is " + listed(numbers)
}

// A message is what a message had in it.
type message struct {
	oms.Message
	key, body string
	headers   []string
	origin    oms.Origin
}

// snapshot returns a copy of a message that shares nothing with it.
func snapshot(m *oms.Message) message {
	s := message{Message: *m, key: string(m.Key), body: string(m.Body)}
	for _, h := range m.Headers {
		s.headers = append(s.headers, h.Name, string(h.Value))
	}
	if m.Origin != nil {
		s.origin = oms.Origin{Partition: strings.Clone(m.Origin.Partition), Position: strings.Clone(m.Origin.Position)}
	}
	return s
}

// changed tells what of the message is not as it was, "" if nothing is.
func (s message) changed(m *oms.Message) string {
	now := snapshot(m)
	switch {
	case s.body != now.body || (s.Body == nil) != (m.Body == nil):
		return "body"
	case s.key != now.key || (s.Key == nil) != (m.Key == nil):
		return "key"
	case !slices.Equal(s.headers, now.headers):
		return "headers"
	case s.origin != now.origin || (s.Origin == nil) != (m.Origin == nil):
		return "origin"
	case s.Topic != m.Topic:
		return "topic"
	case s.ID != m.ID:
		return "id"
	}
	return ""
}
