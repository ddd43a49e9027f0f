package omstest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// reread has every message changed on its way from the broker.
func reread(change func(*oms.Message)) func(*broken) {
	return func(d *broken) {
		d.onReceiver = func(r *brokenReceiver) {
			receive := r.receive
			r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
				msgs, err := receive(ctx, limit)
				for _, m := range msgs {
					change(m)
				}
				return msgs, err
			}
		}
	}
}

// choke hands out nothing more once it was full.
func choke(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive, ack := r.receive, r.ack
		var out atomic.Int64
		full := false // Receive is called by one goroutine at a time
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			if full {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			msgs, err := receive(ctx, limit)
			full = out.Add(int64(len(msgs))) >= int64(r.cfg.MaxUnacked)
			return msgs, err
		}
		r.ack = func(ctx context.Context, msgs []*oms.Message) error {
			out.Add(-int64(len(msgs)))
			return ack(ctx, msgs)
		}
	}
}

// hoard takes more messages than it is asked for, and hands them out later,
// whatever has happened meanwhile.
func hoard(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive := r.receive
		const hoarded = 500
		var kept []*oms.Message // Receive is called by one goroutine at a time
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			if len(kept) == 0 {
				msgs, err := receive(ctx, limit+hoarded)
				if err != nil {
					return msgs, err
				}
				kept = msgs
			}
			n := min(limit, len(kept))
			msgs := kept[:n:n]
			kept = kept[n:]
			return msgs, nil
		}
	}
}

// overdeliver returns more messages than it was asked for.
func overdeliver(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive := r.receive
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) { return receive(ctx, limit+1) }
	}
}

// hang waits for messages until its deadline, also when it is cancelled.
func hang(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive := r.receive
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			end, ok := ctx.Deadline()
			if !ok {
				end = time.Now().Add(10 * time.Minute) // so that the rule ends at all
			}
			patient, cancel := context.WithDeadline(context.WithoutCancel(ctx), end)
			defer cancel()
			msgs, err := receive(patient, limit)
			if patient.Err() != nil && ok {
				<-ctx.Done() // at the same time
				err = ctx.Err()
			}
			return msgs, err
		}
	}
}

// seekFurther skips a message when it seeks.
func seekFurther(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		seek := r.seek
		r.seek = func(ctx context.Context, to map[oms.Partition]int64) error {
			further := make(map[oms.Partition]int64, len(to))
			for p, offset := range to {
				further[p] = offset + 1
			}
			if err := seek(ctx, further); !errors.Is(err, oms.ErrInvalid) {
				return err
			}
			return seek(ctx, to)
		}
	}
}

// seekBeyond takes a Seek behind the end, and waits for what will be there.
func seekBeyond(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		seek, receive, ack := r.seek, r.receive, r.ack
		var mu sync.Mutex
		from := make(map[oms.Partition]int64)
		r.seek = func(ctx context.Context, to map[oms.Partition]int64) error {
			err := seek(ctx, to)
			mu.Lock()
			defer mu.Unlock()
			for p, offset := range to {
				delete(from, p)
				if oms.CodeOf(err) == oms.ErrInvalid && offset > 0 {
					from[p], err = offset, nil
				}
			}
			return err
		}
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			for {
				msgs, err := receive(ctx, limit)
				if err != nil {
					return msgs, err
				}
				mu.Lock()
				rest := slices.DeleteFunc(slices.Clone(msgs), func(m *oms.Message) bool { return m.Offset < from[m.At()] })
				mu.Unlock()
				if len(rest) == len(msgs) {
					return msgs, nil
				}
				if err := ack(ctx, msgs); err != nil || len(rest) > 0 {
					return rest, err
				}
			}
		}
	}
}

// reverse hands out large batches of messages in reverse.
func reverse(which func(*oms.Message) bool) func(*broken) {
	return func(d *broken) {
		d.onReceiver = func(r *brokenReceiver) {
			receive := r.receive
			r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
				msgs, err := receive(ctx, limit)
				if len(msgs) >= 50 && !slices.ContainsFunc(msgs, func(m *oms.Message) bool { return !which(m) }) {
					slices.Reverse(msgs)
				}
				return msgs, err
			}
		}
	}
}
