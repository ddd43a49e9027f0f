package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/internal/sleep"
)

// What a consumer has delivered and got no acknowledgement for comes again
// from a queue. The server keeps its order badly: when it has taken a message
// out for a request and finds that the request has expired, has no bytes left,
// or that nobody listens to its answers, it puts the message at the end. So
// the queue is put in order before a partition is read; while messages are due
// from it, a request that ends by anything but its last message puts the order
// in doubt, and nothing is asked for until the queue is in order again.

// waitingBound is how long a rewind waits until the server has forgotten the
// requests of a former member.
const waitingBound = time.Second

// rewind gives back what was delivered and not acknowledged, but for what is
// held here, as if by those who held it: from here on the broker delivers it
// again before anything else, in order. A first round takes it out of the
// queue, where it may stand in any order; the last puts it there.
func (pt *part) rewind(ctx context.Context, info *jetstream.ConsumerInfo, held map[uint64]bool) error {
	if info.NumAckPending == 0 {
		return nil
	}
	const later = `-NAK {"delay":3600000000000}`
	subject := func(seq uint64) string {
		return fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.%d.0", pt.stream, pt.durable, seq, info.Delivered.Consumer, time.Now().UnixNano())
	}
	first, last := info.AckFloor.Stream+1, info.Delivered.Stream
	all := func(nak string) error {
		for seq := first; seq <= last; seq++ {
			if held[seq] {
				continue
			}
			if err := pt.session.nc.Publish(subject(seq), []byte(nak)); err != nil {
				return err
			}
		}
		return nil
	}
	// Acknowledgements are handled in order: with one answered, all before it are.
	answered := func(seq uint64, nak string) error {
		_, err := pt.session.nc.RequestWithContext(ctx, subject(seq), []byte(nak))
		return err
	}
	if err := all(later); err != nil {
		return err
	}
	if info.NumWaiting > 0 {
		// Requests of a former member, to which nobody listens: the server
		// finds that out when there is something to deliver.
		for seq := first; seq <= last; seq++ {
			if !held[seq] {
				if err := answered(seq, "-NAK"); err != nil {
					return err
				}
				if err := pt.forgotten(ctx); err != nil {
					return err
				}
				if err := answered(seq, later); err != nil {
					return err
				}
				break
			}
		}
	}
	if err := all("-NAK"); err != nil {
		return err
	}
	return answered(last, "+WPI")
}

// forgotten returns when no request waits at the server, or after a while: one
// of a member whose connection is cut may stay until it expires.
func (pt *part) forgotten(ctx context.Context) error {
	for end := time.Now().Add(waitingBound); time.Now().Before(end); {
		info, err := pt.consumerInfo(ctx)
		if err != nil || info.NumWaiting == 0 {
			return err
		}
		if sleep.For(ctx, 5*time.Millisecond) != nil {
			return ctx.Err()
		}
	}
	return nil
}

// muddle notes that messages that are due may be in disorder. The lock must be
// held.
func (pt *part) muddle() {
	if pt.due > 0 {
		pt.muddled = true
		pt.receiver.wakeSteward()
	}
}

// straighten puts the queue of the partitions in order of which it is in
// doubt. What fails is tried again.
func (r *receiver) straighten(ctx context.Context) error {
	for _, pt := range r.assigned() {
		r.mu.Lock()
		muddled := pt.muddled && !pt.over && !pt.halted
		held := make(map[uint64]bool, len(pt.window))
		for offset := range pt.window {
			held[uint64(offset)] = true //nolint:gosec // a sequence
		}
		r.mu.Unlock()
		if !muddled {
			continue
		}
		if err := pt.straighten(ctx, held); err != nil {
			return err
		}
	}
	return nil
}

func (pt *part) straighten(ctx context.Context, held map[uint64]bool) error {
	ctx, cancel := pt.session.within(ctx)
	defer cancel()
	info, err := pt.consumerInfo(ctx)
	if err == nil {
		err = pt.rewind(ctx, info, held)
	}
	if err == nil {
		info, err = pt.consumerInfo(ctx) // what was acknowledged meanwhile is not due
	}
	if err != nil {
		return err
	}
	r := pt.receiver
	r.mu.Lock()
	defer r.mu.Unlock()
	pt.due, pt.muddled = max(info.NumAckPending-len(pt.window), 0), false
	pt.dueTo = max(pt.dueTo, int64(info.Delivered.Stream)) //nolint:gosec // a sequence
	r.pull()
	return nil
}
