package connecttest

import (
	"context"
	"errors"
	"slices"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var refusalRules = []rule{
	{"PartialError", "when Put refuses a message, the PartialError names it: what is before Index is safe, Index and Also have failed, and nothing else is said to have", refuses, checkPartialError},
	{"AfterRefusal", "what stands around a message that was refused is stored when it is put again without it", refuses, checkAfterRefusal},
}

func refuses(b *bench) bool { return b.sink.Refused != nil }

// batch makes the messages of some numbers; those below 0 are refused ones.
func (b *bench) batch(numbers []int) []*oms.Message {
	msgs := make([]*oms.Message, len(numbers))
	for i, n := range numbers {
		if n < 0 {
			msgs[i] = b.sink.Refused(-n)
		} else {
			msgs[i] = b.message(n)
		}
	}
	return msgs
}

// refused puts a batch of which some are refused, and returns the indices of
// what is safe and of what has failed. Of an error that is no PartialError
// nothing is known.
func (l *life) refused(ctx context.Context, numbers []int) (safe int, failed []int, known bool) {
	err := l.tryPut(ctx, l.batch(numbers)...)
	if err == nil {
		fail("Put of %v, where those below 0 are to be refused, returns nil", numbers)
	}
	p, is := errors.AsType[*connect.PartialError](err)
	if !is {
		return 0, nil, false
	}
	if p.Index < 0 || p.Index >= len(numbers) || p.Err == nil {
		fail("Put of %d messages returns a PartialError with Index %d and the cause %v", len(numbers), p.Index, p.Err)
	}
	failed = []int{p.Index}
	for i, err := range p.Also {
		if i <= p.Index || i >= len(numbers) || err == nil {
			fail("Put of %d messages returns a PartialError with Index %d and %d, %v in Also, which has indices above it only", len(numbers), p.Index, i, err)
		}
		failed = append(failed, i)
	}
	return p.Index, failed, true
}

func checkPartialError(ctx context.Context, b *bench) {
	l := b.begin(ctx)
	next := 0
	var want []int
	for _, refused := range [][]int{{2}, {0}, {4}, {1, 3}, {0, 1, 2, 3, 4}} {
		numbers := make([]int, 5)
		for i := range numbers {
			numbers[i] = next
			next++
			if slices.Contains(refused, i) {
				numbers[i] = -next // not 0
			}
		}
		safe, failed, known := l.refused(ctx, numbers)
		if !known {
			continue
		}
		for _, i := range failed {
			if !slices.Contains(refused, i) {
				fail("of %v, where those below 0 are to be refused, index %d is said to have failed", numbers, i)
			}
		}
		if safe != refused[0] {
			fail("of %v, where those below 0 are to be refused, Index is %d", numbers, safe)
		}
		l.flush(ctx)
		want = append(want, numbers[:safe]...)
		got := b.sink.Stored()
		for _, n := range want {
			if !slices.Contains(got, n) {
				fail("of %v, where those below 0 are to be refused, Index is %d, and the target has %s: what is before it is not safe", numbers, safe, listed(got))
			}
		}
	}
}

func checkAfterRefusal(ctx context.Context, b *bench) {
	left := []int{0, 1, -2, 3, 4, -5, -6, 7}
	l := b.begin(ctx)
	for slices.ContainsFunc(left, func(n int) bool { return n < 0 }) {
		safe, failed, known := l.refused(ctx, left)
		if !known {
			failed = []int{slices.IndexFunc(left, func(n int) bool { return n < 0 })}
		}
		l.flush(ctx)
		var rest []int
		for i, n := range left {
			if i >= safe && !slices.Contains(failed, i) {
				rest = append(rest, n)
			}
		}
		left = rest
		l.fail(ctx) // as the runtime does; the next instance gets the rest
		l.stop(ctx)
		l = b.begin(ctx)
	}
	if len(left) > 0 {
		l.put(ctx, b.batch(left)...)
		l.flush(ctx)
	}
	b.safe("after the others were put again", 0, 1, 3, 4, 7)
}
