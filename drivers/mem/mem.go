package mem

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Options says how a broker behaves. The zero value is a broker with one
// partition per topic that confirms at once and never fails.
type Options struct {
	// Partitions is how many partitions a topic has that was made without
	// saying so; 1.
	Partitions int
	// MaxBody is the largest body that is taken; 1 MiB.
	MaxBody int
	// Identity is what the broker calls itself; a random UUID.
	Identity string
	// ConfirmAfter is the time from storing a message to confirming it.
	ConfirmAfter time.Duration
	// DurableAfter is how long after its confirmation a message may still be
	// lost to PowerCut.
	DurableAfter time.Duration
	// RevokeTimeout is how long OnAssigned and OnRevoked may take before the
	// broker waits no longer; one minute.
	RevokeTimeout time.Duration
	// CheckAfter is how long a half message goes without a verdict before a
	// sender of its group is asked, each time; one second.
	CheckAfter time.Duration
	// Unclaimed are capabilities that the broker does not claim, though it has
	// them.
	Unclaimed []oms.Capability

	// OnSend is called for each message before it is stored, in order, and
	// may block; it is not called for messages that are aborted. With an error
	// (ErrUnavailable, where it has no code) the message fails and is not
	// stored, except for ErrUnknown: then it is stored and fails. One message
	// of a transaction decides for all of it.
	OnSend func(*oms.Message) error
	// OnAck is called for each message that is acknowledged, and may block. With
	// an error the message stays unacknowledged, and Ack returns the error.
	OnAck func(*oms.Message) error
}

func (o Options) withDefaults() Options {
	if o.Partitions <= 0 {
		o.Partitions = 1
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.Identity == "" {
		o.Identity = newUUID()
	}
	if o.RevokeTimeout <= 0 {
		o.RevokeTimeout = time.Minute
	}
	if o.CheckAfter <= 0 {
		o.CheckAfter = time.Second
	}
	return o
}

// A Driver is a broker in memory, and the way to it.
type Driver struct {
	broker *broker
}

var _ oms.Driver = (*Driver)(nil)

// New returns a new, empty broker. At most one Options is looked at.
func New(opts ...Options) *Driver {
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	return &Driver{broker: newBroker(o.withDefaults())}
}

// Open implements oms.Driver.
func (d *Driver) Open(_ context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	if err := d.CheckAccessPoint(ap); err != nil {
		return nil, failure("open", ap.String(), oms.ErrInvalid, err)
	}
	return &conn{broker: d.broker, open: make(map[closer]bool)}, nil
}

// Capabilities implements oms.Driver.
func (d *Driver) Capabilities(oms.AccessPoint) oms.Capabilities {
	c := oms.Claim(
		oms.Nack, oms.Seek, oms.OffsetForTime, oms.PauseReceive,
		oms.CreateTopic, oms.DeleteTopic, oms.ManageGroups, oms.ForeignMembers, oms.ReportLag,
		oms.BrokerIdentity, oms.GroupPositions, oms.Transactions, oms.HalfMessages,
		oms.MessageKey, oms.BinaryHeaders, oms.RepeatedHeaders, oms.NilHeaders,
		oms.Tombstones, oms.Delay, oms.ExplicitPartition,
		oms.OrderPerKey, oms.Groups, oms.Backlog, oms.Replay, oms.Partitioned,
		oms.DeliveryCount,
	)
	c.Claims[oms.Expiry] = oms.Support{Claimed: true, Emulated: true, Note: "expired messages are dropped on receipt"}
	c.Claims[oms.Priority] = oms.Support{Note: "a log has one order, that of storing"}
	c.Claims[oms.Persistent] = oms.Support{Note: "the broker ends with its process"}
	for _, name := range d.broker.opts.Unclaimed {
		c.Claims[name] = oms.Support{Note: "the test does without it"}
	}
	c.MaxBody = d.broker.opts.MaxBody
	c.DurableAfter = d.broker.opts.DurableAfter
	c.Local = true
	return c
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// failure is the shape of every error of this driver.
func failure(op, target string, code oms.Code, err error) error {
	return &oms.Error{Op: op, Driver: "mem", Target: target, Code: code, Err: err}
}

func invalid(op, target, format string, args ...any) error {
	return failure(op, target, oms.ErrInvalid, fmt.Errorf(format, args...))
}

func tooLarge(m *oms.Message, limit int) error {
	return failure("send", m.Topic, oms.ErrTooLarge, fmt.Errorf("a body has at most %d bytes", limit))
}

// coded wraps an error that a test has asked for, and keeps its code.
func coded(op, target string, err error) error {
	code := oms.CodeOf(err)
	if code == "" {
		code = oms.ErrUnavailable
	}
	return failure(op, target, code, err)
}

// interrupted wraps the error of a context.
func interrupted(op, target string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return failure(op, target, oms.ErrTimeout, err)
	}
	return failure(op, target, oms.ErrAborted, err)
}
