package connect

import (
	"context"

	"golang.org/x/time/rate"

	"github.com/omconnect/omconnect/oms"
)

// A limiter keeps the tasks of a connector to its rate in records and bytes per
// second. At most one second's worth goes in a burst. It is safe for
// concurrent use.
type limiter struct {
	records, bytes *rate.Limiter // nil for no limit
}

func newLimiter(records, bytes int64) *limiter {
	return &limiter{records: perSecond(records), bytes: perSecond(bytes)}
}

func perSecond(n int64) *rate.Limiter {
	if n <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(n), int(n))
}

// wait waits until the messages may go, or until ctx is done: what was read
// goes then all the same.
func (l *limiter) wait(ctx context.Context, msgs []*oms.Message) {
	take(ctx, l.records, len(msgs))
	if l.bytes == nil {
		return
	}
	size := 0
	for _, m := range msgs {
		size += m.Size()
	}
	take(ctx, l.bytes, size)
}

func take(ctx context.Context, l *rate.Limiter, n int) {
	for l != nil && n > 0 {
		part := min(n, l.Burst())
		if err := l.WaitN(ctx, part); err != nil {
			return
		}
		n -= part
	}
}
