package connect

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// feed feeds the sink until soft is done. When other topics match the pattern
// of a sink, its consumer is drained and closed, and one of those is opened;
// the sink's instance stays.
func (s *sinkRun) feed(soft, hard context.Context, client *oms.Client, cfg oms.ReceiverConfig) error {
	for look := true; soft.Err() == nil; {
		topics, others, err := s.topics(soft, look)
		if err == nil {
			cfg.Topics = topics
			err = s.consumeUntil(soft, hard, others, client, cfg)
		}
		switch {
		case err == nil && isClosed(others):
			look = false // the watch has
			continue
		case err == nil:
			return nil
		case oms.CodeOf(err) != oms.ErrNotFound || !isFetch(err):
			return err
		}
		// A topic that is not there is never a failure: the sink waits for it.
		select {
		case <-time.After(topicWait):
		case <-soft.Done():
		}
		look = true
	}
	return nil
}

// topics returns what to read now, and a channel that is closed when that is
// something else; nil when it never is.
func (s *sinkRun) topics(soft context.Context, look bool) (topics []string, others <-chan struct{}, err error) {
	switch {
	case s.t.watch == nil:
		return s.t.set.topics, nil, nil
	case look:
		topics, others, err = s.t.watch.look(soft)
	default:
		topics, others, err = s.t.watch.known()
	}
	if err != nil {
		return nil, nil, ignoreStop(soft, &Outcome{Stage: StageFetch, Err: err})
	}
	return topics, others, nil
}

// consumeUntil feeds the sink from the topics of cfg until soft is done or
// others is closed.
func (s *sinkRun) consumeUntil(soft, hard context.Context, others <-chan struct{}, client *oms.Client, cfg oms.ReceiverConfig) error {
	round, end := context.WithCancel(soft)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	if others != nil {
		wg.Go(func() {
			defer end()
			select {
			case <-others:
			case <-round.Done():
			}
		})
	}
	if len(cfg.Topics) == 0 {
		<-round.Done() // no topic matches yet
		return nil
	}
	return s.consume(round, hard, client, cfg)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// isFetch reports whether err is about the topic, not about what the sink
// does with its messages.
func isFetch(err error) bool {
	o, ok := errors.AsType[*Outcome](err)
	return ok && o.Stage == StageFetch
}

// consume opens a consumer and feeds the sink with it until soft is done.
func (s *sinkRun) consume(soft, hard context.Context, client *oms.Client, cfg oms.ReceiverConfig) (err error) {
	s.begin()
	opts, r := s.t.rt.opts, s.t.set.reading()
	for _, some := range s.t.watch.readings(r, cfg.Topics) {
		if err := ensureReading(soft, opts.Store, opts.Plugins, opts.Brokers, some); err != nil {
			return ignoreStop(soft, &Outcome{Stage: StageFetch, Err: err})
		}
	}
	cfg.OnAssigned = s.t.watch.starts(client, r)
	var run func() error
	if s.t.set.push {
		push, err := client.NewPushConsumer(soft, cfg, oms.PushConfig{Batch: s.t.set.pollRecords})
		if err != nil {
			return ignoreStop(soft, &Outcome{Stage: StageFetch, Err: err})
		}
		s.consumer, run = push, func() error { return s.pushed(soft, hard, push) }
	} else {
		pull, err := client.NewPullConsumer(soft, cfg)
		if err != nil {
			return ignoreStop(soft, &Outcome{Stage: StageFetch, Err: err})
		}
		s.consumer, run = pull, func() error { return s.pull(soft, hard, pull) }
	}
	defer func() {
		ctx, cancel := bounded(hard, s.t.rt.opts.Grace)
		defer cancel()
		if cerr := s.flush(ctx, true); cerr != nil && err == nil {
			err = cerr
		}
		// What went to another member with its acknowledgement untold comes again there.
		if cerr := s.consumer.Close(ctx); cerr != nil && err == nil && oms.CodeOf(cerr) != oms.ErrStaleDelivery {
			err = &Outcome{Stage: StageAck, Err: cerr}
		}
		s.end()
	}()
	return run()
}

func ignoreStop(soft context.Context, err error) error {
	if soft.Err() != nil {
		return nil //nolint:nilerr // the end was asked for
	}
	return err
}

// pull asks for messages and puts them.
func (s *sinkRun) pull(soft, hard context.Context, pull *oms.PullConsumer) error {
	for soft.Err() == nil {
		msgs, err := pull.Receive(soft, s.t.set.pollRecords, receiveWait)
		if err != nil {
			return ignoreStop(soft, &Outcome{Stage: StageFetch, Err: err})
		}
		if _, err := s.deliver(soft, hard, msgs); err != nil {
			return err
		}
	}
	return nil
}

// errNotPut tells a push consumer that none of its messages may be
// acknowledged. The cause is kept from it: it may be a *oms.BatchError, whose
// indices are of something else.
var errNotPut = errors.New("the sink has not taken the messages")

// pushed has the push consumer call the sink.
func (s *sinkRun) pushed(soft, hard context.Context, push *oms.PushConsumer) error {
	running, fail := context.WithCancelCause(soft)
	defer fail(nil)
	s.gaps.failsBy(fail)
	defer s.gaps.failsBy(nil)
	err := push.Run(running, func(_ context.Context, msgs []*oms.Message) error {
		put, err := s.deliver(soft, hard, msgs)
		if err != nil {
			fail(err) // the task's policy decides
			return errNotPut
		}
		return others(msgs, put)
	})
	if cause := context.Cause(running); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err != nil {
		return &Outcome{Stage: StageFetch, Err: err}
	}
	return nil
}

// others returns the error that keeps a push consumer from acknowledging those
// of the messages that were not put: their partition is going to another
// member, who gets them again. What was put is in the order of all.
func others(msgs, put []*oms.Message) error {
	failed := make(map[int]error)
	for i, m := range msgs {
		if len(put) > 0 && put[0] == m {
			put = put[1:]
			continue
		}
		failed[i] = oms.ErrStaleDelivery
	}
	if len(failed) == 0 {
		return nil
	}
	return &oms.BatchError{Failed: failed}
}
