package kafka

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

func TestErrorsHaveTheirCodes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want oms.Code
	}{
		{sarama.ErrSASLAuthenticationFailed, oms.ErrDenied},
		{sarama.ErrTopicAuthorizationFailed, oms.ErrDenied},
		{sarama.ErrGroupAuthorizationFailed, oms.ErrDenied},
		{x509.UnknownAuthorityError{}, oms.ErrDenied},
		{sarama.ErrUnknownTopicOrPartition, oms.ErrNotFound},
		{sarama.ErrTopicAlreadyExists, oms.ErrExists},
		{&sarama.TopicError{Err: sarama.ErrTopicAlreadyExists}, oms.ErrExists},
		{sarama.ErrMessageSizeTooLarge, oms.ErrTooLarge},
		{sarama.ErrInvalidTopic, oms.ErrInvalid},
		{sarama.ErrInconsistentGroupProtocol, oms.ErrInvalid},
		{sarama.ErrInvalidTimestamp, oms.ErrInvalid},
		{sarama.ErrNonEmptyGroup, oms.ErrBusy},
		{sarama.ErrKafkaStorageError, oms.ErrFull},
		{sarama.ErrNotEnoughReplicas, oms.ErrUnavailable},
		{sarama.ErrNotEnoughReplicasAfterAppend, oms.ErrUnknown},
		{sarama.ErrRequestTimedOut, oms.ErrTimeout},
		{sarama.ErrFencedInstancedId, oms.ErrFenced},
		{sarama.KError(90), oms.ErrFenced},
		{sarama.ErrUnknownMemberId, oms.ErrStaleDelivery},
		{sarama.ErrNotLeaderForPartition, oms.ErrUnavailable},
		{sarama.KError(4711), oms.ErrUnavailable}, // of a version to come
		{sarama.ErrOutOfBrokers, oms.ErrUnavailable},
		{io.EOF, oms.ErrUnavailable},
		{context.Canceled, oms.ErrAborted},
		{context.DeadlineExceeded, oms.ErrTimeout},
		{oms.ErrHeld, oms.ErrHeld},
	} {
		for _, err := range []error{row.err, fmt.Errorf("wrapped: %w", row.err), errors.Join(row.err)} {
			if got := oms.CodeOf(classify("do", "it", err)); got != row.want {
				t.Errorf("%v has the code %q, want %q", err, got, row.want)
			}
		}
	}
}

func TestAnErrorIsClassifiedOnce(t *testing.T) {
	t.Parallel()
	if classify("do", "it", nil) != nil {
		t.Error("no error has become one")
	}
	first := classify("send", "topic", io.EOF)
	if again := classify("flush", "group", first); !errors.Is(again, first) || again.Error() != first.Error() {
		t.Errorf("%v has become %v", first, again)
	}
}

func TestWhatBecomesOfABatch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err  error
		want outcome
	}{
		{io.EOF, outcomeUnknown},
		{context.DeadlineExceeded, outcomeUnknown},
		{notSentError{io.EOF}, outcomeLater},
		{notSentError{sarama.ErrOutOfBrokers}, outcomeLater},
		{notSentError{context.Canceled}, outcomeRefused},
		{notSentError{sarama.ErrSASLAuthenticationFailed}, outcomeRefused},
		{notSentError{sarama.ErrUnknownTopicOrPartition}, outcomeMissing},
		{sarama.ErrRequestTimedOut, outcomeUnknown},
		{sarama.ErrNotEnoughReplicasAfterAppend, outcomeUnknown},
		{sarama.ErrNotEnoughReplicas, outcomeLater},
		{sarama.ErrNotLeaderForPartition, outcomeLater},
		{sarama.ErrOutOfOrderSequenceNumber, outcomeReset},
		{sarama.ErrMessageSizeTooLarge, outcomeRefused},
		{sarama.ErrTopicAuthorizationFailed, outcomeRefused},
		{sarama.ErrKafkaStorageError, outcomeRefused},
	} {
		if got := outcomeOf(row.err); got != row.want {
			t.Errorf("the outcome after %v is %d, want %d", row.err, got, row.want)
		}
	}
}

func TestNamesThatKafkaCannotHaveAreRefused(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"orders": true, "orders.eu": true, "A_b-c.1": true, "_one": true,
		"": false, ".": false, "..": false, "a b": false, "a/b": false, "ä": false, "__consumer_offsets": false, "__mine": false, "a:b": false,
	} {
		if err := checkTopic(name); (err == nil) != ok {
			t.Errorf("topic %q: %v, want it to be taken: %v", name, err, ok)
		}
	}
	if err := checkGroup("op", "", []string{"t"}); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("a group without a name: %v", err)
	}
}
