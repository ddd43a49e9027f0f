package sql

import (
	"context"
	dbsql "database/sql"

	"github.com/omconnect/omconnect/oms"
)

// A cursor is a query that stays open from one poll to the next, for rows that
// cannot be read in pages: they have no order to go on by.
type cursor struct {
	rows   *dbsql.Rows
	cancel context.CancelFunc
	next   []any // the row behind those that were returned
}

// readOn returns the next rows of the cursor. They have no position until the
// last one, which is the end.
func (in *input) readOn(ctx context.Context) (_ []*oms.Message, err error) {
	c := &in.cursor
	defer func() {
		if err != nil || in.done {
			in.closeCursor()
		}
	}()
	if c.rows == nil {
		// The cursor outlives this poll, whose context may end with it.
		var long context.Context
		long, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
		if err := in.openCursor(ctx, long); err != nil {
			return nil, err
		}
	}
	defer context.AfterFunc(ctx, c.cancel)()
	var msgs []*oms.Message
	for size := 0; len(msgs) < in.cfg.rows && size < maxPage; {
		more := c.rows.Next()
		if !more && c.rows.Err() != nil {
			return nil, in.readError(ctx, c.rows.Err())
		}
		if in.done = !more; in.done && c.next == nil {
			return msgs, nil
		}
		if c.next != nil {
			position := ""
			if in.done {
				position = donePosition
			}
			m, err := in.message(c.next, position)
			if err != nil {
				return nil, err
			}
			msgs = append(msgs, m)
		}
		if in.done {
			return msgs, nil
		}
		r, n, err := in.record(c.rows)
		if err != nil {
			return nil, in.readError(ctx, err)
		}
		c.next, size = r.values, size+n
	}
	return msgs, nil
}

func (in *input) openCursor(ctx, long context.Context) error {
	query, args, err := in.statement(0)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, in.cursor.cancel)()
	rows, err := in.db.QueryContext(long, query, args...)
	if err != nil {
		return in.readError(ctx, err)
	}
	in.cursor.rows = rows
	return nil
}

// readError returns the reason why a poll's context ended rather than that the
// cursor's did.
func (in *input) readError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return in.db.fail("read", in.what(), err)
}

// closeCursor releases what the database keeps for the cursor.
func (in *input) closeCursor() {
	if in.cursor.rows != nil {
		_ = in.cursor.rows.Close() // nothing was written
	}
	if in.cursor.cancel != nil {
		in.cursor.cancel()
	}
	in.cursor = cursor{}
}
