package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// A session is as whom positions are committed.
type session struct {
	group      string
	generation int32
	member     string
	instance   *string
}

func checkStart(op, group string, start oms.Start) error {
	switch start.From {
	case oms.StartEarliest, oms.StartLatest, oms.StartAtTime:
		return nil
	default:
		return fail(op, group, oms.ErrInvalid, fmt.Errorf("there is no way to start with the number %d", start.From))
	}
}

// timestamp is how a start is asked for.
func timestamp(start oms.Start) int64 {
	switch start.From {
	case oms.StartLatest:
		return sarama.OffsetNewest
	case oms.StartAtTime:
		return max(0, ceilMilli(start.At))
	default:
		return sarama.OffsetOldest
	}
}

// ceilMilli cuts to the next millisecond: records of the same millisecond that
// are earlier do not count.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// Offsets implements oms.OffsetFinder. The end is that of what is committed.
func (c *conn) Offsets(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	const op = "find offsets"
	for _, t := range topics {
		if err := checkTopic(t); err != nil {
			return nil, fail(op, t, oms.ErrInvalid, err)
		}
	}
	if err := errors.Join(checkStart(op, "", start), c.alive(op, "")); err != nil {
		return nil, err
	}
	there, err := c.topics(ctx, topics...)
	if err != nil {
		return nil, classify(op, "", err)
	}
	for _, t := range topics {
		if there[t] == nil {
			return nil, fail(op, t, oms.ErrNotFound, errors.New("the topic does not exist"))
		}
	}
	offsets, err := c.offsets(ctx, topics, start)
	return offsets, classify(op, "", err)
}

// offsets returns those of all partitions of the topics that exist.
func (c *conn) offsets(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	there, err := c.topics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var ps []oms.Partition
	for _, t := range topics {
		if there[t] != nil {
			for n := range there[t].partitions {
				ps = append(ps, oms.Partition{Topic: t, Number: n})
			}
		}
	}
	return c.offsetsOf(ctx, ps, timestamp(start))
}

