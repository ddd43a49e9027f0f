package rabbitmq

import (
	"context"
	"errors"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// queueArguments returns what a queue of ours is declared with.
//
// The number of deliveries is not limited: whoever receives decides about
// retries, and a consumer that crashes with a full prefetch must not use up
// the tries of messages that it never looked at. From 4.0 on that takes an
// argument of -1, which RabbitMQ 3 accepts and then drops the message at its
// first return.
//
// The driver's own queues have all their arguments always: what they hold is
// looked at again and again, which counts as deliveries.
func (o options) queueArguments(name, version string, single bool) amqp.Table {
	args := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}
	if o.declare != declareFull && !strings.HasPrefix(name, ownPrefix) {
		return args
	}
	if single {
		args[amqp.SingleActiveConsumerArg] = true
	}
	if major(version) >= 4 {
		args["x-delivery-limit"] = int32(-1)
	}
	return args
}

// major returns the first number of a version; 0 of what is none.
func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

// declareQueue makes a queue where it is missing. One that is there is taken as
// it is: declaring it with other arguments would fail, and policies may have
// given it some.
func (c *conn) declareQueue(ctx context.Context, name string, single bool) error {
	_, found, err := c.queue(ctx, name)
	if err != nil || found {
		return err
	}
	if c.opts.declare == declareNone {
		return &oms.Error{Code: oms.ErrNotFound, Err: errors.New("queue " + name + " is missing, and declare=none leaves making it to others")}
	}
	s, err := c.in.session(ctx)
	if err != nil {
		return err
	}
	version, _ := s.conn.Properties["version"].(string)
	err = c.ask(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, c.opts.queueArguments(name, version, single))
		return err
	})
	if isCode(err, amqp.PreconditionFailed) { // made by others meanwhile, with arguments of theirs
		if _, found, again := c.queue(ctx, name); found || again != nil {
			return again
		}
	}
	return err
}

func (c *conn) deleteQueue(ctx context.Context, name string) error {
	err := c.ask(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete(name, false, false, false)
		return err
	})
	if codeOfMissing(err) {
		return nil
	}
	return err
}

// join makes the queues of a group for a topic that is there, and binds them.
func (c *conn) join(ctx context.Context, group, topic string) ([]binding, error) {
	n, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	bs, err := c.opts.bindings(group, topic, n)
	if err != nil {
		return nil, err
	}
	for _, b := range bs {
		if err := c.declareQueue(ctx, b.queue, c.opts.ordering == orderingKey); err != nil {
			return nil, err
		}
		if err := c.examine(ctx, b.queue); err != nil {
			return nil, err
		}
	}
	return bs, c.bind(ctx, topic, bs)
}

