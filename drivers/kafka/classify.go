package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

func fail(op, target string, code oms.Code, err error) error {
	return &oms.Error{Op: op, Driver: Name, Target: target, Code: code, Err: err}
}

// classify gives an error its place among oms's codes. What has one already
// keeps it.
func classify(op, target string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*oms.Error](err); ok && e.Driver != "" {
		return err
	}
	return fail(op, target, codeOf(err), err)
}

func codeOf(err error) oms.Code {
	if code := oms.CodeOf(err); code != "" {
		return code
	}
	if k, ok := errors.AsType[sarama.KError](err); ok && k != sarama.ErrNoError {
		return brokerCode(k)
	}
	switch {
	// The caller gave up.
	case errors.Is(err, context.Canceled):
		return oms.ErrAborted
	// The caller's patience was over, or the client's.
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return oms.ErrTimeout
	// A certificate that is not trusted, on either side.
	case isCertificate(err):
		return oms.ErrDenied
	// The broker closes the connection of whoever it does not know, and the
	// client only says which step failed.
	case strings.Contains(strings.ToLower(err.Error()), "sasl"), strings.Contains(strings.ToLower(err.Error()), "authentication"):
		return oms.ErrDenied
	// A message that the client measured.
	case errors.Is(err, sarama.ErrMessageTooLarge):
		return oms.ErrTooLarge
	// Nobody there, or gone: out of brokers, connection refused, end of file.
	default:
		return oms.ErrUnavailable
	}
}

func isCertificate(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	// The broker's verdict has no type: bad, unknown, expired, required.
	text := err.Error()
	return strings.Contains(text, "remote error: tls:") && (strings.Contains(text, "certificate") || strings.Contains(text, "access denied"))
}

// errUnknownTopicID has no name in the client library.
const errUnknownTopicID sarama.KError = 100

func brokerCode(k sarama.KError) oms.Code {
	switch k {
	// Who the client is, and what it may do.
	case sarama.ErrSASLAuthenticationFailed, sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed,
		sarama.ErrClusterAuthorizationFailed, sarama.ErrTransactionalIDAuthorizationFailed,
		sarama.ErrUnsupportedSASLMechanism, sarama.ErrIllegalSASLState, sarama.ErrSecurityDisabled,
		sarama.ErrDelegationTokenAuthorizationFailed, sarama.ErrPolicyViolation:
		return oms.ErrDenied
	case sarama.ErrUnknownTopicOrPartition, errUnknownTopicID, sarama.ErrGroupIDNotFound:
		return oms.ErrNotFound
	case sarama.ErrTopicAlreadyExists:
		return oms.ErrExists
	case sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge:
		return oms.ErrTooLarge
	// A name, a number, a message that the broker will never take.
	case sarama.ErrInvalidTopic, sarama.ErrInvalidPartitions, sarama.ErrInvalidReplicationFactor, sarama.ErrInvalidGroupId,
		sarama.ErrInvalidConfig, sarama.ErrInvalidRequest, sarama.ErrInvalidTimestamp, sarama.ErrInvalidSessionTimeout,
		sarama.ErrInconsistentGroupProtocol, sarama.ErrInvalidMessage, sarama.ErrInvalidRecord:
		return oms.ErrInvalid
	case sarama.ErrUnsupportedVersion, sarama.ErrUnsupportedForMessageFormat:
		return oms.ErrUnsupported
	// The broker has the answer, but not now.
	case sarama.ErrNonEmptyGroup, sarama.ErrGroupSubscribedToTopic, sarama.ErrThrottlingQuotaExceeded, sarama.ErrRebalanceInProgress, sarama.ErrUnstableOffsetCommit,
		sarama.ErrOffsetsLoadInProgress:
		return oms.ErrBusy
	// The disk is full or broken; the broker takes itself out.
	case sarama.ErrKafkaStorageError:
		return oms.ErrFull
	case sarama.ErrRequestTimedOut:
		return oms.ErrTimeout
	// Replicas are missing: the leader had it, or not yet.
	case sarama.ErrNotEnoughReplicasAfterAppend:
		return oms.ErrUnknown
	// Somebody else is the member or the producer now.
	case sarama.ErrFencedInstancedId, sarama.ErrProducerFenced, sarama.ErrInvalidProducerEpoch:
		return oms.ErrFenced
	case sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration:
		return oms.ErrStaleDelivery
	// Leaders that move, coordinators that load, and what is not known here.
	default:
		return oms.ErrUnavailable
	}
}

// outOfRangeError is a position that is not in its partition.
type outOfRangeError struct{ at, first, end int64 }

func (e outOfRangeError) Error() string {
	return fmt.Sprintf("the group's position is %d and the partition has %d to %d: set consumer.offset.out.of.range, or the position", e.at, e.first, e.end)
}
