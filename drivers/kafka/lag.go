package kafka

import (
	"context"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// Lag implements oms.LagReporter. A group without a position has acknowledged
// nothing of what is there.
func (c *conn) Lag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	const op = "lag"
	if err := checkGroup(op, group, topics); err != nil {
		return nil, err
	}
	if err := c.alive(op, group); err != nil {
		return nil, err
	}
	first, err := c.offsets(ctx, topics, oms.Start{From: oms.StartEarliest})
	if err != nil {
		return nil, classify(op, group, err)
	}
	stored, err := c.positions(ctx, group, nil)
	if err != nil {
		return nil, classify(op, group, err)
	}
	ends, err := c.offsetsOf(ctx, keys(first), sarama.OffsetNewest)
	if err != nil {
		return nil, classify(op, group, err)
	}
	lag := make(map[oms.Partition]int64, len(ends))
	for p, end := range ends {
		lag[p] = max(0, end-max(first[p], stored[p]))
	}
	return lag, nil
}
