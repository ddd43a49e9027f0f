package embedded

import (
	"context"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Hurry makes a connection less patient, before anything is opened from it;
// zero leaves a time as it is.
func Hurry(c oms.Conn, ackWait, extend, missing time.Duration) {
	p := &c.(*conn).pace
	for _, change := range []struct {
		of *time.Duration
		to time.Duration
	}{{&p.ackWait, ackWait}, {&p.extend, extend}, {&p.missing, missing}} {
		if change.to > 0 {
			*change.of = change.to
		}
	}
}

// OnWritten has a function decide, before anything is opened from the
// connection, when and whether acknowledgements are written.
func OnWritten(c oms.Conn, written func(ctx context.Context, stream string) error) {
	c.(*conn).backend = scribe{c.(*conn).backend, written}
}

type scribe struct {
	backend
	onWritten func(context.Context, string) error
}

func (s scribe) written(ctx context.Context, stream, durable string, offset int64) error {
	if err := s.onWritten(ctx, stream); err != nil {
		return err
	}
	return s.backend.written(ctx, stream, durable, offset)
}
