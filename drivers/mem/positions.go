package mem

import (
	"context"
	"errors"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Offsets implements oms.OffsetFinder. A delayed message counts as stored when
// its delay is over.
func (c *conn) Offsets(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	const op = "find offsets"
	for _, t := range topics {
		if err := checkTopic(op, t); err != nil {
			return nil, err
		}
	}
	if err := checkStart(op, "", start); err != nil {
		return nil, err
	}
	if err := c.reach(ctx, op, ""); err != nil {
		return nil, err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	offsets := make(map[oms.Partition]int64)
	for _, t := range topics {
		logs := b.topics[t]
		if logs == nil {
			return nil, failure(op, t, oms.ErrNotFound, errors.New("the topic does not exist"))
		}
		for n, p := range logs {
			p.advance(now)
			offsets[oms.Partition{Topic: t, Number: n}] = p.offsetOf(start)
		}
	}
	return offsets, nil
}

// Positions implements oms.GroupPositioner. A position may be lower than what
// is retained, until a receiver was told of the gap.
func (c *conn) Positions(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	const op = "find positions"
	if group == "" {
		return nil, invalid(op, group, "a group needs a name")
	}
	for _, t := range topics {
		if err := checkTopic(op, t); err != nil {
			return nil, err
		}
	}
	if err := c.reach(ctx, op, group); err != nil {
		return nil, err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	positions := make(map[oms.Partition]int64)
	g := b.groups[group]
	if g == nil {
		return positions, nil
	}
	for _, t := range topics {
		for n := range b.topics[t] {
			id := oms.Partition{Topic: t, Number: n}
			if cur := g.cursors[id]; cur != nil {
				positions[id] = cur.pos
			}
		}
	}
	return positions, nil
}
