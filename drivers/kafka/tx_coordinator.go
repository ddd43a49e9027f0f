package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// txAgain is the first pause before a request of the coordinator is made
// again. It answers before a transaction is at its end everywhere, which takes
// some milliseconds more.
const txAgain = 10 * time.Millisecond

const txTooOld = "transactions need brokers from 2.5.0 on; set version if they are"

// own makes the sender the owner of its id, or gives the owner a new epoch. The
// brokers abort what was open.
func (s *txSender) own(ctx context.Context) error {
	request := &sarama.InitProducerIDRequest{
		Version: 3, TransactionalID: &s.id, TransactionTimeout: s.timeout(),
		ProducerID: noProducer, ProducerEpoch: -1,
	}
	if s.conn.options.version.IsAtLeast(sarama.V2_7_0_0) {
		request.Version = 4
	}
	if s.producer != noProducer {
		request.ProducerID, request.ProducerEpoch = s.producer, s.epoch
	}
	s.renewing = true
	answer, _, err := insist(ctx, s, false, func(b *sarama.Broker) (*sarama.InitProducerIDResponse, error) {
		answer, err := b.InitProducerID(request)
		switch {
		case err != nil:
			return nil, err
		case request.Version < 3: // the library goes down to what the broker knows
			return nil, sarama.ErrUnsupportedVersion
		}
		return answer, kerror(answer.Err)
	})
	switch {
	case errors.Is(err, sarama.ErrInvalidTransactionTimeout):
		return fail("open transactions", s.id, oms.ErrInvalid,
			fmt.Errorf("transaction.max.timeout.ms of the brokers is less than delivery.timeout.ms and %v: %w", txSlack, err))
	case err != nil:
		return err
	}
	s.producer, s.epoch, s.sequences, s.renewing = answer.ProducerID, answer.ProducerEpoch, nil, false
	return nil
}

func (s *txSender) timeout() time.Duration {
	return min(s.conn.options.deliveryTimeout+txSlack, txMost)
}

// begin tells the coordinator of which partitions the transaction is.
func (s *txSender) begin(ctx context.Context, loads []*txLoad) error {
	request := &sarama.AddPartitionsToTxnRequest{
		Version: 1, TransactionalID: s.id, ProducerID: s.producer, ProducerEpoch: s.epoch,
		TopicPartitions: make(map[string][]int32),
	}
	if s.conn.options.version.IsAtLeast(sarama.V2_7_0_0) {
		request.Version = 2
	}
	for _, l := range loads {
		request.TopicPartitions[l.at.Topic] = append(request.TopicPartitions[l.at.Topic], number(l.at))
	}
	_, _, err := insist(ctx, s, false, func(b *sarama.Broker) (none, error) {
		answer, err := b.AddPartitionsToTxn(request)
		if err != nil {
			return none{}, err
		}
		return none{}, begun(answer, len(loads))
	})
	return err
}

// begun returns why not all of n partitions are in the transaction.
func begun(answer *sarama.AddPartitionsToTxnResponse, n int) error {
	var cause error
	for _, partitions := range answer.Errors {
		n -= len(partitions)
		for _, p := range partitions {
			// One that is the cause has the others not attempted.
			if p.Err != sarama.ErrNoError && (cause == nil || errors.Is(cause, sarama.ErrOperationNotAttempted)) {
				cause = p.Err
			}
		}
	}
	if cause == nil && n > 0 {
		return errors.New("the broker's answer leaves partitions out")
	}
	return cause
}

// end commits or aborts. Doing so again changes nothing. maybe says that it may
// have been done all the same.
func (s *txSender) end(ctx context.Context, commit bool) (maybe bool, err error) {
	request := &sarama.EndTxnRequest{
		Version: 1, TransactionalID: s.id, ProducerID: s.producer, ProducerEpoch: s.epoch, TransactionResult: commit,
	}
	if s.conn.options.version.IsAtLeast(sarama.V2_7_0_0) {
		request.Version = 2
	}
	_, maybe, err = insist(ctx, s, commit, func(b *sarama.Broker) (none, error) {
		answer, err := b.EndTxn(request)
		if err != nil {
			return none{}, err
		}
		return none{}, kerror(answer.Err)
	})
	return maybe, err
}

// none is the answer of a request that has none but its error.
type none struct{}

// insist makes a request of the id's coordinator, and again until it has an
// answer that stays; where it is stubborn it goes on whatever else keeps the
// answer away. maybe says that an attempt without an answer may have been done.
func insist[T any](ctx context.Context, s *txSender, stubborn bool, request func(*sarama.Broker) (T, error)) (v T, maybe bool, err error) {
	wait, refresh := txAgain, false
	var before error
	for {
		var b *sarama.Broker
		if b, err = s.coordinator(ctx, refresh); err == nil {
			v, err = call(ctx, func() (T, error) { return request(b) })
			if err != nil && connectionLost(err) && ctx.Err() == nil {
				_ = b.Close()
			}
			maybe = maybe || isDoubtful(err)
		}
		err = reason(ctx, before, err)
		again := err != nil && (txPassing(err) || stubborn && isSilence(err))
		if !again || sleep.For(ctx, wait) != nil {
			return v, maybe, err
		}
		before = err
		refresh = !errors.Is(err, sarama.ErrConcurrentTransactions)
		wait = min(2*wait, retryMost)
	}
}

// reason is the error of an attempt, or that of the one before where this was
// not made to its end: then it says more.
func reason(ctx context.Context, before, err error) error {
	if err != nil && before != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return before
	}
	return err
}

// isSilence reports whether an error is no answer.
func isSilence(err error) bool {
	_, answered := errors.AsType[sarama.KError](err)
	return !answered
}

// isDoubtful reports whether a request may have been done all the same: nobody
// has answered, or the coordinator does not know whether its log has it.
func isDoubtful(err error) bool {
	if err == nil {
		return false
	}
	k, answered := errors.AsType[sarama.KError](err)
	if !answered {
		return !errors.Is(err, sarama.ErrNotConnected)
	}
	switch k { //nolint:exhaustive // the rest is certain
	case sarama.ErrUnknown, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrRequestTimedOut, sarama.ErrNetworkException,
		sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrUnknownTopicOrPartition, sarama.ErrKafkaStorageError:
		return true
	}
	return false
}

// coordinator returns the broker that knows about the id, connected.
func (s *txSender) coordinator(ctx context.Context, refresh bool) (*sarama.Broker, error) {
	b, err := call(ctx, func() (*sarama.Broker, error) {
		if refresh {
			if err := s.client.RefreshTransactionCoordinator(s.id); err != nil {
				return nil, err
			}
		}
		b, err := s.client.TransactionCoordinator(s.id)
		if err != nil {
			return nil, err
		}
		return b, connect(s.client, b)
	})
	return b, s.conn.explain(ctx, err)
}

// txPassing is passing for what a coordinator of transactions answers.
func txPassing(err error) bool {
	if k, ok := errors.AsType[sarama.KError](err); ok {
		switch k { //nolint:exhaustive // the rest does not pass
		case sarama.ErrRequestTimedOut, sarama.ErrNetworkException, sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend,
			sarama.ErrUnknownTopicOrPartition: // the partitions are known: the coordinator has not heard of them yet
			return true
		}
	}
	return passing(err)
}
