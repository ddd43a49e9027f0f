package rocketmq

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/omconnect/omconnect/oms"
)

// at is the partition of a topic with that number.
func (r *route) at(topic string, n int) (queue, error) {
	if n < 0 || n >= len(r.queues) {
		return queue{}, &oms.Error{Code: oms.ErrInvalid, Err: fmt.Errorf("topic %s has %d partitions, and no number %d", topic, len(r.queues), n)}
	}
	return r.queues[n], nil
}

// askQueue asks the master of a queue something about it.
func (c *conn) askQueue(ctx context.Context, r *route, q queue, code int, more map[string]string) (*command, error) {
	address, err := r.address(q)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{"topic": r.native, "queueId": strconv.Itoa(q.id), "bname": q.broker}
	maps.Copy(fields, more)
	return c.askBroker(ctx, address, code, fields)
}

func (c *conn) askOffset(ctx context.Context, r *route, q queue, code int, more map[string]string) (int64, error) {
	a, err := c.askQueue(ctx, r, q, code, more)
	if err != nil {
		return 0, err
	}
	return fieldOffset(a, "offset")
}

func fieldOffset(a *command, name string) (int64, error) {
	n, err := strconv.ParseInt(a.Fields[name], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("an answer without a number in %s", name)
	}
	return n, nil
}

// bounds are the oldest offset that is retained and the next to be stored.
func (c *conn) bounds(ctx context.Context, r *route, q queue) (lowest, next int64, err error) {
	if lowest, err = c.askOffset(ctx, r, q, reqMinOffset, nil); err != nil {
		return 0, 0, err
	}
	next, err = c.askOffset(ctx, r, q, reqMaxOffset, nil)
	return max(lowest, 0), max(next, lowest, 0), err
}

// startOffset is where a group begins that has no position.
func (c *conn) startOffset(ctx context.Context, r *route, q queue, start oms.Start) (int64, error) {
	lowest, next, err := c.bounds(ctx, r, q)
	switch {
	case err != nil || start.From == oms.StartLatest:
		return next, err
	case start.From == oms.StartAtTime && next > lowest:
		found, err := c.askOffset(ctx, r, q, reqSearchOffset, map[string]string{
			"timestamp": strconv.FormatInt(start.At.UnixMilli(), 10), "boundaryType": "lower",
		})
		return min(max(found, lowest), next), err
	default:
		return lowest, nil
	}
}

// position is the group's at the broker; ok is false where it has none. A
// broker makes 0 of that for queues whose beginning is still there, unless it
// is told not to.
func (c *conn) position(ctx context.Context, group string, r *route, q queue) (offset int64, ok bool, err error) {
	offset, err = c.askOffset(ctx, r, q, reqQueryOffset, map[string]string{
		"consumerGroup": c.options.native(group), "setZeroIfNotFound": "false",
	})
	if codeOf(err) == oms.ErrNotFound {
		return 0, false, nil
	}
	return offset, err == nil, err
}

// setPosition returns when the broker has the group's position.
func (c *conn) setPosition(ctx context.Context, group string, r *route, q queue, offset int64) error {
	_, err := c.askQueue(ctx, r, q, reqUpdateOffset, map[string]string{
		"consumerGroup": c.options.native(group), "commitOffset": strconv.FormatInt(offset, 10),
	})
	return err
}

// Offsets implements oms.OffsetFinder.
func (c *conn) Offsets(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	const op = "find offsets"
	found := make(map[oms.Partition]int64)
	return found, c.eachQueue(ctx, op, topics, false, func(p oms.Partition, r *route, q queue) (err error) {
		found[p], err = c.startOffset(ctx, r, q, start)
		return err
	})
}

// Positions implements oms.GroupPositioner.
func (c *conn) Positions(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	found := make(map[oms.Partition]int64)
	return found, c.eachQueue(ctx, "positions", topics, true, func(p oms.Partition, r *route, q queue) error {
		offset, ok, err := c.position(ctx, group, r, q)
		if ok {
			found[p] = offset
		}
		return err
	})
}

// Lag implements oms.LagReporter. A group without a position in a partition
// has all of it before it.
func (c *conn) Lag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	lag := make(map[oms.Partition]int64)
	return lag, c.eachQueue(ctx, "lag", topics, true, func(p oms.Partition, r *route, q queue) error {
		offset, ok, err := c.position(ctx, group, r, q)
		if err != nil {
			return err
		}
		lowest, next, err := c.bounds(ctx, r, q)
		if !ok || offset < lowest {
			offset = lowest
		}
		lag[p] = max(next-offset, 0)
		return err
	})
}

// eachQueue calls f for each partition of the topics.
func (c *conn) eachQueue(ctx context.Context, op string, topics []string, missingOK bool, f func(oms.Partition, *route, queue) error) error {
	for _, topic := range topics {
		if err := c.options.checkTopic(topic); err != nil {
			return invalid(op, topic, err)
		}
		r, err := c.routes.of(ctx, topic)
		if missingOK && codeOf(err) == oms.ErrNotFound {
			continue
		}
		if err != nil {
			return classify(op, topic, err)
		}
		for n, q := range r.queues {
			if err := f(oms.Partition{Topic: topic, Number: n}, r, q); err != nil {
				c.routes.renew(topic)
				return classify(op, topic, err)
			}
		}
	}
	return nil
}
