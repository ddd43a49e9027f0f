package kafka

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

func TestACommitIsDoubtfulWhereItMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		nil: false, sarama.ErrNotConnected: false, io.EOF: true, context.DeadlineExceeded: true,
		sarama.ErrUnknown: true, sarama.ErrRequestTimedOut: true, sarama.ErrNotEnoughReplicasAfterAppend: true,
		sarama.ErrConsumerCoordinatorNotAvailable: true, sarama.ErrNotCoordinatorForConsumer: false,
		sarama.ErrOffsetsLoadInProgress: false, sarama.ErrConcurrentTransactions: false, sarama.ErrInvalidTxnState: false,
		sarama.ErrProducerFenced: false,
	} {
		if got := isDoubtful(err); got != want {
			t.Errorf("%v: doubtful is %v, want %v", err, got, want)
		}
	}
}

func TestACoordinatorThatIsNotReadyIsAskedAgain(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		sarama.ErrConcurrentTransactions: true, sarama.ErrRequestTimedOut: true, sarama.ErrUnknownTopicOrPartition: true, io.EOF: true,
		sarama.ErrProducerFenced: false, sarama.ErrInvalidTxnState: false, sarama.ErrTransactionalIDAuthorizationFailed: false,
		sarama.ErrOutOfBrokers: false,
	} {
		if got := txPassing(err); got != want {
			t.Errorf("%v: passing is %v, want %v", err, got, want)
		}
	}
}

func TestAnAnswerAboutPartitionsTellsTheirCause(t *testing.T) {
	t.Parallel()
	answer := func(codes ...sarama.KError) *sarama.AddPartitionsToTxnResponse {
		a := &sarama.AddPartitionsToTxnResponse{Errors: make(map[string][]*sarama.PartitionError)}
		for i, code := range codes {
			a.Errors["t"] = append(a.Errors["t"], &sarama.PartitionError{Partition: int32(i), Err: code})
		}
		return a
	}
	const fine, beside, cause = sarama.ErrNoError, sarama.ErrOperationNotAttempted, sarama.ErrTopicAuthorizationFailed
	for name, tc := range map[string]struct {
		answer *sarama.AddPartitionsToTxnResponse
		want   error
	}{
		"all are in it":        {answer(fine, fine, fine), nil},
		"the cause is first":   {answer(cause, beside, fine), cause},
		"the cause is last":    {answer(beside, fine, cause), cause},
		"nobody says why":      {answer(beside, fine, fine), beside},
		"the first of several": {answer(fine, sarama.ErrConcurrentTransactions, cause), sarama.ErrConcurrentTransactions},
	} {
		if err := begun(tc.answer, 3); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if begun(answer(fine), 2) == nil {
		t.Error("an answer that leaves a partition out is taken as whole")
	}
}

func TestAnAttemptThatWasCutShortDoesNotHideTheReason(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		over              bool
		before, err, want error
	}{
		"cut short":             {true, io.EOF, context.Canceled, io.EOF},
		"cut short at once":     {true, nil, context.Canceled, context.Canceled},
		"answered all the same": {true, io.EOF, sarama.ErrInvalidTxnState, sarama.ErrInvalidTxnState},
		"done all the same":     {true, io.EOF, nil, nil},
		"in time":               {false, io.EOF, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
	} {
		ctx := t.Context()
		if tc.over {
			ctx = over
		}
		if got := reason(ctx, tc.before, tc.err); !errors.Is(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestATransactionHasTheTimeOfItsWorkAndSomeMore(t *testing.T) {
	t.Parallel()
	for delivery, want := range map[time.Duration]time.Duration{
		15 * time.Second: 45 * time.Second, time.Hour: 15 * time.Minute,
	} {
		s := &txSender{conn: &conn{options: options{deliveryTimeout: delivery}}}
		if got := s.timeout(); got != want {
			t.Errorf("worked at for %v it has %v, want %v", delivery, got, want)
		}
	}
}

func TestAnUnknownBatchIsNoUnknownTransaction(t *testing.T) {
	t.Parallel()
	s := &txSender{id: "id"}
	if err := s.none(sarama.ErrNotEnoughReplicasAfterAppend); oms.CodeOf(err) != oms.ErrUnavailable || errors.Is(err, oms.ErrUnknown) {
		t.Errorf("%v, want %v: it is not committed", err, oms.ErrUnavailable)
	}
	if err := s.none(sarama.ErrTopicAuthorizationFailed); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("%v, want %v", err, oms.ErrDenied)
	}
}
