package rocketmq_test

import (
	"context"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// stranger has a program that knows nothing of this driver be a member of a
// group. It takes no messages: what its library would do with them is another
// matter.
func (b *broker) stranger(_ context.Context, group, topic string) (hint string, leave func(context.Context) error, err error) {
	hint = "stranger-of-" + group
	c, err := consumer.NewPullConsumer(
		consumer.WithNameServer(primitive.NamesrvAddr{b.Addr()}),
		consumer.WithCredentials(primitive.Credentials{AccessKey: accessKey, SecretKey: secretKey}),
		consumer.WithInstance(hint), consumer.WithGroupName(group),
	)
	if err != nil {
		return "", nil, err
	}
	if err := c.Assign(topic, nil); err != nil {
		return "", nil, err
	}
	return hint, func(context.Context) error { return c.Shutdown() }, c.Start()
}
