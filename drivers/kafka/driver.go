package kafka

import (
	"context"
	"net"

	"github.com/omconnect/omconnect/oms"
)

// Name is the name under which the driver is registered.
const Name = "kafka"

func init() { oms.Register(Name, Driver{}) }

// A Driver reaches Kafka clusters. The zero Driver is ready for use.
type Driver struct {
	// Dial opens the connections to brokers, also to those that the cluster
	// names itself; nil means TCP. It is called concurrently.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

var _ oms.Driver = Driver{}

// Open checks the access point and reads the files that it names. It does not
// dial.
func (d Driver) Open(_ context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	o, err := readOptions(ap)
	if err == nil {
		var c *conn
		if c, err = newConn(d, o); err == nil {
			return c, nil
		}
	}
	return nil, &oms.Error{Op: "open", Driver: Name, Target: ap.String(), Code: oms.ErrInvalid, Err: err}
}

// Capabilities tells what the driver can do at the access point.
func (d Driver) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	c := oms.Claim(
		oms.Seek, oms.OffsetForTime, oms.PauseReceive, oms.CreateTopic, oms.DeleteTopic, oms.ManageGroups, oms.ForeignMembers,
		oms.ReportLag, oms.BrokerIdentity, oms.GroupPositions, oms.Transactions,
		oms.MessageKey, oms.BinaryHeaders, oms.RepeatedHeaders, oms.NilHeaders, oms.Tombstones, oms.ExplicitPartition,
		oms.OrderPerKey, oms.Persistent, oms.Groups, oms.Backlog, oms.Replay, oms.Partitioned,
	)
	c.Claims[oms.Expiry] = oms.Support{
		Claimed: true, Emulated: true, Note: "carried with the message; expired ones are left out when they are received",
	}
	unclaimed := func(name oms.Capability, why string) { c.Claims[name] = oms.Support{Note: why} }
	unclaimed(oms.Nack, "a group has one position in a partition; what is not acknowledged comes again from there")
	unclaimed(oms.DeliveryCount, "Kafka does not count deliveries")
	unclaimed(oms.Priority, "a log has one order, that of storing")
	unclaimed(oms.Delay, "Kafka cannot hold a message back without its partition")
	unclaimed(oms.HalfMessages, "Kafka has none")
	// Options that are wrong are Open's to refuse; what could be read counts.
	o, _ := readOptions(ap)
	if !o.version.IsAtLeast(oldestTx) {
		unclaimed(oms.Transactions, txTooOld)
	}
	c.MaxBody, c.DurableAfter = o.maxMessage, o.durableAfter
	return c
}
