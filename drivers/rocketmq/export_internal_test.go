package rocketmq

import (
	"context"
	"errors"
	"strconv"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// Tagged asks the broker for what a consumer with tags would get of a topic's
// first queue, and returns the bodies, and where to go on.
func Tagged(ctx context.Context, at oms.Conn, topic, tags string, offset int64) (bodies []string, next int64, err error) {
	c := at.(*conn)
	r, err := c.routes.of(ctx, topic)
	if err != nil {
		return nil, offset, err
	}
	a, err := c.askQueue(ctx, r, r.queues[0], reqPull, map[string]string{
		"consumerGroup": "filtering", "queueOffset": strconv.FormatInt(offset, 10), "maxMsgNums": "32",
		"sysFlag": strconv.Itoa(pullFlags), "commitOffset": "0", "suspendTimeoutMillis": "1000",
		"subscription": tags, "subVersion": "0", "expressionType": "TAG",
	})
	if answer, ok := errors.AsType[*answerError](err); err != nil && (!ok || answer.code != resPullRetry && answer.code != resPullNotFound) {
		return nil, offset, err
	}
	if err == nil {
		for _, m := range primitive.DecodeMessage(a.body) {
			bodies = append(bodies, string(m.Body))
		}
	}
	next, err = fieldOffset(a, "nextBeginOffset")
	return bodies, next, err
}

// Queues asks the brokers themselves how many queues a topic has, as
// CreateTopic does before and after.
func Queues(ctx context.Context, at oms.Conn, topic string) (int, error) {
	c := at.(*conn)
	data, err := c.cluster(ctx)
	if err != nil {
		return 0, err
	}
	return c.queuesAt(ctx, data.masters(), topic)
}
