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
	c.MaxBody, c.DurableAfter = o.maxMessage, o.durableAfter
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
	without("a queue has no offsets; queue.type=stream has", oms.Seek, oms.OffsetForTime, oms.GroupPositions, oms.Partitioned)
	without("a queue gets what is sent after it was bound; queue.type=stream has it all", oms.Backlog)
	without("a queue drops what is acknowledged; queue.type=stream keeps it", oms.Replay)
	without("the key says which partition", oms.ExplicitPartition)
	without("AMQP's transactions are of one queue", oms.Transactions)
	without("RabbitMQ has none", oms.HalfMessages)
	without("quorum queues have none that every version keeps", oms.Priority)
	switch {
	case o.ordering == orderingNone:
		without("ordering=none lets the members of a group compete", oms.OrderPerKey)
	case o.declare != declareFull:
		without("the driver cannot see whether queues that it did not declare have a single active consumer", oms.OrderPerKey)
	}
	if o.declare == declareFull {
		emulated(oms.Delay, "queues with a time to live hold it back, 1 in 256 too long at most, and 49 days at most")
	} else {
		without("it needs queues that the driver makes with declare=full only", oms.Delay)
	}
	switch {
	case o.declare == declareNone:
		without("declare=none leaves that to others", oms.CreateTopic, oms.DeleteTopic)
		without("with declare=none members have nothing by which consumers could be told apart", oms.ForeignMembers)
	case o.isStream():
		without("a stream is read by all groups, and whoever else reads it takes nothing from them", oms.ForeignMembers)
	default:
		emulated(oms.ForeignMembers, "AMQP counts the consumers of a queue: those that it has more than the group has members are others'")
	}
	if o.isStream() {
		claimStreams(c)
	}
	return c
}
