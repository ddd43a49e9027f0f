package rocketmq

import (
	"context"

	"github.com/omconnect/omconnect/oms"
)

// Name is the name under which the driver is registered.
const Name = "rocketmq"

func init() { oms.Register(Name, Driver{}) }

// A Driver reaches RocketMQ clusters.
type Driver struct{}

var _ oms.Driver = Driver{}

// Open checks the access point and does not dial.
func (Driver) Open(_ context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	o, err := readOptions(ap)
	if err != nil {
		return nil, &oms.Error{Op: "open", Driver: Name, Target: ap.String(), Code: oms.ErrInvalid, Err: err}
	}
	return newConn(o), nil
}

// Capabilities tells what the driver can do at the access point.
func (Driver) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	// Options that are wrong are Open's to refuse; what could be read counts.
	o, _ := readOptions(ap)
	c := oms.Claim(
		oms.Nack, oms.Seek, oms.OffsetForTime, oms.PauseReceive, oms.CreateTopic, oms.DeleteTopic, oms.ManageGroups, oms.ForeignMembers,
		oms.ReportLag, oms.BrokerIdentity, oms.GroupPositions, oms.HalfMessages,
		oms.MessageKey, oms.BinaryHeaders, oms.RepeatedHeaders, oms.NilHeaders, oms.Tombstones, oms.ExplicitPartition,
		oms.OrderPerKey, oms.Persistent, oms.Groups, oms.Backlog, oms.Replay, oms.Partitioned,
	)
	c.Claims[oms.Expiry] = oms.Support{
		Claimed: true, Emulated: true, Note: "carried with the message; expired ones are left out when they are received",
	}
	unclaimed := func(name oms.Capability, why string) { c.Claims[name] = oms.Support{Note: why} }
	unclaimed(oms.DeliveryCount, "the broker keeps no count of messages that are pulled")
	unclaimed(oms.Priority, "a queue has one order, that of storing")
	unclaimed(oms.Transactions, "RocketMQ has none; a half message is decided on by itself")
	if o.timer {
		c.Claims[oms.Delay] = oms.Support{Claimed: true}
	} else {
		unclaimed(oms.Delay, "brokers before 5.0 ignore the time of delivery; with a newer one write delay=timer")
	}
	c.MaxBody, c.DurableAfter = o.maxMessage, o.syncInterval
	return c
}
