package mem

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// CreateTopic implements oms.TopicAdmin.
func (c *conn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	const op = "create topic"
	if err := checkTopic(op, spec.Name); err != nil {
		return err
	}
	if spec.Partitions < 0 {
		return invalid(op, spec.Name, "%d partitions are too few", spec.Partitions)
	}
	if err := c.reach(ctx, op, spec.Name); err != nil {
		return err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[spec.Name] != nil {
		return failure(op, spec.Name, oms.ErrExists, nil)
	}
	b.createTopic(spec.Name, spec.Partitions)
	return nil
}

// DeleteTopic implements oms.TopicAdmin. Groups wait for the topic to be made
// again.
func (c *conn) DeleteTopic(ctx context.Context, name string) error {
	const op = "delete topic"
	if err := checkTopic(op, name); err != nil {
		return err
	}
	if err := c.reach(ctx, op, name); err != nil {
		return err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[name] == nil {
		return failure(op, name, oms.ErrNotFound, nil)
	}
	b.deleteTopic(name)
	return nil
}

// Topics implements oms.TopicAdmin. They are sorted by name.
func (c *conn) Topics(ctx context.Context) ([]oms.TopicInfo, error) {
	if err := c.reach(ctx, "list topics", ""); err != nil {
		return nil, err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	infos := make([]oms.TopicInfo, 0, len(b.topics))
	for name, logs := range b.topics {
		infos = append(infos, oms.TopicInfo{Name: name, Partitions: len(logs)})
	}
	slices.SortFunc(infos, func(a, b oms.TopicInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos, nil
}

// EnsureGroup implements oms.GroupAdmin. It makes the topics that are missing.
func (c *conn) EnsureGroup(ctx context.Context, name string, topics []string, start oms.Start) error {
	const op = "ensure group"
	topics, err := checkGroup(op, name, topics)
	if err != nil {
		return err
	}
	if err := checkStart(op, name, start); err != nil {
		return err
	}
	if err := c.reach(ctx, op, name); err != nil {
		return err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range topics {
		if b.topics[t] == nil {
			b.createTopic(t, 0)
		}
	}
	b.group(name, topics, start)
	return nil
}

// DeleteGroup implements oms.GroupAdmin. While members read one of the topics
// it is ErrBusy.
func (c *conn) DeleteGroup(ctx context.Context, name string, topics []string) error {
	const op = "delete group"
	topics, err := checkGroup(op, name, topics)
	if err != nil {
		return err
	}
	if err := c.reach(ctx, op, name); err != nil {
		return err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[name]
	if g == nil {
		return failure(op, name, oms.ErrNotFound, nil)
	}
	if len(g.readers(topics)) > 0 {
		return failure(op, name, oms.ErrBusy, errors.New("the group still has members"))
	}
	for _, t := range topics {
		for n := range b.topics[t] {
			delete(g.cursors, oms.Partition{Topic: t, Number: n})
		}
		delete(g.topics, t)
	}
	if len(g.topics) == 0 {
		delete(b.groups, name)
	}
	return nil
}

// Members implements oms.GroupAdmin. They are in the order they joined.
func (c *conn) Members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	const op = "list members"
	topics, err := checkGroup(op, group, topics)
	if err != nil {
		return nil, err
	}
	if err := c.reach(ctx, op, group); err != nil {
		return nil, err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[group]
	if g == nil {
		return nil, failure(op, group, oms.ErrNotFound, nil)
	}
	return g.readers(topics), nil
}

// Lag implements oms.LagReporter. Delayed messages count; a group that is not
// there has acknowledged nothing.
func (c *conn) Lag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	const op = "lag"
	topics, err := checkGroup(op, group, topics)
	if err != nil {
		return nil, err
	}
	if err := c.reach(ctx, op, group); err != nil {
		return nil, err
	}
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	lag := make(map[oms.Partition]int64)
	for _, t := range topics {
		for n, p := range b.topics[t] {
			id := oms.Partition{Topic: t, Number: n}
			lag[id] = int64(len(p.records) + len(p.delayed))
			if g := b.groups[group]; g != nil && g.cursors[id] != nil {
				lag[id] = g.cursors[id].lag()
			}
		}
	}
	return lag, nil
}
