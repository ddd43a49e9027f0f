package embedded

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Flush returns when the broker has every acknowledgement.
func (r *receiver) Flush(ctx context.Context) error {
	r.mu.Lock()
	err := r.doubt
	r.doubt = nil
	parts := slices.Concat(r.order, r.leaving)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := r.flush(ctx, parts); err != nil {
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

// settle acknowledges a message once more, and waits until that is answered and
// written. Of a topic or a group that was deleted there is nothing to
// acknowledge, made again or not: the server does not answer, or says that
// nobody is there.
func (pt *part) settle(ctx context.Context, h *held) error {
	c := pt.receiver.conn
	err := pt.request(ctx, h)
	if err == nil {
		err = c.backend.written(ctx, pt.stream, pt.durable, h.offset)
	}
	if err == nil {
		return nil
	}
	ctx, cancel := pt.session.within(ctx)
	defer cancel()
	info, lookup := pt.consumerInfo(ctx)
	if isGone(lookup) || lookup == nil && !info.Created.Equal(pt.made) {
		return nil
	}
	return err
}

func (pt *part) request(ctx context.Context, h *held) error {
	ctx, cancel := pt.session.within(ctx)
	defer cancel()
	_, err := pt.session.nc.RequestWithContext(ctx, h.reply, []byte("+ACK"))
	return err
}
