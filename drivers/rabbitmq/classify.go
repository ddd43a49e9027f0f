package rabbitmq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// fail gives an error its place among oms's codes, and says what it was about.
// Whatever has a code already keeps it.
func fail(op, target string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*oms.Error](err); ok && e.Driver != "" {
		return err
	}
	return &oms.Error{Op: op, Driver: driverName, Target: target, Code: codeOf(err), Err: err}
}

func codeOf(err error) oms.Code {
	if code := oms.CodeOf(err); code != "" {
		return code
	}
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return replyCode(e)
	}
	var noTLS tls.RecordHeaderError
	var unknownCA x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var badCert *tls.CertificateVerificationError
	switch {
	// The caller gave up.
	case errors.Is(err, context.Canceled):
		return oms.ErrAborted
	case errors.Is(err, context.DeadlineExceeded):
		return oms.ErrTimeout
	// Certificates and files that mended ones replace without a restart.
	case errors.As(err, &unknownCA), errors.As(err, &wrongHost), errors.As(err, &badCert),
		errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return oms.ErrDenied
	case errors.As(err, &noTLS): // the port is one without TLS
		return oms.ErrInvalid
	// The client refuses to encode what AMQP cannot carry.
	case strings.Contains(err.Error(), "exceeds 255 bytes"), strings.Contains(err.Error(), "not supported"):
		return oms.ErrFormat
	// Refused, reset, end of file, a timeout of the socket: the broker may
	// come back.
	default:
		return oms.ErrUnavailable
	}
}

// replyCode is the meaning of AMQP's reply codes.
func replyCode(e *amqp.Error) oms.Code {
	switch e.Code {
	case amqp.ContentTooLarge:
		return oms.ErrTooLarge
	case amqp.NoRoute:
		return oms.ErrNoSubscription
	case amqp.AccessRefused:
		return oms.ErrDenied
	case amqp.NotFound:
		// A queue whose node is away says so with the code of a missing one.
		if strings.Contains(e.Reason, "down or inaccessible") {
			return oms.ErrUnavailable
		}
		return oms.ErrNotFound
	case amqp.ResourceLocked:
		return oms.ErrHeld
	case amqp.PreconditionFailed:
		switch {
		// max_message_size of the broker.
		case strings.Contains(e.Reason, "message size"), strings.Contains(e.Reason, "larger than"):
			return oms.ErrTooLarge
		// consumer_timeout: the deliveries come again.
		case strings.Contains(e.Reason, "delivery acknowledgement"):
			return oms.ErrUnavailable
		// Something is there with other arguments, or a tag is unknown.
		default:
			return oms.ErrInvalid
		}
	case amqp.NotAllowed:
		// A virtual host that is missing or forbidden, or a limit on
		// connections, which passes.
		if strings.Contains(e.Reason, "limit") {
			return oms.ErrBusy
		}
		return oms.ErrDenied
	case amqp.ResourceError:
		return oms.ErrFull
	case amqp.FrameError:
		// The broker refuses our certificate; the client library gives that
		// its own code for what cannot be read.
		if strings.HasPrefix(e.Reason, "remote error: tls: ") {
			return oms.ErrDenied
		}
		return oms.ErrUnavailable
	case amqp.NotImplemented:
		return oms.ErrUnsupported
	// 320 and 541 when the broker stops or fails, 504 of a broken connection,
	// and whatever else there may be.
	default:
		return oms.ErrUnavailable
	}
}

// isCode reports whether the broker answered with that reply code.
func isCode(err error, code int) bool {
	e, ok := errors.AsType[*amqp.Error](err)
	return ok && e.Code == code
}

// doubtful reports whether err may have been made up by the client library: it
// calls every connection that ends within the handshake one with wrong
// credentials, or without its virtual host.
func doubtful(err error) bool {
	return errors.Is(err, amqp.ErrCredentials) || errors.Is(err, amqp.ErrVhost)
}
