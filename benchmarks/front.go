package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	_ "github.com/omconnect/omconnect/drivers/embedded" // the drivers that are measured
	_ "github.com/omconnect/omconnect/drivers/kafka"
	_ "github.com/omconnect/omconnect/drivers/rabbitmq"
	_ "github.com/omconnect/omconnect/drivers/rocketmq"
	"github.com/omconnect/omconnect/oms"
)

// Ours is package oms over a driver, with the defaults of connectors: batches
// of 500, and windows of 10,000 records and 32 MiB. A topic has one group, of
// the same name.

const (
	omsBatch  = 500
	omsWindow = 10_000
)

func omsClient(ctx context.Context, t task) (*oms.Client, error) {
	if t.Addr != "" { // the client is called as its driver
		return oms.Open(ctx, "oms:"+t.Client+"://"+t.Addr+"/")
	}
	options := url.Values{
		"dir":              {filepath.Join(t.Dir, "broker")},
		"sync.interval.ms": {strconv.FormatInt(t.Sync.Milliseconds(), 10)},
	}
	return oms.Open(ctx, "oms:embedded:///?"+options.Encode())
}

// omsPublish sends batches asynchronously and waits for all confirmations. A
// call's messages go to one partition, and calls take turns.
func omsPublish(ctx context.Context, t task, w *stopwatch) (err error) {
	c, err := omsClient(ctx, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: t.Topic, Partitions: t.Partitions}); err != nil {
		return err
	}
	if t.Addr != "" { // a message that has no queue to go to is an error
		if err := omsGroup(ctx, c, t); err != nil {
			return err
		}
	}
	p, err := c.NewProducer(ctx, oms.SenderConfig{MaxInFlight: omsWindow})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	if err := w.start(); err != nil {
		return err
	}
	outcomes := make(chan error, t.Records/omsBatch+1)
	batches := 0
	for left := t.Records; left > 0; left -= omsBatch {
		msgs := make([]*oms.Message, min(left, omsBatch))
		for i := range msgs {
			msgs[i] = &oms.Message{Topic: t.Topic, Body: body}
		}
		p.SendAsync(ctx, msgs, func(err error) { outcomes <- err })
		batches++
	}
	for range batches {
		select {
		case err := <-outcomes:
			if err != nil {
				return err
			}
		case <-time.After(patience):
			return errors.New("the broker does not confirm")
		}
	}
	return w.stop()
}

func omsGroup(ctx context.Context, c *oms.Client, t task) error {
	groups, err := c.Groups()
	if err != nil {
		return err
	}
	return groups.EnsureGroup(ctx, t.Topic, []string{t.Topic}, oms.Start{})
}

// omsReceive receives what was published. The topic of a server, which stays,
// is removed in the end.
func omsReceive(ctx context.Context, t task, w *stopwatch) (err error) {
	c, err := omsClient(ctx, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	if err := omsGroup(ctx, c, t); err != nil {
		return err
	}
	if err := receiveAll(ctx, c, t, w); err != nil || t.Addr == "" {
		return err
	}
	return c.DeleteTopic(ctx, t.Topic)
}

// receiveAll receives and acknowledges, batch by batch, and flushes at the
// end: then the acknowledgements are not only answered but written.
func receiveAll(ctx context.Context, c *oms.Client, t task, w *stopwatch) (err error) {
	cfg := oms.ReceiverConfig{Topics: []string{t.Topic}, Group: t.Topic, MaxUnacked: omsWindow}
	if t.Addr == "" {
		// Joining a group is left out, as making a consumer is on the other
		// side: nothing has been asked for when this is called.
		cfg.OnAssigned = func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) { return nil, w.begin() }
	}
	pc, err := c.NewPullConsumer(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pc.Close(ctx)) }()
	for left := t.Records; left > 0; {
		msgs, err := pc.Receive(ctx, omsBatch, patience)
		if err != nil {
			return err
		}
		if len(msgs) == 0 {
			return fmt.Errorf("%d messages did not come", left)
		}
		if err := w.begin(); err != nil {
			return err
		}
		for _, m := range msgs {
			if err := checkBody(m.Body); err != nil {
				return err
			}
		}
		if err := pc.Ack(ctx, msgs...); err != nil {
			return err
		}
		left -= len(msgs)
	}
	if err := pc.Flush(ctx); err != nil {
		return err
	}
	return w.stop()
}
