package rocketmq

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// EnsureGroup makes the group known to the brokers, which not all of them do
// by themselves, and gives it a position in each queue where it has none: the
// group gets what is sent from now on, whenever its first member comes. A
// missing topic is made: it could not have a position otherwise.
func (c *conn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	const op = "ensure group"
	if err := c.options.checkGroup(group); err != nil {
		return invalid(op, group, err)
	}
	for _, topic := range topics {
		if err := c.options.checkTopic(topic); err != nil {
			return invalid(op, topic, err)
		}
		_, err := c.routes.of(ctx, topic)
		if codeOf(err) == oms.ErrNotFound {
			err = c.CreateTopic(ctx, oms.TopicSpec{Name: topic})
			if errors.Is(err, oms.ErrExists) {
				err = nil
			}
		}
		if err != nil {
			return classify(op, topic, err)
		}
		if err := c.makeGroup(ctx, c.peers, group, topic); err != nil {
			return classify(op, group, err)
		}
	}
	return c.eachQueue(ctx, op, topics, false, func(_ oms.Partition, r *route, q queue) error {
		_, ok, err := c.position(ctx, group, r, q)
		if ok || err != nil {
			return err
		}
		offset, err := c.startOffset(ctx, r, q, start)
		if err != nil {
			return err
		}
		return c.setPosition(ctx, group, r, q, offset)
	})
}

// makeGroup makes the group known to the brokers of a topic: those that do not
// make groups by themselves say nothing and deliver nothing. A group that is
// known keeps its settings. No message of it is ever sent back, so
// none reaches %DLQ%.
func (c *conn) makeGroup(ctx context.Context, ps *peers, group, topic string) error {
	r, err := c.routes.of(ctx, topic)
	if err != nil {
		return err
	}
	const never = 1<<31 - 1
	body, err := json.Marshal(map[string]any{
		"groupName": c.options.native(group), "consumeEnable": true, "consumeFromMinEnable": true, "consumeBroadcastEnable": false,
		"retryQueueNums": 1, "retryMaxTimes": never, "brokerId": 0, "whichBrokerWhenConsumeSlowly": 1,
		"notifyConsumerIdsChangedEnable": true,
	})
	if err != nil {
		return err
	}
	for _, address := range r.brokers() {
		// Asking makes it, at brokers that make groups by themselves.
		if _, err := ps.ask(ctx, address, reqGroupConfig, map[string]string{"group": c.options.native(group)}, nil); err == nil {
			continue
		}
		_, err := ps.ask(ctx, address, reqCreateGroup, nil, body)
		if codeOf(err) == oms.ErrDenied {
			continue // it takes an administrator; a group that is missing says so when it is read
		}
		if err != nil {
			return advertised(address, err)
		}
	}
	return nil
}

// DeleteGroup removes the group and its positions. A group that has members is
// ErrBusy.
func (c *conn) DeleteGroup(ctx context.Context, group string, topics []string) error {
	const op = "delete group"
	if err := c.options.checkGroup(group); err != nil {
		return invalid(op, group, err)
	}
	members, err := c.Members(ctx, group, topics)
	if err != nil {
		return classify(op, group, err)
	}
	if len(members) > 0 {
		return c.code(op, group, oms.ErrBusy, "the group has members; stop them first")
	}
	data, err := c.cluster(ctx)
	if err != nil {
		return classify(op, group, err)
	}
	for _, address := range data.masters() {
		fields := map[string]string{"groupName": c.options.native(group), "cleanOffset": "true"}
		if _, err := c.askBroker(ctx, address, reqDeleteGroup, fields); err != nil && codeOf(err) != oms.ErrNotFound {
			return classify(op, group, err)
		}
	}
	return nil
}

// Members returns the clients that brokers know in the group, sorted by name.
// Those whose names begin otherwise than memberPrefix are foreign: client
// libraries name a client after its address. Brokers do not tell which topics a
// member reads.
func (c *conn) Members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	const op = "members"
	if err := c.options.checkGroup(group); err != nil {
		return nil, invalid(op, group, err)
	}
	var all []string
	for _, topic := range topics {
		r, err := c.routes.of(ctx, topic)
		if codeOf(err) == oms.ErrNotFound {
			continue
		}
		if err != nil {
			return nil, classify(op, topic, err)
		}
		for _, address := range r.brokers() {
			ids, err := c.membersAt(ctx, c.peers, address, group)
			if err != nil {
				return nil, classify(op, group, advertised(address, err))
			}
			all = append(all, ids...)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	members := make([]oms.Member, len(all))
	for i, name := range all {
		members[i] = oms.Member{Name: name, Foreign: !strings.HasPrefix(name, memberPrefix)}
	}
	return members, nil
}

// membersAt asks one broker for the members, without those that this process
// knows to be gone. For none it has an error.
func (c *conn) membersAt(ctx context.Context, ps *peers, address, group string) ([]string, error) {
	a, err := ps.ask(ctx, address, reqConsumerList, map[string]string{"consumerGroup": c.options.native(group)}, nil)
	if answer, ok := errors.AsType[*answerError](err); ok && answer.code == resError && answerCode(answer.code, answer.remark) != oms.ErrDenied {
		return nil, nil //nolint:nilerr // that is how it says that there are none
	}
	if err != nil {
		return nil, err
	}
	var list struct {
		ConsumerIDList []string `json:"consumerIdList"`
	}
	err = decodeJSON(a.body, &list)
	return slices.DeleteFunc(list.ConsumerIDList, isGhost), err
}
