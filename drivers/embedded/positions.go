package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/omconnect/omconnect/oms"
)

// atOnce bounds how many partitions one call asks for at the same time.
const atOnce = 16

// probeLives is when the server removes the consumer of a call that did not
// live to remove it.
const probeLives = 10 * time.Second

// Offsets tells where the partitions of topics begin, end, or were at a point
// in time: see oms.OffsetFinder. Offsets begin at 1.
func (c *conn) Offsets(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	const op = "find offsets"
	switch start.From {
	case oms.StartEarliest, oms.StartLatest:
	case oms.StartAtTime:
		if start.At.IsZero() {
			return nil, c.invalid(op, "", errors.New("a start at a time needs the time"))
		}
	default:
		return nil, c.invalid(op, "", fmt.Errorf("there is no start %d", start.From))
	}
	var all []oms.Partition
	for _, topic := range topics {
		ps, err := c.partitionsNow(ctx, topic)
		if err != nil {
			return nil, c.fail(op, topic, err)
		}
		all = append(all, ps...)
	}
	offsets, err := each(ctx, all, func(ctx context.Context, p oms.Partition) (int64, bool, error) {
		offset, err := c.offsetOf(ctx, p, start)
		return offset, true, err
	})
	if err != nil {
		return nil, c.fail(op, "", err)
	}
	return offsets, nil
}

// partitionsNow returns a topic's partitions as they are at this moment, not
// as they are remembered: whoever asks wants to know.
func (c *conn) partitionsNow(ctx context.Context, topic string) ([]oms.Partition, error) {
	if err := checkTopic(topic); err != nil {
		return nil, &oms.Error{Target: topic, Code: oms.ErrInvalid, Err: err}
	}
	c.topics.forget(topic)
	n, err := c.topics.partitions(ctx, topic)
	ps := make([]oms.Partition, n)
	for i := range ps {
		ps[i] = oms.Partition{Topic: topic, Number: i}
	}
	return ps, err
}

// each asks something of every partition, several at a time. Partitions with
// nothing to tell are left out.
func each(ctx context.Context, ps []oms.Partition, ask func(context.Context, oms.Partition) (int64, bool, error)) (map[oms.Partition]int64, error) {
	answers := make([]int64, len(ps))
	there := make([]bool, len(ps))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, p := range ps {
		g.Go(func() (err error) {
			answers[i], there[i], err = ask(ctx, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	found := make(map[oms.Partition]int64, len(ps))
	for i, p := range ps {
		if there[i] {
			found[p] = answers[i]
		}
	}
	return found, nil
}

// offsetOf asks the stream of a partition for its first or next sequence.
func (c *conn) offsetOf(ctx context.Context, p oms.Partition, start oms.Start) (int64, error) {
	s, ctx, cancel, err := c.session(ctx)
	if err != nil {
		return 0, err
	}
	defer cancel()
	stream, err := s.js.Stream(ctx, streamName(p.Topic, p.Number))
	if err != nil {
		return 0, err
	}
	state := stream.CachedInfo().State
	switch {
	case start.From == oms.StartLatest:
		return int64(state.LastSeq) + 1, nil //nolint:gosec // a sequence
	case start.From == oms.StartAtTime && state.Msgs > 0:
		return c.probe(ctx, stream, start)
	}
	return max(int64(state.FirstSeq), 1), nil //nolint:gosec // as above
}

// probe makes a consumer that starts at a point in time, looks where the server
// has put it, and removes it. No request tells that in one step on every server,
// and this one gives by definition what a group that starts there would get.
func (c *conn) probe(ctx context.Context, stream jetstream.Stream, start oms.Start) (int64, error) {
	cfg := c.consumerConfig("", start)
	cfg.AckPolicy, cfg.AckWait, cfg.MaxAckPending = jetstream.AckNonePolicy, 0, 0
	cfg.MemoryStorage, cfg.Replicas, cfg.InactiveThreshold = true, 1, probeLives
	consumer, err := stream.CreateConsumer(ctx, cfg)
	if err != nil {
		return 0, err
	}
	info := consumer.CachedInfo()
	_ = stream.DeleteConsumer(ctx, info.Name)    // else the server does, in a while
	return int64(info.Delivered.Stream) + 1, nil //nolint:gosec // a sequence
}

// Positions tells how far a group has come: see oms.GroupPositioner. A position
// is one behind the ack floor of the partition's consumer; of an embedded
// broker, the floor that is written, so that it holds if the process is killed.
func (c *conn) Positions(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	const op = "find positions"
	if err := checkGroup(group); err != nil {
		return nil, c.invalid(op, group, err)
	}
	var all []oms.Partition
	for _, topic := range topics {
		ps, err := c.partitionsNow(ctx, topic)
		if err != nil && !errors.Is(err, oms.ErrNotFound) {
			return nil, c.fail(op, group, err)
		}
		all = append(all, ps...)
	}
	positions, err := each(ctx, all, func(ctx context.Context, p oms.Partition) (int64, bool, error) {
		return c.positionOf(ctx, group, p)
	})
	if err != nil {
		return nil, c.fail(op, group, err)
	}
	return positions, nil
}

func (c *conn) positionOf(ctx context.Context, group string, p oms.Partition) (offset int64, ok bool, err error) {
	s, ctx, cancel, err := c.session(ctx)
	if err != nil {
		return 0, false, err
	}
	defer cancel()
	stream, durable := streamName(p.Topic, p.Number), encode(group)
	consumer, err := s.js.Consumer(ctx, stream, durable)
	if isGone(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	floor, err := c.backend.floor(ctx, stream, durable, consumer.CachedInfo().AckFloor.Stream)
	if errors.Is(err, errNoState) && c.consumerGone(ctx, s, stream, durable) {
		return 0, false, nil // deleted just now
	}
	return int64(floor) + 1, err == nil, err //nolint:gosec // a sequence
}