// offsetsOf asks the leaders of partitions, each once for all of its own.
func (c *conn) offsetsOf(ctx context.Context, ps []oms.Partition, at int64) (map[oms.Partition]int64, error) {
	offsets := make(map[oms.Partition]int64, len(ps))
	left := slices.Clone(ps)
	_, err := retry(ctx, func(again bool) (struct{}, error) {
		byLeader, err := c.leaders(ctx, left, again)
		if err != nil {
			return struct{}{}, err
		}
		for b, mine := range byLeader {
			got, err := c.listOffsets(ctx, b, mine, at)
			for p, offset := range got {
				offsets[p] = offset
				left = slices.DeleteFunc(left, func(q oms.Partition) bool { return p == q })
			}
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return nil, err
	}
	if at >= 0 { // where nothing is as late, the answer is -1: the end
		var none []oms.Partition
		for p, offset := range offsets {
			if offset < 0 {
				none = append(none, p)
			}
		}
		if len(none) > 0 {
			ends, err := c.offsetsOf(ctx, none, sarama.OffsetNewest)
			if err != nil {
				return nil, err
			}
			maps.Copy(offsets, ends)
		}
	}
	return offsets, nil
}

func (c *conn) leaders(ctx context.Context, ps []oms.Partition, refresh bool) (map[*sarama.Broker][]oms.Partition, error) {
	found, err := call(ctx, func() (map[*sarama.Broker][]oms.Partition, error) {
		if refresh && len(ps) > 0 {
			var topics []string
			for _, p := range ps {
				topics = append(topics, p.Topic)
			}
			slices.Sort(topics)
			if err := c.client.RefreshMetadata(slices.Compact(topics)...); err != nil {
				return nil, err
			}
		}
		byLeader := make(map[*sarama.Broker][]oms.Partition)
		for _, p := range ps {
			b, err := c.client.Leader(p.Topic, number(p))
			if err != nil {
				return nil, err
			}
			byLeader[b] = append(byLeader[b], p)
		}
		return byLeader, nil
	})
	return found, c.explain(ctx, err)
}

func (c *conn) listOffsets(ctx context.Context, b *sarama.Broker, ps []oms.Partition, at int64) (map[oms.Partition]int64, error) {
	request := sarama.NewOffsetRequest(c.options.version)
	request.IsolationLevel = sarama.ReadCommitted
	for _, p := range ps {
		request.AddBlock(p.Topic, number(p), at, 1)
	}
	answer, err := call(ctx, func() (*sarama.OffsetResponse, error) { return b.GetAvailableOffsets(request) })
	if err != nil {
		if connectionLost(err) && ctx.Err() == nil {
			c.drop(b)
		}
		return nil, err
	}
	got := make(map[oms.Partition]int64, len(ps))
	for _, p := range ps {
		block := answer.GetBlock(p.Topic, number(p))
		switch {
		case block == nil:
			err = sarama.ErrUnknownTopicOrPartition
		case block.Err != sarama.ErrNoError:
			err = block.Err
		default:
			got[p] = block.Offset
		}
	}
	return got, err
}

// Positions implements oms.GroupPositioner.
func (c *conn) Positions(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	const op = "find positions"
	if err := checkGroup(op, group, topics); err != nil {
		return nil, err
	}
	if err := c.alive(op, group); err != nil {
		return nil, err
	}
	stored, err := c.positions(ctx, group, nil)
	for p := range stored {
		if !slices.Contains(topics, p.Topic) {
			delete(stored, p)
		}
	}
	return stored, classify(op, group, err)
}

// positions returns the committed positions of a group, of all partitions if
// none are named.
func (c *conn) positions(ctx context.Context, group string, ps []oms.Partition) (map[oms.Partition]int64, error) {
	var named map[string][]int32
	if len(ps) > 0 {
		named = make(map[string][]int32)
		for _, p := range ps {
			named[p.Topic] = append(named[p.Topic], number(p))
		}
	}
	return coordinated(ctx, c, group, func(b *sarama.Broker) (map[oms.Partition]int64, error) {
		// Version 7 waits for the commits of transactions.
		request := sarama.NewOffsetFetchRequest(sarama.V2_5_0_0, group, named)
		answer, err := b.FetchOffset(request)
		if err != nil {
			return nil, err
		}
		if answer.Err != sarama.ErrNoError && answer.Err != sarama.ErrGroupIDNotFound {
			return nil, answer.Err
		}
		stored := make(map[oms.Partition]int64)
		for t, blocks := range answer.Blocks {
			for n, block := range blocks {
				if block.Err != sarama.ErrNoError && block.Err != sarama.ErrUnknownTopicOrPartition {
					return nil, block.Err
				}
				if block.Offset >= 0 {
					stored[oms.Partition{Topic: t, Number: int(n)}] = block.Offset
				}
			}
		}
		return stored, nil
	})
}

// commit stores positions. The first error of a partition is the error of all.
func (c *conn) commit(ctx context.Context, s session, positions map[oms.Partition]int64) error {
	request := &sarama.OffsetCommitRequest{
		Version: 7, ConsumerGroup: s.group, ConsumerGroupGeneration: s.generation, ConsumerID: s.member,
		GroupInstanceId: s.instance, RetentionTime: -1,
	}
	for p, offset := range positions {
		request.AddBlockWithLeaderEpoch(p.Topic, number(p), offset, -1, 0, "")
	}
	_, err := coordinated(ctx, c, s.group, func(b *sarama.Broker) (struct{}, error) {
		answer, err := b.CommitOffset(request)
		if err != nil {
			return struct{}{}, err
		}
		for _, byNumber := range answer.Errors {
			for _, k := range byNumber {
				if err == nil {
					err = kerror(k)
				}
			}
		}
		return struct{}{}, err
	})
	return err
}

func keys(m map[oms.Partition]int64) []oms.Partition {
	ps := make([]oms.Partition, 0, len(m))
	for p := range m {
		ps = append(ps, p)
	}
	return ps
}

// number is a partition's as the protocol has it. Kafka's own come from the
// protocol; others are refused before.
func number(p oms.Partition) int32 { return int32(p.Number) } //nolint:gosec // as the comment says
