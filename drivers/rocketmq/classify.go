package rocketmq

import (
	"context"
	"errors"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// classify gives an error its place among oms's codes. Whatever has a code
// already keeps it.
func classify(op, target string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*oms.Error](err); ok && e.Driver != "" {
		return err
	}
	return &oms.Error{Op: op, Driver: Name, Target: target, Code: codeOf(err), Err: err}
}

func codeOf(err error) oms.Code {
	if code := oms.CodeOf(err); code != "" {
		return code
	}
	if answer, ok := errors.AsType[*answerError](err); ok {
		return answerCode(answer.code, answer.remark)
	}
	switch {
	// The caller gave up.
	case errors.Is(err, context.Canceled):
		return oms.ErrAborted
	case errors.Is(err, context.DeadlineExceeded):
		return oms.ErrTimeout
	// What is not known is temporary: a broker may get well.
	default:
		return oms.ErrUnavailable
	}
}

// answerCode is what an answer's number means. Brokers say many things with
// the numbers of other things, so some are told by their remarks.
func answerCode(code int, remark string) oms.Code {
	lower := strings.ToLower(remark)
	switch {
	// Wrong keys come with 1 or 16, as the broker's version has it.
	case strings.Contains(lower, "aclexception"), strings.Contains(lower, "signature"), strings.Contains(lower, "no acl"),
		strings.Contains(lower, "authentication"), strings.Contains(lower, "no permission") && code != resNoPermission:
		return oms.ErrDenied
	// A full disk: the store says that it is not writable, and why.
	case strings.Contains(lower, "disk full"), strings.Contains(lower, "disk is full"), strings.Contains(lower, "maybe disk full"):
		return oms.ErrFull
	// A batch with a message that is too large is an exception of the broker's.
	case strings.Contains(lower, "size exceeded"), strings.Contains(lower, "properties length too long"):
		return oms.ErrTooLarge
	case strings.Contains(lower, "[timeout_clean_queue]"), strings.Contains(lower, "[reject_request]"), strings.Contains(lower, "[pcbusy"), strings.Contains(lower, "[overload]"):
		return oms.ErrBusy
	}
	switch code {
	case resBusy, resFlowControl:
		return oms.ErrBusy
	case resNotSupported, resVersion:
		return oms.ErrUnsupported
	case resBadFilter:
		return oms.ErrInvalid
	case resTopicExists:
		return oms.ErrExists
	case resIllegalMessage:
		if strings.Contains(lower, "exceed") || strings.Contains(lower, "length") || strings.Contains(lower, "size") {
			return oms.ErrTooLarge
		}
		return oms.ErrInvalid
	case resNotAvailable:
		return oms.ErrUnavailable
	case resNoPermission:
		return oms.ErrDenied
	case resTopicNotFound, resQueryNotFound, resNoGroup:
		return oms.ErrNotFound
	}
	return oms.ErrUnavailable
}
