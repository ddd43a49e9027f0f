package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// AMQP tells neither where a stream begins nor where it ends, and how many
// messages it has only some seconds late. But whoever consumes gets all that is
// there, as far as the prefetch goes, as soon as the stream's own process has
// answered, and before the answer to a cancellation that follows the first
// message: what has come until then shows the edges. On a busy broker a
// cancellation that follows at once would come before all messages. So a stream
// has none only when none has come for a while.

const (
	offsetHeader = "x-stream-offset"
	mostPrefetch = 1<<16 - 1
	scanned      = 500 // messages that are looked at together
	edgeTries    = 20
	edgeAgain    = 20 * time.Millisecond
	emptyAfter   = 100 * time.Millisecond
	emptyTries   = 3
)

// The places that a consumer of a stream may begin at, besides an offset or a
// time.
const (
	firstMessage = "first"
	lastChunk    = "last" // a few messages that were stored together
)

// readStream returns what a stream has from a place on, most messages of it.
// It may also be nothing where the broker takes long.
func (c *conn) readStream(ctx context.Context, stream string, from any, most int) ([]amqp.Delivery, error) {
	return answer(ctx, c, func(ch *amqp.Channel) (ds []amqp.Delivery, err error) {
		if err := ch.Qos(most, 0, false); err != nil {
			return nil, err
		}
		const tag = "look"
		in, err := ch.Consume(stream, tag, false, false, false, false, amqp.Table{offsetHeader: from})
		if err != nil {
			return nil, err
		}
		nothing := time.NewTimer(emptyAfter)
		defer nothing.Stop()
		select {
		case d, ok := <-in:
			if ok {
				ds = append(ds, d)
			}
		case <-nothing.C:
		case <-ctx.Done():
		}
		if err := ch.Cancel(tag, false); err != nil {
			return nil, err
		}
		for d := range in {
			ds = append(ds, d)
		}
		if len(ds) == 0 {
			return nil, ctx.Err() // nobody waited for what there is
		}
		return ds, nil
	})
}

// readSurely is readStream for who would do harm if messages were overlooked: it
// looks again before it returns nothing.
func (c *conn) readSurely(ctx context.Context, stream string, from any, most int) (ds []amqp.Delivery, err error) {
	for range emptyTries {
		if ds, err = c.readStream(ctx, stream, from, most); err != nil || len(ds) > 0 {
			return ds, err
		}
	}
	return nil, nil
}

func offsetOf(d *amqp.Delivery) int64 { return integer(d.Headers[offsetHeader]) }

// edges are the offsets of a stream's first message and behind its last one.
type edges struct{ first, next int64 }

// edgesOf looks for them again where a stream seems to be empty: while
// retention removes its beginning, it has none for a moment.
func (c *conn) edgesOf(ctx context.Context, p oms.Partition) (edges, error) {
	for range edgeTries {
		last, err := c.readSurely(ctx, streamQueue(p), lastChunk, mostPrefetch)
		if err != nil {
			return edges{}, err
		}
		first, err := c.readStream(ctx, streamQueue(p), firstMessage, 1)
		if err != nil {
			return edges{}, err
		}
		switch {
		case len(last) > 0 && len(first) > 0:
			return edges{offsetOf(&first[0]), offsetOf(&last[len(last)-1]) + 1}, nil
		case len(last) == 0 && len(first) == 0:
			q, _, err := c.queue(ctx, streamQueue(p))
			if err != nil || q.Messages == 0 {
				return edges{}, err
			}
		}
		if err := sleep.For(ctx, edgeAgain); err != nil {
			return edges{}, err
		}
	}
	return edges{}, &oms.Error{Code: oms.ErrUnavailable, Err: errors.New("stream " + streamQueue(p) + " does not tell where it begins")}
}

// edgesBehind waits a little for a stream to have all that is before an offset:
// another node of the cluster may have told of it.
func (c *conn) edgesBehind(ctx context.Context, p oms.Partition, offset int64) (e edges, err error) {
	for range edgeTries {
		if e, err = c.edgesOf(ctx, p); err != nil || offset <= e.next {
			return e, err
		}
		if err := sleep.For(ctx, 5*edgeAgain); err != nil {
			return e, err
		}
	}
	return e, nil
}

// offsetAt returns the offset of the first message that was stored at or after
// a point in time, the next one to be stored if there is none.
//
// The broker begins at the chunk that was stored in that second. Of its
// messages those are left out that were made in that second or the one before,
// and before the point in time. One that was made longer ago waited for the
// broker, or was sent on.
func (c *conn) offsetAt(ctx context.Context, p oms.Partition, at time.Time) (int64, error) {
	e, err := c.edgesOf(ctx, p)
	if err != nil {
		return 0, err
	}
	second := at.Truncate(time.Second)
	var from any = second
	for {
		ds, err := c.readSurely(ctx, streamQueue(p), from, scanned)
		if err != nil {
			return 0, err
		}
		for i := range ds {
			born := decode(&ds[i], p.Topic).BornAt
			if !born.Before(at) || born.Before(second.Add(-time.Second)) {
				return offsetOf(&ds[i]), nil
			}
		}
		if len(ds) == 0 {
			return e.next, nil
		}
		e.next = max(e.next, offsetOf(&ds[len(ds)-1])+1)
		from = offsetOf(&ds[len(ds)-1]) + 1
	}
}

// identityOf returns what tells a topic from others of its name, and notes it
// when that was not done yet. Of several notes the first counts.
func (c *conn) identityOf(ctx context.Context, topic string) (string, error) {
	name := identityQueue(topic)
	if err := c.declareStream(ctx, name, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeStream}); err != nil {
		return "", err
	}
	for range edgeTries {
		ds, err := c.readStream(ctx, name, firstMessage, 1)
		if err != nil {
			return "", err
		}
		if len(ds) > 0 {
			return string(ds[0].Body), nil
		}
		if err := c.put(ctx, name, []string{rand.Text()}); err != nil {
			return "", err
		}
	}
	return "", &oms.Error{Code: oms.ErrUnavailable, Err: errors.New("stream " + name + " does not keep what it is given")}
}
