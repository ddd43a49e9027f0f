package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// An outgoing is a message as it goes to the broker.
type outgoing struct {
	properties []byte // as they are on the wire
	body       []byte
	due        time.Time // zero: at once
}

// publish sends messages to one queue, all or none of them. It returns when
// the broker has answered, or when the answer is overdue: then they may have
// been stored.
func (c *conn) publish(ctx context.Context, r *route, q queue, out []outgoing) error {
	address, err := r.address(q)
	if err != nil {
		c.routes.renew(r.topic)
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, c.options.timeout)
	defer cancel()
	m, recycle := packed(r.native, q, out)
	result, err := c.library.send(bounded, m)
	recycle()
	switch {
	case err != nil:
		c.routes.renew(r.topic)
		return sendError(q, address, err)
	case result.Status != primitive.SendOK:
		return c.stored(ctx, q, storedStatus(result.Status))
	}
	return nil
}

// sendError tells what became of messages: refused by an answer, never sent, or
// perhaps stored.
func sendError(q queue, address string, err error) error {
	if answer := answerOf("broker "+q.broker, err); answer != nil {
		return answer
	}
	dial, dialed := errors.AsType[*net.OpError](err)
	switch {
	case dialed && dial.Op == "dial":
		return advertised(address, &oms.Error{Code: oms.ErrUnavailable, Err: err})
	case strings.Contains(err.Error(), "route info not found"):
		return &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("the client library finds no way to broker %s: %w", q.broker, err)}
	}
	return &oms.Error{Code: oms.ErrUnknown, Err: fmt.Errorf("broker %s: %w", q.broker, err)}
}

// answerText is how the library words an answer that is no success.
var answerText = regexp.MustCompile(`(?s)^(?:CODE|unknown Response Code): (-?\d+), (?:DESC|remark): (.*)$`)

// answerOf reads the answer off the library's error; nil where it is another
// error.
func answerOf(from string, err error) error {
	m := answerText.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	code, _ := strconv.Atoi(m[1]) // these are digits
	return &answerError{from: from, code: code, remark: m[2]}
}

// storedStatus names what a broker says of a message that it has stored and
// not flushed or replicated in time.
func storedStatus(status primitive.SendStatus) string {
	switch status {
	case primitive.SendFlushDiskTimeout:
		return "flush disk timeout"
	case primitive.SendFlushSlaveTimeout:
		return "flush slave timeout"
	case primitive.SendSlaveNotAvailable:
		return "slave not available"
	default:
		return "status " + strconv.Itoa(int(status))
	}
}

// unreplicatedEvery is how many such messages there are between warnings.
const unreplicatedEvery = 10_000

// stored says what a status means: a warning or, with durability=strict, a
// failure. That takes its time: the message is sent again and stored again.
func (c *conn) stored(ctx context.Context, q queue, status string) error {
	n := c.unreplicated.Add(1)
	if !c.options.strict {
		// While a replica is away every message says so.
		if n == 1 || n%unreplicatedEvery == 0 {
			c.log.Warn("stored, and not flushed or replicated in time", "broker", q.broker, "status", status, "so far", n)
		}
		return nil
	}
	wait := time.NewTimer(c.strictWait)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return c.code("send", q.broker, oms.ErrUnknown, "stored, and not flushed or replicated in time ("+status+"); durability=strict asks for both")
}
