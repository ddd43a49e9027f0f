package rocketmq_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// A bare is a program that knows nothing of this driver: a producer and a
// consumer of the client library, on connections of their own.
type bare struct {
	broker   *broker
	producer rocketmq.Producer
}

func newBare(t *testing.T, b *broker) *bare {
	t.Helper()
	p, err := producer.NewDefaultProducer(
		producer.WithNameServer(primitive.NamesrvAddr{b.Addr()}),
		producer.WithCredentials(primitive.Credentials{AccessKey: accessKey, SecretKey: secretKey}),
		producer.WithInstanceName(t.Name()+"-sender"), producer.WithGroupName("bare"),
		producer.WithQueueSelector(producer.NewManualQueueSelector()),
		producer.WithCompressMsgBodyOverHowmuch(math.MaxInt), producer.WithRetry(0),
	)
	must(t, err)
	must(t, p.Start())
	t.Cleanup(func() { must(t, p.Shutdown()) })
	return &bare{broker: b, producer: p}
}

// foreign sends a batch of one: of a message by itself the broker drops the
// properties that are empty.
func (b *bare) foreign(ctx context.Context, topic string, body []byte, headers map[string]string) error {
	m := primitive.NewMessage(topic, body)
	m.WithProperties(maps.Clone(headers)) // WithProperty drops them, too
	return b.send(ctx, &primitive.Message{Topic: topic, Body: producer.MarshalMessageBatch(m), Batch: true})
}

// send stores a message in the only queue of its topic.
func (b *bare) send(ctx context.Context, m *primitive.Message) error {
	m.Queue = &primitive.MessageQueue{Topic: m.Topic, BrokerName: "broker-a"}
	got, err := b.producer.SendSync(ctx, m)
	if err == nil && got.Status != primitive.SendOK {
		err = fmt.Errorf("the broker says %v", got.Status)
	}
	return err
}

// all returns n messages of the only queue of a topic, from its beginning.
func (b *bare) all(t *testing.T, topic string, n int) []*primitive.MessageExt {
	t.Helper()
	c, err := consumer.NewPullConsumer(
		consumer.WithNameServer(primitive.NamesrvAddr{b.broker.Addr()}),
		consumer.WithCredentials(primitive.Credentials{AccessKey: accessKey, SecretKey: secretKey}),
		consumer.WithInstance(t.Name()+"-reader-"+topic), consumer.WithGroupName("bare-reader"),
	)
	must(t, err)
	must(t, c.Assign(topic, nil))
	must(t, c.Start())
	t.Cleanup(func() { must(t, c.Shutdown()) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []*primitive.MessageExt
	for len(all) < n {
		got, err := c.PullFrom(ctx, &primitive.MessageQueue{Topic: topic, BrokerName: "broker-a"}, int64(len(all)), 32)
		must(t, err)
		all = append(all, got.GetMessageExts()...)
		must(t, ctx.Err())
	}
	return all
}

func zlibbed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(body)
	must(t, errors.Join(err, w.Close()))
	return b.Bytes()
}
