package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// readerGroup is the group in whose name the library's consumers pull. It has
// no positions and no members that read.
const readerGroup = "omconnect-reader"

const (
	// usualReaders is how many pulls of a cluster are on their way at once. Each
	// brings at once what is there, up to 32 messages.
	usualReaders = 4
	// mostReaders is how many there are when some wait for an answer that does
	// not come.
	mostReaders = 8
	stuckAfter  = 5 * time.Second
	startAgain  = 10 * time.Second // one that does not start leaves goroutines behind, too
)

// A messagePuller is what the driver uses of the library's pull consumer. Each
// call of PullFrom writes a field that the others read, so that there is one at
// a time; it cannot be given up, and ends after 30 seconds where no answer
// comes.
type messagePuller interface {
	PullFrom(ctx context.Context, queue *primitive.MessageQueue, offset int64, numbers int) (*primitive.PullResult, error)
}

// readers are the library's pull consumers for one cluster.
type readers struct {
	begin func(topic string, number int) (messagePuller, error)
	idle  chan messagePuller

	mu     sync.Mutex // held while some are started
	count  int
	failed time.Time
}

func newReaders(begin func(topic string, number int) (messagePuller, error)) *readers {
	return &readers{begin: begin, idle: make(chan messagePuller, mostReaders)}
}

// pull takes messages from a queue, beginning at an offset. It is for queues
// that have some there: where there is nothing it waits for 20 seconds.
func (rs *readers) pull(ctx context.Context, from primitive.MessageQueue, offset int64, most int) (*primitive.PullResult, error) {
	if err := rs.start(from.Topic, usualReaders); err != nil {
		return nil, err
	}
	var p messagePuller
	select {
	case p = <-rs.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Whoever waits behind one that is stuck gets another.
	stuck := time.AfterFunc(stuckAfter, func() { _ = rs.start(from.Topic, mostReaders) })
	type outcome struct {
		result *primitive.PullResult
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := pullSafely(ctx, p, from, offset, most)
		stuck.Stop()
		rs.idle <- p
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
		return nil, ctx.Err() // and nobody wants what comes
	}
}

// pullSafely makes an error of what the library's decoder does to a message
// that is damaged. The library writes to the queue that it is given, so it gets
// one of its own.
func pullSafely(ctx context.Context, p messagePuller, from primitive.MessageQueue, offset int64, most int) (result *primitive.PullResult, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &oms.Error{Code: oms.ErrFormat, Err: fmt.Errorf("the client library cannot read what is stored at offset %d: %v", offset, v)}
		}
	}()
	return p.PullFrom(ctx, &from, offset, most)
}

// start sees to it that there are so many readers. They are started together,
// so that what a process has does not depend on how busy it is. The topic is
// one that exists: consumers do not start without.
func (rs *readers) start(topic string, n int) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.count >= n || n > usualReaders && rs.count >= mostReaders {
		return nil
	}
	if time.Since(rs.failed) < startAgain {
		return rs.missing(errors.New("the client library's consumers did not start a moment ago"))
	}
	if n > usualReaders {
		n = rs.count + 1
	}
	for rs.count < n {
		p, err := rs.begin(topic, rs.count)
		if err != nil {
			rs.failed = time.Now()
			return rs.missing(err)
		}
		rs.count++
		rs.idle <- p
	}
	return nil
}

// missing is an error while there is no reader at all.
func (rs *readers) missing(err error) error {
	if rs.count > 0 {
		return nil
	}
	return &oms.Error{Code: oms.ErrUnavailable, Err: err}
}

// consumer makes a pull consumer. It is assigned no queue of its topic, so it
// reads nothing by itself.
func (l *library) consumer(topic string, number int) (messagePuller, error) {
	c, err := consumer.NewPullConsumer(
		ownRemoting[consumer.Option](l.useTLS),
		consumer.WithNsResolver(l.resolver()),
		consumer.WithCredentials(l.credentials()),
		consumer.WithInstance(l.instance+"-reader-"+strconv.Itoa(number)),
		consumer.WithGroupName(l.identity.readers),
	)
	if err != nil {
		return nil, err
	}
	if err := c.Assign(topic, nil); err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return c, nil
}
