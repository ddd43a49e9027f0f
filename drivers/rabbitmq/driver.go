package rabbitmq

import (
	"context"

	"github.com/omconnect/omconnect/oms"
)

const driverName = "rabbitmq"

// A Driver reaches RabbitMQ over AMQP 0-9-1. The zero value is ready to use.
type Driver struct{}

var _ oms.Driver = Driver{}

func init() { oms.Register(driverName, Driver{}) }

// Open implements oms.Driver.
func (Driver) Open(_ context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	o, err := readOptions(ap)
	if err != nil {
		return nil, fail("open", ap.String(), err)
	}
	return newConn(o), nil
}

// Capabilities implements oms.Driver.
func (Driver) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	o, _ := readOptions(ap) // Open tells what is wrong with them
	c := oms.Claim(
		oms.CreateTopic, oms.DeleteTopic, oms.ManageGroups, oms.BrokerIdentity, oms.PauseReceive,
		oms.MessageKey, oms.BinaryHeaders, oms.Expiry,
		oms.OrderPerKey, oms.Persistent, oms.Groups, oms.DeliveryCount,
	)
	c.MaxBody = o.maxMessage
	emulated := func(name oms.Capability, how string) {
		c.Claims[name] = oms.Support{Claimed: true, Emulated: true, Note: how}
	}
	emulated(oms.Nack, "offered again by the receiver itself; the broker gets it back when the receiver closes")
	emulated(oms.ReportLag, "what the queues hold, and what receivers of this connection have in hand")
	emulated(oms.RepeatedHeaders, "a header of the driver's lists them all, in order")
	emulated(oms.NilHeaders, "a header of the driver's tells them from empty ones")
	emulated(oms.Tombstones, "a header of the driver's tells them from empty bodies")
	without := func(why string, names ...oms.Capability) {
		for _, name := range names {
			c.Claims[name] = oms.Support{Note: why}
		}
	}
	without("a queue has no offsets", oms.Seek, oms.OffsetForTime, oms.GroupPositions, oms.Partitioned, oms.ExplicitPartition)
	without("a queue gets what is sent after it was bound", oms.Backlog)
	without("a queue drops what is acknowledged", oms.Replay)
	without("AMQP's transactions are of one queue", oms.Transactions)
	without("RabbitMQ has none", oms.HalfMessages, oms.TopicPattern)
	without("needs queues of its own, which the driver does not make yet", oms.Delay)
	without("quorum queues have none that every version keeps", oms.Priority)
	switch {
	case o.ordering == orderingNone:
		without("ordering=none lets the members of a group compete", oms.OrderPerKey)
	case o.declare != declareFull:
		without("the driver cannot see whether queues that it did not declare have a single active consumer", oms.OrderPerKey)
	}
	if o.declare == declareNone {
		without("declare=none leaves that to others", oms.CreateTopic, oms.DeleteTopic)
	}
	return c
}
