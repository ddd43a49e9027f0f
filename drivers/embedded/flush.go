package embedded

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
)

// Flush returns when the broker has every acknowledgement.
func (r *receiver) Flush(ctx context.Context) error {
	r.mu.Lock()
	err := r.doubt
	r.doubt = nil
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := r.flush(ctx, r.assigned()); err != nil {
		return r.conn.fail("flush", r.cfg.Group, err)
	}
	return nil
}

// flush has the last acknowledgement of each partition answered, and written:
// the broker handles them in order.
func (r *receiver) flush(ctx context.Context, parts []*part) error {
	var g errgroup.Group
	g.SetLimit(16)
	for _, pt := range parts {
		r.mu.Lock()
		dirty := pt.dirty
		r.mu.Unlock()
		if dirty == nil {
			continue
		}
		g.Go(func() error {
			if err := pt.settle(ctx, dirty); err != nil {
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if pt.dirty == dirty {
				pt.dirty = nil
			}
			return nil
		})
	}
	return g.Wait()
}

// settle acknowledges a message once more, and waits for the answer.
func (pt *part) settle(ctx context.Context, h *held) error {
	c := pt.receiver.conn
	ctx, cancel := pt.session.within(ctx)
	defer cancel()
	_, err := pt.session.nc.RequestWithContext(ctx, h.reply, []byte("+ACK"))
	if errors.Is(err, nats.ErrNoResponders) && c.consumerGone(ctx, pt) {
		return nil // the topic or the group was deleted: there is nothing to acknowledge
	}
	if err != nil {
		return err
	}
	return c.backend.written(ctx, pt.stream, pt.durable, h.offset)
}
