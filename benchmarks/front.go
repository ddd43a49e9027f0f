package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	_ "github.com/omconnect/omconnect/drivers/embedded" // the driver that is measured
	"github.com/omconnect/omconnect/oms"
)

// The other side is package oms over drivers/embedded, with the defaults of
// connectors: batches of 500, and windows of 10,000 records and 32 MiB.

const (
	omsTopic  = "bench"
	omsGroup  = "bench"
	omsBatch  = 500
	omsWindow = 10_000
)

func omsClient(ctx context.Context, t task) (*oms.Client, error) {
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
	if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: omsTopic, Partitions: t.Partitions}); err != nil {
		return err
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
			msgs[i] = &oms.Message{Topic: omsTopic, Body: body}
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

// omsReceive receives and acknowledges, batch by batch, and flushes at the
// end: then the acknowledgements are not only answered but written.
func omsReceive(ctx context.Context, t task, w *stopwatch) (err error) {
	c, err := omsClient(ctx, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	groups, err := c.Groups()
	if err != nil {
		return err
	}
	if err := groups.EnsureGroup(ctx, omsGroup, []string{omsTopic}, oms.Start{}); err != nil {
		return err
	}
	pc, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{
		Topics: []string{omsTopic}, Group: omsGroup, MaxUnacked: omsWindow,
		// Joining a group is left out, as making a consumer is on the other
		// side: nothing has been asked for when this is called.
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) { return nil, w.start() },
	})
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
		for _, m := range msgs {
			if len(m.Body) != len(body) {
				return fmt.Errorf("a body has %d bytes", len(m.Body))
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
