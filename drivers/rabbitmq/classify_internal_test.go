package rabbitmq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

func TestErrorsHaveTheirCodes(t *testing.T) {
	t.Parallel()
	reply := func(code int, reason string) error { return &amqp.Error{Code: code, Reason: reason, Server: true} }
	for _, c := range []struct {
		err  error
		want oms.Code
	}{
		{reply(311, "CONTENT_TOO_LARGE"), oms.ErrTooLarge},
		{reply(312, "NO_ROUTE"), oms.ErrNoSubscription},
		{reply(320, "CONNECTION_FORCED - broker forced connection closure"), oms.ErrUnavailable},
		{reply(402, "INVALID_PATH"), oms.ErrUnavailable},
		{reply(403, "ACCESS_REFUSED - access to exchange 't' refused"), oms.ErrDenied},
		{reply(404, "NOT_FOUND - no exchange 't' in vhost '/'"), oms.ErrNotFound},
		{reply(404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible"), oms.ErrUnavailable},
		{reply(405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue"), oms.ErrHeld},
		{reply(406, "PRECONDITION_FAILED - inequivalent arg 'x-queue-type'"), oms.ErrInvalid},
		{reply(406, "PRECONDITION_FAILED - unknown delivery tag 7"), oms.ErrInvalid},
		{reply(406, "PRECONDITION_FAILED - message size 9 is larger than configured max size 8"), oms.ErrTooLarge},
		{reply(406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"), oms.ErrUnavailable},
		{reply(501, "FRAME_ERROR"), oms.ErrUnavailable},
		{&amqp.Error{Code: 501, Reason: "remote error: tls: unknown certificate authority"}, oms.ErrDenied},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, oms.ErrInvalid},
		{reply(504, "CHANNEL_ERROR"), oms.ErrUnavailable},
		{reply(506, "RESOURCE_ERROR"), oms.ErrFull},
		{reply(530, "NOT_ALLOWED - vhost v not found"), oms.ErrDenied},
		{reply(530, "NOT_ALLOWED - access to vhost refused: connection limit (1) is reached"), oms.ErrBusy},
		{reply(540, "NOT_IMPLEMENTED"), oms.ErrUnsupported},
		{reply(541, "INTERNAL_ERROR"), oms.ErrUnavailable},
		{amqp.ErrClosed, oms.ErrUnavailable},
		{amqp.ErrCredentials, oms.ErrDenied},
		{amqp.ErrVhost, oms.ErrDenied},
		{amqp.ErrSASL, oms.ErrDenied},
		{context.Canceled, oms.ErrAborted},
		{context.DeadlineExceeded, oms.ErrTimeout},
		{io.EOF, oms.ErrUnavailable},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, oms.ErrUnavailable},
		{x509.UnknownAuthorityError{}, oms.ErrDenied},
		{fs.ErrNotExist, oms.ErrDenied},
		{errors.New("amqp: shortstr exceeds 255 bytes"), oms.ErrFormat},
		{&oms.Error{Code: oms.ErrExists}, oms.ErrExists},
	} {
		err := fail("do", "t", fmt.Errorf("wrapped: %w", c.err))
		if !errors.Is(err, c.want) {
			t.Errorf("%v has the code %q, want %q", c.err, oms.CodeOf(err), c.want)
		}
		e, ok := errors.AsType[*oms.Error](err)
		if !ok || e.Driver != driverName || e.Op != "do" || e.Target != "t" {
			t.Errorf("%v does not say what was done to what", err)
		}
	}
	if err := fail("do", "t", nil); err != nil {
		t.Errorf("no error has become %v", err)
	}
	once := fail("do", "t", io.EOF)
	if twice := fail("do more", "u", once); !errors.Is(twice, once) || twice.Error() != once.Error() {
		t.Errorf("an error that was told twice is %v, want %v", twice, once)
	}
}

// The client library calls it wrong credentials when the connection ends
// within the handshake, as it does when a broker stops.
func TestWrongCredentialsAreDoubtfulUnlessTheBrokerSaysSo(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		amqp.ErrCredentials: true,
		amqp.ErrVhost:       true,
		&amqp.Error{Code: 403, Reason: "ACCESS_REFUSED - Login was refused", Server: true}: false,
		io.EOF: false,
	} {
		if got := doubtful(fmt.Errorf("connect: %w", err)); got != want {
			t.Errorf("doubtful(%v) is %v, want %v", err, got, want)
		}
	}
}
