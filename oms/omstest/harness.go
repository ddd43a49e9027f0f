package omstest

import (
	"context"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A Harness gives the suite a broker and the ways to trouble it. Fields that
// are left zero make the rules that need them say so and hold.
type Harness struct {
	// Driver and AccessPoint reach the broker. They are required.
	Driver      oms.Driver
	AccessPoint oms.AccessPoint

	// Denied is an access point whose credentials the broker refuses. Mend
	// makes them good.
	Denied *oms.AccessPoint
	Mend   func(ctx context.Context) error
	// Dead is an access point where nobody listens.
	Dead *oms.AccessPoint
	// Valid and Invalid are access points of the driver as text. Each invalid
	// one is to be refused by Open with an error that names the text beside
	// it.
	Valid   []string
	Invalid map[string]string

	// ReservedTopics are names that the broker keeps for itself.
	// ReservedHeaders are header names that mean something to the broker or
	// its client library.
	ReservedTopics  []string
	ReservedHeaders []string

	// Foreign sends a message as a program of the broker's own would, one that
	// knows nothing of package oms, to a topic of one partition. It returns
	// when the broker has it.
	Foreign func(ctx context.Context, topic string, body []byte, headers map[string]string) error
	// Stranger has a program of the broker's own join a group that receives
	// from a topic. It returns when the broker knows of the member, with a text
	// that a user finds the program by. Leave ends the membership.
	Stranger func(ctx context.Context, group, topic string) (hint string, leave func(context.Context) error, err error)
	// Trim removes the messages of a partition before an offset, as retention
	// does.
	Trim func(ctx context.Context, p oms.Partition, before int64) error
	// Fill makes the broker refuse messages for want of space until the
	// function that it returns is called.
	Fill func(ctx context.Context) (drain func(), err error)

	// Broker troubles the broker.
	Broker Broker
	// Child starts another process that opens the harness's driver, for rules
	// about kill -9: it receives from the topic as a member of the group,
	// acknowledges and flushes the first acks messages, writes their bodies to
	// what Acked returns, and then holds what else it has until it is killed.
	Child func(ctx context.Context, topic, group string, acks int) (Child, error)

	// Full asks for the counts that a release is held to.
	Full bool
	// Patience is how long the suite waits for what must happen; 30 s.
	Patience time.Duration
	// Quiet is how long the suite listens for what must not happen; 300 ms.
	Quiet time.Duration
}

// A Child is another process with a receiver.
type Child interface {
	// Acked waits until the child has acknowledged and flushed what it was
	// asked to, and returns the bodies.
	Acked(ctx context.Context) ([]string, error)
	// Kill ends it as kill -9 does, and returns when it is gone.
	Kill() error
}

// A Broker is the ways to trouble a broker; nil for what cannot be done.
// Everything is mended when the function returns, or by its counterpart.
type Broker struct {
	// Restart stops the broker and starts it again on the same address.
	Restart func(ctx context.Context) error
	// Stop and Start are the halves of Restart.
	Stop, Start func(ctx context.Context) error
	// Cut makes the network swallow everything, in both directions and
	// without closing a connection, until Heal.
	Cut, Heal func(ctx context.Context) error
	// KillConnections closes all connections to the broker.
	KillConnections func(ctx context.Context) error
}

// A Fault is a trouble that a rule makes.
type Fault string

// The faults.
const (
	Restart         Fault = "restart the broker"
	Stop            Fault = "stop the broker"
	Cut             Fault = "cut the network"
	KillConnections Fault = "kill the connections"
)

// fault returns how the harness makes a trouble, nil if it cannot.
func (h *Harness) fault(f Fault) func(context.Context) error {
	switch f {
	case Restart:
		return h.Broker.Restart
	case Stop:
		if h.Broker.Start == nil {
			return nil
		}
		return h.Broker.Stop
	case Cut:
		if h.Broker.Heal == nil {
			return nil
		}
		return h.Broker.Cut
	case KillConnections:
		return h.Broker.KillConnections
	default:
		return nil
	}
}

// count returns usual, or full when the counts of a release are asked for.
func (h *Harness) count(usual, full int) int {
	if h.Full {
		return full
	}
	return usual
}

func (h *Harness) patience() time.Duration {
	if h.Patience > 0 {
		return h.Patience
	}
	return 30 * time.Second
}

func (h *Harness) quiet() time.Duration {
	if h.Quiet > 0 {
		return h.Quiet
	}
	return 300 * time.Millisecond
}
