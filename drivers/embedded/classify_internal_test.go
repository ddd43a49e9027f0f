package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

func TestEveryFailureHasItsCode(t *testing.T) {
	api := func(code int, number jetstream.ErrorCode, text string) error {
		return &jetstream.APIError{Code: code, ErrorCode: number, Description: text}
	}
	for _, test := range []struct {
		err  error
		want oms.Code
	}{
		{context.Canceled, oms.ErrAborted},
		{context.DeadlineExceeded, oms.ErrTimeout},
		{nats.ErrTimeout, oms.ErrTimeout},
		{nats.ErrAuthorization, oms.ErrDenied},
		{nats.ErrAuthExpired, oms.ErrDenied},
		{nats.ErrPermissionViolation, oms.ErrDenied},
		{errors.New("nats: 'Authorization Violation'"), oms.ErrDenied},
		{os.ErrPermission, oms.ErrDenied},
		{nats.ErrNoServers, oms.ErrUnavailable},
		{nats.ErrConnectionClosed, oms.ErrUnavailable},
		{nats.ErrNoResponders, oms.ErrUnavailable},
		{io.EOF, oms.ErrUnavailable},
		{nats.ErrMaxPayload, oms.ErrTooLarge},
		{syscall.ENOSPC, oms.ErrFull},
		{api(404, 10059, "stream not found"), oms.ErrNotFound},
		{api(404, 10014, "consumer not found"), oms.ErrNotFound},
		{api(404, 10037, "no message found"), oms.ErrNotFound},
		{api(400, 10058, "stream name already in use"), oms.ErrExists},
		{api(400, 10148, "consumer already exists"), oms.ErrExists},
		{api(503, 10023, "insufficient resources"), oms.ErrFull},
		{api(503, 10077, "maximum bytes exceeded"), oms.ErrFull},
		{api(400, 10002, "resource limits exceeded for account"), oms.ErrFull},
		{api(500, 10047, "insufficient storage resources available"), oms.ErrFull},
		{api(500, 1, "write: no space left on device"), oms.ErrFull},
		{api(400, 10054, "message size exceeds maximum allowed"), oms.ErrTooLarge},
		{api(400, 10065, "subjects overlap"), oms.ErrInvalid},
		{api(400, 10025, "bad request"), oms.ErrInvalid},
		{api(403, 10035, "no"), oms.ErrDenied},
		{api(500, 10049, "error creating store"), oms.ErrUnavailable},
		{oms.ErrFull, oms.ErrFull},
		{&oms.Error{Code: oms.ErrHeld}, oms.ErrHeld},
	} {
		err := classify("op", "driver", "target", fmt.Errorf("wrapped: %w", test.err))
		if got := oms.CodeOf(err); got != test.want {
			t.Errorf("%v is %q, want %q", test.err, got, test.want)
		}
		if !errors.Is(err, test.err) {
			t.Errorf("%v is lost in %v", test.err, err)
		}
		if again := classify("other", "driver", "", err); again != err { //nolint:errorlint // it must be the very same
			t.Errorf("classified twice: %v", again)
		}
	}
	if classify("op", "driver", "", nil) != nil {
		t.Error("no failure is a failure")
	}
}

func TestAnswersToMessagesAreRead(t *testing.T) {
	for text, want := range map[string]struct {
		seq     uint64
		refused bool
		code    oms.Code
	}{
		`{"stream":"t-0","seq":123}`:                 {seq: 123},
		`{"stream":"t-0","seq":7,"duplicate": true}`: {seq: 7},
		`{"stream":"t-0", "domain":"hub", "seq":9}`:  {seq: 9},
		`{"error":{"code":400,"err_code":10070,"description":"wrong last msg ID: x"},"stream":"t-0","seq":0}`: {refused: true, code: oms.ErrInvalid},
		`{"error":{"code":503,"err_code":10023,"description":"insufficient resources"},"stream":"t","seq":0}`: {code: oms.ErrFull},
		`{"stream":`: {code: oms.ErrUnavailable},
		``:           {code: oms.ErrUnavailable},
	} {
		seq, refused, err := parseAck(&nats.Msg{Data: []byte(text)})
		if got := oms.Code(""); err != nil {
			if got = codeOf(err); got != want.code {
				t.Errorf("%s: %v", text, err)
			}
		} else if want.code != "" {
			t.Errorf("%s: no error", text)
		}
		if seq != want.seq || refused != want.refused {
			t.Errorf("%s: sequence %d, refused %v", text, seq, refused)
		}
	}
	if _, _, err := parseAck(&nats.Msg{Header: nats.Header{"Status": {"503"}}}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("nobody there: %v", err)
	}
	for id, want := range map[string]uint64{"ABC.17": 17, "ABC.": 0, "ABC": 0, "": 0, "ABC.x": 0} {
		if _, n, ok := cutID(id); n != want || ok != (want != 0) {
			t.Errorf("id %q is read as %d, %v", id, n, ok)
		}
	}
}
