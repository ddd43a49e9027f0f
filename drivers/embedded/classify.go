package embedded

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// The server's numbers for errors that the client has no names for.
const (
	apiWrongLastMsgID     jetstream.ErrorCode = 10070
	apiInsufficient       jetstream.ErrorCode = 10023
	apiNoResources        jetstream.ErrorCode = 10077 // the stream's own limit was reached
	apiAccountResources   jetstream.ErrorCode = 10002
	apiStorageExceeded    jetstream.ErrorCode = 10047
	apiMessageTooLarge    jetstream.ErrorCode = 10054
	apiHeaderTooLarge     jetstream.ErrorCode = 10097
	apiStoreCreation      jetstream.ErrorCode = 10049
	apiSubjectOverlap     jetstream.ErrorCode = 10065
	apiStreamNameInUse    jetstream.ErrorCode = 10058
	apiConsumerNameExists jetstream.ErrorCode = 10013
	apiConsumerExists     jetstream.ErrorCode = 10148
	apiStreamNotFound     jetstream.ErrorCode = 10059
	apiConsumerNotFound   jetstream.ErrorCode = 10014
)

// classify gives an error its place among oms's codes. Whatever has a code
// already keeps it.
func classify(op, driver, target string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*oms.Error](err); ok && e.Driver != "" {
		return err
	}
	return &oms.Error{Op: op, Driver: driver, Target: target, Code: codeOf(err), Err: err}
}

func codeOf(err error) oms.Code {
	if code := oms.CodeOf(err); code != "" {
		return code
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return apiCode(api)
	}
	switch {
	// The caller gave up.
	case errors.Is(err, context.Canceled):
		return oms.ErrAborted
	// Credentials: mended ones work without a restart, so the link goes on.
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired), errors.Is(err, nats.ErrPermissionViolation),
		errors.Is(err, nats.ErrNkeysNotSupported), errors.Is(err, os.ErrPermission),
		strings.Contains(strings.ToLower(err.Error()), "authorization violation"):
		return oms.ErrDenied
	case errors.Is(err, syscall.ENOSPC):
		return oms.ErrFull
	case errors.Is(err, nats.ErrMaxPayload):
		return oms.ErrTooLarge
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return oms.ErrTimeout
	// A server without JetStream, or with JetStream that is not ready: in a
	// cluster that passes, so it is not ErrUnsupported.
	default:
		return oms.ErrUnavailable
	}
}

func apiCode(err *jetstream.APIError) oms.Code {
	switch err.ErrorCode {
	case apiStreamNotFound, apiConsumerNotFound:
		return oms.ErrNotFound
	case apiStreamNameInUse, apiConsumerNameExists, apiConsumerExists:
		return oms.ErrExists
	// A limit of the server, the account or the stream. Age makes room.
	case apiInsufficient, apiNoResources, apiAccountResources, apiStorageExceeded:
		return oms.ErrFull
	case apiMessageTooLarge, apiHeaderTooLarge:
		return oms.ErrTooLarge
	// A stream that is not ours has the subject: nothing that waiting mends.
	case apiSubjectOverlap:
		return oms.ErrInvalid
	default:
	}
	switch {
	case strings.Contains(err.Description, "maximum bytes exceeded"), strings.Contains(err.Description, "no space left"):
		return oms.ErrFull
	case err.Code == 404:
		return oms.ErrNotFound
	case err.Code == 400:
		return oms.ErrInvalid
	case err.Code == 401 || err.Code == 403:
		return oms.ErrDenied
	}
	return oms.ErrUnavailable
}
