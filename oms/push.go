package oms

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// A Handler takes a batch of messages. With nil all are done with; with a
// *BatchError those that it does not name are. The others are held and offered
// again after a while, and what is behind them in their lane waits.
type Handler func(ctx context.Context, msgs []*Message) error

// PushConfig says how a PushConsumer calls its handler. Zero values mean the
// defaults.
type PushConfig struct {
	Batch      int           // most messages in one call; 500
	Lanes      int           // 1: one call at a time; more: that many at once, each key in one lane
	Backoff    time.Duration // before messages are offered again the first time, then doubled; 100 ms
	MaxBackoff time.Duration // 30 s
	// OnRetry is told of every handler's error that is going to be retried.
	OnRetry func(error)
}

func (cfg PushConfig) withDefaults() PushConfig {
	cfg.Batch = cmpOr(cfg.Batch, 500)
	cfg.Lanes = cmpOr(cfg.Lanes, 1)
	cfg.Backoff = cmpOr(cfg.Backoff, 100*time.Millisecond)
	cfg.MaxBackoff = cmpOr(cfg.MaxBackoff, 30*time.Second)
	return cfg
}

func cmpOr[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// A PushConsumer calls a handler with the messages of a pull consumer, so that
// every driver has both kinds for the work of one.
type PushConsumer struct {
	pull *PullConsumer
	cfg  PushConfig
}

// NewPushConsumer returns a consumer that calls a handler once Run is called.
// The caller closes it.
func (c *Client) NewPushConsumer(ctx context.Context, rc ReceiverConfig, cfg PushConfig) (*PushConsumer, error) {
	pull, err := c.NewPullConsumer(ctx, rc)
	if err != nil {
		return nil, err
	}
	return &PushConsumer{pull: pull, cfg: cfg.withDefaults()}, nil
}

// Ack acknowledges messages before the handler that has them returns nil.
func (pc *PushConsumer) Ack(ctx context.Context, msgs ...*Message) error {
	return pc.pull.Ack(ctx, msgs...)
}

// Owned returns those of the messages that are still this consumer's.
func (pc *PushConsumer) Owned(msgs []*Message) []*Message { return pc.pull.Owned(msgs) }

// Flush returns when every acknowledgement so far is durable at the broker.
func (pc *PushConsumer) Flush(ctx context.Context) error { return pc.pull.Flush(ctx) }

// Close flushes the acknowledgements and leaves the group.
func (pc *PushConsumer) Close(ctx context.Context) error { return pc.pull.Close(ctx) }

// Run delivers messages until ctx is done, and then returns nil; calls of the
// handler that are under way are finished first, with a context that is not
// cancelled. What was received and not handled goes to the next member when
// the consumer is closed. An error is one of receiving or acknowledging.
func (pc *PushConsumer) Run(ctx context.Context, h Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lanes := make([]chan []*Message, pc.cfg.Lanes)
	var wg sync.WaitGroup
	for i := range lanes {
		lanes[i] = make(chan []*Message)
		wg.Go(func() {
			if err := pc.work(ctx, lanes[i], h); err != nil {
				cancel(err)
			}
		})
	}
	err := pc.deliver(ctx, lanes)
	cancel(err)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// deliver hands received messages to the lanes.
func (pc *PushConsumer) deliver(ctx context.Context, lanes []chan []*Message) error {
	seed := maphash.MakeSeed()
	next := 0
	for {
		msgs, err := pc.pull.Receive(ctx, pc.cfg.Batch*len(lanes), time.Second)
		if err != nil || ctx.Err() != nil {
			return unlessDone(ctx, err)
		}
		batches := make([][]*Message, len(lanes))
		if len(lanes) == 1 {
			batches[0], msgs = msgs, nil
		}
		for _, m := range msgs {
			lane := next % len(lanes)
			if m.Key != nil {
				lane = int(maphash.Bytes(seed, m.Key) % uint64(len(lanes))) //nolint:gosec // below the number of lanes
			} else {
				next++
			}
			batches[lane] = append(batches[lane], m)
		}
		for i, batch := range batches {
			for part := range slices.Chunk(batch, pc.cfg.Batch) {
				select {
				case lanes[i] <- part:
				case <-ctx.Done():
					return nil
				}
			}
		}
	}
}

// unlessDone returns err, or nil when it follows from ctx being done.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the end was asked for
	}
	return err
}

// work is the goroutine of a lane.
func (pc *PushConsumer) work(ctx context.Context, lane <-chan []*Message, h Handler) error {
	for {
		select {
		case batch := <-lane:
			if err := pc.handle(ctx, batch, h); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// handle offers a batch to the handler until all of it is done with.
func (pc *PushConsumer) handle(ctx context.Context, batch []*Message, h Handler) error {
	wait := pc.cfg.Backoff
	for {
		if batch = pc.pull.Owned(batch); len(batch) == 0 || ctx.Err() != nil {
			return nil //nolint:nilerr // the end was asked for
		}
		failure := h(context.WithoutCancel(ctx), batch)
		done, left := batch, []*Message(nil)
		if failure != nil {
			done = nil
			for i, m := range batch {
				if FailureOf(failure, i) == nil {
					done = append(done, m)
				} else {
					left = append(left, m)
				}
			}
		}
		if len(done) > 0 {
			err := pc.pull.Ack(context.WithoutCancel(ctx), done...)
			if err != nil && !errors.Is(err, ErrStaleDelivery) {
				return err
			}
		}
		if batch = left; len(batch) == 0 {
			return nil
		}
		if pc.cfg.OnRetry != nil {
			pc.cfg.OnRetry(failure)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, pc.cfg.MaxBackoff)
	}
}
