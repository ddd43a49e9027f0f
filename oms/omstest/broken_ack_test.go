package omstest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// ackEarly acknowledges what it hands out.
func ackEarly(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive := r.receive
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			msgs, err := receive(ctx, limit)
			if d.sessions.Load() == 0 && r.narrow(ctx) { // else it would depend on the moment what is lost
				_ = r.memReceiver.Ack(ctx, msgs)
			}
			return msgs, err
		}
	}
}

// narrow reports whether the receiver's topics have one partition each.
func (r *brokenReceiver) narrow(ctx context.Context) bool {
	infos, err := r.conn.memConn.Topics(ctx)
	return err == nil && !slices.ContainsFunc(infos, func(i oms.TopicInfo) bool {
		return i.Partitions > 1 && slices.Contains(r.cfg.Topics, i.Name)
	})
}

// forgetNack gives nothing back.
func forgetNack(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		nack := r.nack
		r.nack = func(ctx context.Context, msgs []*oms.Message) error {
			if d.sessions.Load() > 0 { // then the front gives back what it is not sure of
				return nack(ctx, msgs)
			}
			return r.flush(ctx)
		}
	}
}

// ackLate keeps acknowledgements to itself until there are many or, if it
// flushes them then, until Close.
func ackLate(closeFlushes bool) func(*broken) {
	return func(d *broken) {
		d.onReceiver = func(r *brokenReceiver) {
			ack, flush, closing := r.ack, r.flush, r.close
			const many = 100
			var mu sync.Mutex
			var noted []*oms.Message
			settle := func(ctx context.Context, more []*oms.Message, most int) {
				mu.Lock()
				defer mu.Unlock()
				if noted = append(noted, more...); len(noted) > most {
					_ = ack(ctx, noted) // of which some may have gone to others
					noted = nil
				}
			}
			r.ack = func(ctx context.Context, msgs []*oms.Message) error {
				settle(ctx, msgs, many)
				return nil
			}
			if !closeFlushes {
				r.flush = func(ctx context.Context) error {
					settle(ctx, nil, 0)
					return flush(ctx)
				}
				return
			}
			r.close = func(ctx context.Context) error {
				settle(ctx, nil, 0)
				return closing(ctx)
			}
		}
	}
}

// ackAllBefore acknowledges with each message all that it has handed out of
// the partition before.
func ackAllBefore(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive, ack := r.receive, r.ack
		var mu sync.Mutex
		var out []*oms.Message
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			msgs, err := receive(ctx, limit)
			mu.Lock()
			defer mu.Unlock()
			out = append(out, msgs...)
			return msgs, err
		}
		r.ack = func(ctx context.Context, msgs []*oms.Message) error {
			err := ack(ctx, msgs)
			mu.Lock()
			defer mu.Unlock()
			var before []*oms.Message
			for _, o := range out {
				if slices.ContainsFunc(msgs, func(m *oms.Message) bool { return m.At() == o.At() && m.Offset > o.Offset }) {
					before = append(before, o)
				}
			}
			_ = ack(ctx, before) // of which some are acknowledged, and some may have gone to others
			return err
		}
	}
}

// losePatience gives back what is not acknowledged within some seconds.
func losePatience(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive := r.receive
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			msgs, err := receive(ctx, limit)
			if len(msgs) > 0 {
				kept := slices.Clone(msgs)
				time.AfterFunc(3*time.Second, func() { _ = r.memReceiver.Nack(ctx, kept) }) // which it may have no longer
			}
			return msgs, err
		}
	}
}

// flushNothing acknowledges a moment after it was asked to, and Flush does not
// wait for that.
func flushNothing(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		ack, flush, closing := r.ack, r.flush, r.close
		var acking sync.WaitGroup
		r.ack = func(ctx context.Context, msgs []*oms.Message) error {
			if err := flush(ctx); err != nil || len(msgs) == 0 {
				return ack(ctx, msgs)
			}
			acking.Go(func() {
				d.wait(time.Second)
				_ = ack(context.WithoutCancel(ctx), msgs)
			})
			return nil
		}
		r.close = func(ctx context.Context) error {
			acking.Wait()
			return closing(ctx)
		}
	}
}

// forgive takes acknowledgements of earlier sessions as if they were good.
func forgive(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		ack := r.ack
		r.ack = func(ctx context.Context, msgs []*oms.Message) error {
			if err := ack(ctx, msgs); !errors.Is(err, oms.ErrStaleDelivery) {
				return err
			}
			return nil
		}
	}
}

// nackAtTheEnd sends what is given back once more, behind everything else.
func nackAtTheEnd(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		nack := r.nack
		r.nack = func(ctx context.Context, msgs []*oms.Message) error {
			for _, m := range msgs {
				again := m.Clone()
				number := m.Partition
				again.ToPartition = &number
				if err := sendAlone(ctx, r.conn.memConn, again); err != nil {
					return nack(ctx, msgs)
				}
			}
			return r.memReceiver.Ack(ctx, msgs)
		}
	}
}
