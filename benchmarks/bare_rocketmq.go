package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
	"golang.org/x/sync/errgroup"

	"github.com/omconnect/omconnect/internal/sleep"
)

// The bare side for RocketMQ is rocketmq-client-go: batches that are sent and
// waited for by several goroutines, the fastest that it has, and its push
// consumer.

const (
	rocketmqSenders = 16
	rocketmqBatch   = 64
	rocketmqPull    = 32 // messages; brokers give no more
	rocketmqDrain   = 200 * time.Millisecond
)

func rocketmqNames(t task) primitive.NsResolver {
	rlog.SetLogLevel("error")
	return primitive.NewPassthroughResolver([]string{t.Addr})
}

// rocketmqPublish makes a topic and sends to its queues in turn.
func rocketmqPublish(ctx context.Context, t task, w *stopwatch) (err error) {
	a, err := admin.NewAdmin(admin.WithResolver(rocketmqNames(t)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := rocketmqTopic(ctx, a, t); err != nil {
		return err
	}
	p, err := producer.NewDefaultProducer(producer.WithNsResolver(rocketmqNames(t)), producer.WithGroupName(t.Topic),
		producer.WithInstanceName(t.Topic), producer.WithQueueSelector(producer.NewRoundRobinQueueSelector()))
	if err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Shutdown()) }()
	if err := w.start(); err != nil {
		return err
	}
	var taken atomic.Int64
	next := func(ctx context.Context) (more bool, err error) {
		from := int(taken.Add(rocketmqBatch)) - rocketmqBatch
		if from >= t.Records {
			return false, nil
		}
		return true, rocketmqSend(ctx, p.SendSync, t.Topic, min(rocketmqBatch, t.Records-from))
	}
	// The first batch finds the queues. When several look for them at once,
	// the library may fail those that come second.
	if _, err := next(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for range rocketmqSenders {
		g.Go(func() error {
			for {
				if more, err := next(ctx); !more || err != nil {
					return err
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return w.stop()
}

// rocketmqTopic makes a topic, and waits until the name server knows it.
func rocketmqTopic(ctx context.Context, a admin.Admin, t task) error {
	err := a.CreateTopic(ctx, admin.WithTopicCreate(t.Topic), admin.WithBrokerAddrCreate(t.Node),
		admin.WithReadQueueNums(t.Partitions), admin.WithWriteQueueNums(t.Partitions))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		queues, err := a.FetchPublishMessageQueues(ctx, t.Topic)
		if err == nil && len(queues) == t.Partitions {
			return nil
		}
		if late := sleep.For(ctx, lookEvery); late != nil {
			return fmt.Errorf("the name server does not know the topic: %w", errors.Join(err, late))
		}
	}
}

// rocketmqSend sends a batch of n messages.
func rocketmqSend(ctx context.Context, send func(context.Context, ...*primitive.Message) (*primitive.SendResult, error), topic string, n int) error {
	msgs := make([]*primitive.Message, n)
	for i := range msgs {
		msgs[i] = primitive.NewMessage(topic, body)
	}
	answer, err := send(ctx, msgs...)
	if err == nil && answer.Status != primitive.SendOK {
		err = fmt.Errorf("the broker answers with status %d", answer.Status)
	}
	return err
}

// rocketmqReceive is the one member of a group. Positions are committed by the
// library, each five seconds and when it is shut down.
func rocketmqReceive(ctx context.Context, t task, w *stopwatch) error {
	c, err := consumer.NewPushConsumer(consumer.WithNsResolver(rocketmqNames(t)), consumer.WithGroupName(t.Topic),
		consumer.WithInstance(t.Topic), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithPullBatchSize(rocketmqPull), consumer.WithConsumeMessageBatchMaxSize(rocketmqPull))
	if err != nil {
		return err
	}
	r := &rocketmqReader{w: w, all: make(chan struct{}), failed: make(chan error, 1)}
	r.left.Store(int64(t.Records))
	if err := c.Subscribe(t.Topic, consumer.MessageSelector{}, r.handle); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	select {
	case <-r.all:
		err = w.stop()
	case err = <-r.failed:
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(2 * patience):
		err = fmt.Errorf("%d messages did not come", r.left.Load())
	}
	// A consumer that is shut down while messages come in panics.
	c.Suspend()
	return errors.Join(err, sleep.For(context.WithoutCancel(ctx), rocketmqDrain), c.Shutdown())
}

// A rocketmqReader is called by the goroutines of the client library.
type rocketmqReader struct {
	w      *stopwatch
	first  sync.Once
	left   atomic.Int64
	all    chan struct{}
	failed chan error
}

func (r *rocketmqReader) handle(_ context.Context, msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	var err error
	r.first.Do(func() { err = r.w.begin() })
	for _, m := range msgs {
		err = errors.Join(err, checkBody(m.Body))
	}
	if err != nil {
		select {
		case r.failed <- err:
		default: // one is enough
		}
	}
	n := int64(len(msgs))
	if left := r.left.Add(-n); left <= 0 && left+n > 0 { // and not again for what is repeated
		close(r.all)
	}
	return consumer.ConsumeSuccess, nil
}