// bind binds queues to their topic. Doing it again changes nothing.
func (c *conn) bind(ctx context.Context, topic string, bs []binding) error {
	if c.opts.declare == declareNone {
		return nil
	}
	err := c.ask(ctx, func(ch *amqp.Channel) error {
		for _, b := range bs {
			if err := ch.QueueBind(b.queue, b.key, topic, false, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if codeOfMissing(err) {
		c.topics.forget(topic)
	}
	return err
}

// EnsureGroup implements oms.GroupAdmin. A group begins with what is sent once
// it is there, whatever start says, unless topics are streams.
func (c *conn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	join := func(topic string) error {
		_, err := c.join(ctx, group, topic)
		return err
	}
	if c.opts.isStream() {
		join = func(topic string) error { return c.joinStreams(ctx, group, topic, start) }
	}
	return fail("make group", group, c.ensureGroup(ctx, group, topics, join))
}

func (c *conn) ensureGroup(ctx context.Context, group string, topics []string, join func(topic string) error) error {
	topics, err := checkTopics(topics)
	if err == nil {
		err = checkGroup(group)
	}
	if err != nil {
		return err
	}
	for _, topic := range topics {
		c.topics.forget(topic)
		err := join(topic)
		if oms.CodeOf(err) == oms.ErrNotFound && c.opts.declare != declareNone {
			err = c.createTopic(ctx, oms.TopicSpec{Name: topic})
			if err == nil || errors.Is(err, oms.ErrExists) {
				err = join(topic)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteGroup implements oms.GroupAdmin: its queues go, with what they hold.
func (c *conn) DeleteGroup(ctx context.Context, group string, topics []string) error {
	return fail("delete group", group, c.deleteGroup(ctx, group, topics))
}

func (c *conn) deleteGroup(ctx context.Context, group string, topics []string) error {
	topics, err := checkTopics(topics)
	if err != nil {
		return err
	}
	slots, err := c.own(ctx, group, topics)
	if err != nil {
		return err
	}
	if len(slots) > 0 {
		names := make([]string, len(slots))
		for i, n := range slots {
			names[i] = member(group, n)
		}
		return &oms.Error{Code: oms.ErrBusy, Err: errors.New("the group has live members: " + strings.Join(names, ", "))}
	}
	if c.opts.declare == declareNone {
		return &oms.Error{Code: oms.ErrUnsupported, Err: errors.New("declare=none leaves deleting queues to others")}
	}
	for _, topic := range topics {
		if c.opts.isStream() {
			if err := c.deletePositions(ctx, group, topic); err != nil {
				return err
			}
			continue
		}
		bs, err := c.remaining(ctx, group, topic)
		if err != nil {
			return err
		}
		for _, b := range bs {
			if err := c.deleteQueue(ctx, b.queue); err != nil {
				return err
			}
		}
	}
	return nil
}

// remaining returns the queues of a group for a topic: those of its partitions,
// and what is left of a former topic of that name with more of them. The topic
// itself may be gone.
func (c *conn) remaining(ctx context.Context, group, topic string) ([]binding, error) {
	n, err := c.partitions(ctx, topic)
	if oms.CodeOf(err) == oms.ErrNotFound {
		n, err = 0, nil
	}
	if err != nil {
		return nil, err
	}
	bs, err := c.opts.bindings(group, topic, n)
	if err != nil || c.opts.ordering == orderingNone {
		return bs, err
	}
	for p := n; p < mostPartitions; p++ {
		name := partQueue(group, topic, p)
		if len(name) > shortString {
			break // there can be none
		}
		_, found, err := c.queue(ctx, name)
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
		bs = append(bs, binding{queue: name, part: oms.Partition{Topic: topic, Number: p}})
	}
	return bs, nil
}

// Lag implements oms.LagReporter. The broker tells what waits in a queue; what
// receivers of this connection have in hand is added, what those of others
// have is not known.
func (c *conn) Lag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	topics, err := checkTopics(topics)
	if err != nil {
		return nil, fail("tell the lag of", group, err)
	}
	if c.opts.isStream() {
		lag, err := c.streamLag(ctx, group, topics)
		return lag, fail("tell the lag of", group, err)
	}
	lag := make(map[oms.Partition]int64)
	for _, topic := range topics {
		n, err := c.partitions(ctx, topic)
		if oms.CodeOf(err) == oms.ErrNotFound {
			continue
		}
		if err != nil {
			return nil, fail("tell the lag of", group, err)
		}
		bs, err := c.opts.bindings(group, topic, n)
		if err != nil {
			return nil, fail("tell the lag of", group, err)
		}
		for _, b := range bs {
			q, found, err := c.queue(ctx, b.queue)
			if err != nil {
				return nil, fail("tell the lag of", group, err)
			}
			if found {
				lag[b.part] = int64(q.Messages) + c.inHand(b.queue)
			}
		}
	}
	return lag, nil
}

// inHand returns how many messages of a queue receivers of this connection
// have.
func (c *conn) inHand(queue string) (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.receivers {
		n += r.inHand(queue)
	}
	return n
}
