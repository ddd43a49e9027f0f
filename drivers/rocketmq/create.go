package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// routeTick is how often the name server is asked whether it knows of a topic
// that was made or deleted.
const routeTick = 50 * time.Millisecond

// CreateTopic makes the queues on all masters of the cluster, as evenly as can
// be, and waits until the name server knows of them.
//
// A broker overwrites a topic that is there: to it, making and changing is one
// request. So a process makes one topic at a time, and asks the brokers first:
// name servers learn of a topic later. What another process makes at the same
// moment may still be overwritten, or overwrite this; the brokers are asked
// again afterwards, and when they have other numbers the topic is the other's.
func (c *conn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	const op = "create topic"
	if err := c.options.checkTopic(spec.Name); err != nil {
		return invalid(op, spec.Name, err)
	}
	n := spec.Partitions
	if n == 0 {
		n = c.options.partitions
	}
	if n < 1 || n > mostPartitions {
		return invalid(op, spec.Name, fmt.Errorf("%d partitions are not from 1 to %d", n, mostPartitions))
	}
	select {
	case c.library.creating <- struct{}{}:
		defer func() { <-c.library.creating }()
	case <-ctx.Done():
		return classify(op, spec.Name, ctx.Err())
	}
	switch _, err := c.routes.now(ctx, spec.Name); {
	case err == nil:
		return c.code(op, spec.Name, oms.ErrExists, "the topic is there already")
	case codeOf(err) != oms.ErrNotFound:
		return classify(op, spec.Name, err)
	}
	data, err := c.cluster(ctx)
	if err != nil {
		return classify(op, spec.Name, err)
	}
	masters := data.masters()
	has, err := c.queuesAt(ctx, masters, spec.Name)
	if err == nil && has == 0 {
		err = c.makeQueues(ctx, masters, spec.Name, n)
	}
	if err == nil {
		has, err = c.awaitQueues(ctx, masters, spec.Name, n)
	}
	if err == nil && has != n {
		return c.code(op, spec.Name, oms.ErrExists, fmt.Sprintf("another process has just made the topic, with %d partitions", has))
	}
	return classify(op, spec.Name, err)
}

// makeQueues makes n queues of a topic.
func (c *conn) makeQueues(ctx context.Context, masters []string, topic string, n int) error {
	for i, address := range masters {
		share := n / len(masters)
		if i < n%len(masters) {
			share++
		}
		if share == 0 {
			continue
		}
		config := &topicConfig{Read: share, Write: share, Perm: readAndWrite, Filter: "SINGLE_TAG"}
		if err := c.configure(ctx, address, c.options.native(topic), config); err != nil {
			return err
		}
	}
	return nil
}

// queuesAt asks the brokers themselves how many queues a topic has: 0 where it
// is missing, or where one cannot say.
func (c *conn) queuesAt(ctx context.Context, masters []string, topic string) (n int, err error) {
	for _, address := range masters {
		config, err := c.configAt(ctx, address, c.options.native(topic))
		if _, answered := errors.AsType[*answerError](err); answered {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if config != nil {
			n += max(config.Read, config.Write)
		}
	}
	return n, nil
}

// awaitQueues waits until the name server knows all queues that the brokers
// have, and returns how many these are; n where the brokers cannot say.
func (c *conn) awaitQueues(ctx context.Context, masters []string, topic string, n int) (has int, err error) {
	err = c.await(ctx, func() (bool, error) {
		at, err := c.queuesAt(ctx, masters, topic)
		if err != nil {
			return false, err
		}
		c.routes.drop(topic) // a route with the queues of some masters is none yet
		r, err := c.routes.now(ctx, topic)
		if codeOf(err) == oms.ErrNotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if has = at; at == 0 {
			has = n
		}
		return len(r.queues) == at || at == 0 && len(r.queues) >= n, nil
	})
	return has, err
}
