package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// ackWait is when the server offers a message again that was neither
// acknowledged nor extended. It is a safety net: what is held is extended well
// before, and what a lost member held is given back when the next one starts.
const ackWait = time.Minute

// maxAckPending lets a receiver hold what its own bounds allow.
const maxAckPending = 1 << 20

// EnsureGroup makes the group's consumer of every partition. A topic that is
// missing is made only for a group that starts at the latest message: one that
// starts earlier gets all of it in any case, once the topic is there.
func (c *conn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	const op = "make group"
	if err := checkGroup(group); err != nil {
		return c.invalid(op, group, err)
	}
	for _, topic := range topics {
		if err := checkTopic(topic); err != nil {
			return c.invalid(op, topic, err)
		}
		n, err := c.topics.partitions(ctx, topic)
		if errors.Is(err, oms.ErrNotFound) {
			if start.From != oms.StartLatest {
				continue
			}
			if err = c.CreateTopic(ctx, oms.TopicSpec{Name: topic}); err == nil || errors.Is(err, oms.ErrExists) {
				n, err = c.topics.partitions(ctx, topic)
			}
		}
		if err != nil {
			return c.fail(op, group, err)
		}
		for p := range n {
			if err := c.ensureConsumer(ctx, group, oms.Partition{Topic: topic, Number: p}, start); err != nil {
				return c.fail(op, group, err)
			}
		}
	}
	return nil
}

// ensureConsumer makes the consumer of a partition, where it is missing.
func (c *conn) ensureConsumer(ctx context.Context, group string, p oms.Partition, start oms.Start) error {
	s, ctx, cancel, err := c.session(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	stream, durable := streamName(p.Topic, p.Number), encode(group)
	_, err = s.js.Consumer(ctx, stream, durable)
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	_, err = s.js.CreateConsumer(ctx, stream, c.consumerConfig(durable, start))
	if errors.Is(err, jetstream.ErrConsumerExists) {
		return nil // somebody else was as quick
	}
	return err
}

func (c *conn) consumerConfig(durable string, start oms.Start) jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.pace.ackWait,
		MaxAckPending: maxAckPending, MaxDeliver: -1, DeliverPolicy: jetstream.DeliverAllPolicy,
	}
	switch start.From {
	case oms.StartEarliest:
	case oms.StartLatest:
		cfg.DeliverPolicy = jetstream.DeliverNewPolicy
	case oms.StartAtTime:
		at := start.At
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &at
	}
	return cfg
}

// DeleteGroup removes the group's consumers.
func (c *conn) DeleteGroup(ctx context.Context, group string, topics []string) error {
	const op = "delete group"
	for _, topic := range topics {
		n, err := c.topics.partitions(ctx, topic)
		if errors.Is(err, oms.ErrNotFound) {
			continue
		}
		if err != nil {
			return c.fail(op, group, err)
		}
		for p := range n {
			if err := c.deleteConsumer(ctx, streamName(topic, p), encode(group)); err != nil {
				return c.fail(op, group, err)
			}
		}
	}
	return nil
}

func (c *conn) deleteConsumer(ctx context.Context, stream, durable string) error {
	s, ctx, cancel, err := c.session(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	err = s.js.DeleteConsumer(ctx, stream, durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

// consumerGone reports whether the consumer of a partition does not exist.
func (c *conn) consumerGone(ctx context.Context, s *session, stream, durable string) bool {
	_, err := s.js.Consumer(ctx, stream, durable)
	return isGone(err)
}

func isGone(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// Members returns the group's live members that receive from any of the
// topics, sorted by name. Those of one connection begin alike: see the package
// comment.
func (c *conn) Members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	s, err := c.link.session(ctx)
	if err != nil {
		return nil, c.fail("list members", group, err)
	}
	r, err := c.rosters.of(ctx, s)
	if err != nil {
		return nil, c.fail("list members", group, err)
	}
	names := r.names(ctx, group, topics)
	members := make([]oms.Member, len(names))
	for i, name := range names {
		members[i] = oms.Member{Name: name}
	}
	return members, nil
}

// Lag tells what each partition holds that the group has not acknowledged.
func (c *conn) Lag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	lag := make(map[oms.Partition]int64)
	for _, topic := range topics {
		n, err := c.topics.partitions(ctx, topic)
		if errors.Is(err, oms.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, c.fail("lag", group, err)
		}
		for p := range n {
			at := oms.Partition{Topic: topic, Number: p}
			if lag[at], err = c.lagOf(ctx, group, at); err != nil {
				return nil, c.fail("lag", group, err)
			}
		}
	}
	return lag, nil
}

func (c *conn) lagOf(ctx context.Context, group string, p oms.Partition) (int64, error) {
	s, ctx, cancel, err := c.session(ctx)
	if err != nil {
		return 0, err
	}
	defer cancel()
	stream := streamName(p.Topic, p.Number)
	consumer, err := s.js.Consumer(ctx, stream, encode(group))
	if err == nil {
		info := consumer.CachedInfo()
		return int64(info.NumPending) + int64(info.NumAckPending), nil //nolint:gosec // counts
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		c.topics.forget(p.Topic)
		return 0, nil
	}
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return 0, err
	}
	// The topic came after the group: its consumer will be made at the start.
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	return int64(st.CachedInfo().State.Msgs), nil //nolint:gosec // a count
}

// seekConsumer moves a consumer so that the message at seq is the next. It
// forgets what was acknowledged behind that.
func (c *conn) seekConsumer(ctx context.Context, s *session, stream, durable string, seq int64) error {
	request, err := json.Marshal(map[string]int64{"seq": max(seq, 1)})
	if err != nil {
		return err
	}
	answer, err := s.nc.RequestWithContext(ctx, fmt.Sprintf("$JS.API.CONSUMER.RESET.%s.%s", stream, durable), request)
	if err == nil {
		var reset struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err := json.Unmarshal(answer.Data, &reset); err == nil && reset.Error == nil {
			return nil
		}
	}
	// A server before 2.14, or a consumer that was made to start later: it is
	// made anew.
	if err := s.js.DeleteConsumer(ctx, stream, durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	cfg := c.consumerConfig(durable, oms.Start{})
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, uint64(max(seq, 1)) // positive
	_, err = s.js.CreateConsumer(ctx, stream, cfg)
	return err
}
