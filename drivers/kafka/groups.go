package kafka

import (
	"context"
	"errors"
	"slices"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// EnsureGroup implements oms.GroupAdmin. It makes the topics that are missing
// and gives the group a position where it has none: without one, what is sent
// before its first member comes would be lost to a group that starts at the
// end. A group that has members does that itself.
func (c *conn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	const op = "ensure group"
	if err := errors.Join(checkGroup(op, group, topics), checkStart(op, group, start)); err != nil {
		return err
	}
	if err := c.alive(op, group); err != nil {
		return err
	}
	there, err := c.topics(ctx, topics...)
	if err != nil {
		return classify(op, group, err)
	}
	for _, t := range topics {
		if there[t] != nil {
			continue
		}
		if err := c.CreateTopic(ctx, oms.TopicSpec{Name: t}); err != nil && !errors.Is(err, oms.ErrExists) {
			return err
		}
	}
	return classify(op, group, c.settleStart(ctx, group, topics, start))
}

// settleStart commits where a group begins in partitions where it has no
// position.
func (c *conn) settleStart(ctx context.Context, group string, topics []string, start oms.Start) error {
	begin, err := c.offsets(ctx, topics, start)
	if err != nil {
		return err
	}
	stored, err := c.positions(ctx, group, keys(begin))
	if err != nil {
		return err
	}
	for p := range stored {
		delete(begin, p)
	}
	if len(begin) == 0 {
		return nil
	}
	err = c.commit(ctx, session{group: group, generation: sarama.GroupGenerationUndefined}, begin)
	if errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrRebalanceInProgress) {
		return nil // it has members
	}
	return err
}

// DeleteGroup implements oms.GroupAdmin. A group that has positions in other
// topics keeps them.
func (c *conn) DeleteGroup(ctx context.Context, group string, topics []string) error {
	const op = "delete group"
	if err := checkGroup(op, group, topics); err != nil {
		return err
	}
	if err := c.alive(op, group); err != nil {
		return err
	}
	d, err := c.describe(ctx, group)
	if err != nil {
		return classify(op, group, err)
	}
	if len(readers(d, topics)) > 0 {
		return fail(op, group, oms.ErrBusy, errors.New("the group still has members"))
	}
	stored, err := c.positions(ctx, group, nil)
	if err != nil {
		return classify(op, group, err)
	}
	if d.State == "Dead" && len(stored) == 0 {
		return fail(op, group, oms.ErrNotFound, errors.New("there is no such group"))
	}
	others := slices.ContainsFunc(keys(stored), func(p oms.Partition) bool { return !slices.Contains(topics, p.Topic) })
	if !others && len(d.Members) == 0 {
		_, err = coordinated(ctx, c, group, func(b *sarama.Broker) (struct{}, error) {
			answer, err := b.DeleteGroups(&sarama.DeleteGroupsRequest{Version: 2, Groups: []string{group}})
			if err == nil {
				err = kerror(answer.GroupErrorCodes[group])
			}
			return struct{}{}, err
		})
		return classify(op, group, err)
	}
	request := &sarama.DeleteOffsetsRequest{Group: group}
	for p := range stored {
		if slices.Contains(topics, p.Topic) {
			request.AddPartition(p.Topic, number(p))
		}
	}
	_, err = coordinated(ctx, c, group, func(b *sarama.Broker) (struct{}, error) {
		answer, err := b.DeleteOffsets(request)
		if err == nil {
			err = kerror(answer.ErrorCode)
		}
		return struct{}{}, err
	})
	return classify(op, group, err)
}

func (c *conn) describe(ctx context.Context, group string) (*sarama.GroupDescription, error) {
	return coordinated(ctx, c, group, func(b *sarama.Broker) (*sarama.GroupDescription, error) {
		answer, err := b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 4, Groups: []string{group}})
		if err != nil {
			return nil, err
		}
		for _, d := range answer.Groups {
			if d.GroupId == group {
				if errors.Is(d.Err, sarama.ErrGroupIDNotFound) {
					return &sarama.GroupDescription{GroupId: group, State: "Dead"}, nil
				}
				return d, kerror(d.Err)
			}
		}
		return nil, errors.New("the coordinator's answer leaves the group out")
	})
}

func kerror(k sarama.KError) error {
	if k == sarama.ErrNoError {
		return nil
	}
	return k
}
