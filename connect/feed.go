package connect

import (
	"context"
	"errors"

	"github.com/omconnect/omconnect/oms"
)

// consume opens a consumer and feeds the sink with it until soft is done.
func (s *sinkRun) consume(soft, hard context.Context, client *oms.Client, cfg oms.ReceiverConfig) (err error) {
	s.begin()
	if err := ensureGroup(soft, s.t.rt.opts, s.t.set); err != nil {
		return ignoreStop(soft, &Outcome{Stage: StageFetch, Err: err})
	}
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
		if cerr := s.consumer.Close(ctx); cerr != nil && err == nil {
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
