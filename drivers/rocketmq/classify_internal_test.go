package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestErrorsHaveTheirCodes(t *testing.T) {
	t.Parallel()
	answer := func(code int, remark string) error { return fmt.Errorf("ask: %w", &answerError{"b:1", code, remark}) }
	for _, c := range []struct {
		err  error
		want oms.Code
	}{
		{answer(resError, "org.apache.rocketmq.acl.common.AclException: No accessKey is configured"), oms.ErrDenied},
		{answer(resNoPermission, "Check signature failed"), oms.ErrDenied},
		{answer(resNoPermission, "the topic[t] sending message is forbidden"), oms.ErrDenied},
		{answer(resTopicNotFound, "No topic route info in name server for the topic: t"), oms.ErrNotFound},
		{answer(resQueryNotFound, "Not found"), oms.ErrNotFound},
		{answer(resNoGroup, "subscription group [g] does not exist"), oms.ErrNotFound},
		{answer(resNotAvailable, "service not available now. It may be caused by one of the following reasons: the broker's disk is full [CL:  0.99], messages are put to the slave"), oms.ErrFull},
		{answer(resNotAvailable, "the broker is shutting down"), oms.ErrUnavailable},
		{answer(resBusy, "[REJECTREQUEST]system busy, start flow control for a while"), oms.ErrBusy},
		{answer(resBusy, "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control"), oms.ErrBusy},
		{answer(resIllegalMessage, "the message is illegal, maybe msg body or properties length not matched"), oms.ErrTooLarge},
		{answer(resIllegalMessage, "the message is illegal"), oms.ErrInvalid},
		{answer(resNotSupported, "request type 352 not supported"), oms.ErrUnsupported},
		{answer(999, "what is that"), oms.ErrUnavailable},
		{context.Canceled, oms.ErrAborted},
		{context.DeadlineExceeded, oms.ErrTimeout},
		{errors.New("something"), oms.ErrUnavailable},
		{&oms.Error{Code: oms.ErrTimeout, Err: errNoAnswer}, oms.ErrTimeout},
	} {
		err := classify("try", "t", c.err)
		if oms.CodeOf(err) != c.want {
			t.Errorf("%v is %q, want %q", c.err, oms.CodeOf(err), c.want)
		}
		if again := classify("later", "u", err); again != err { //nolint:errorlint // the very same
			t.Errorf("%v is wrapped twice: %v", err, again)
		}
	}
	if classify("try", "t", nil) != nil {
		t.Error("no error is one")
	}
}
