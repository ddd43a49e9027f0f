package embedded

import (
	"context"

	"github.com/omconnect/omconnect/oms"
)

// The names under which the drivers are registered.
const (
	Name     = "embedded" // a broker in this process
	NATSName = "nats"     // a NATS server or cluster somewhere else
)

func init() {
	oms.Register(Name, Driver{})
	oms.Register(NATSName, Driver{External: true})
}

// A Driver opens brokers in this process, or reaches NATS servers with the
// same code. The zero Driver is the embedded one.
type Driver struct {
	External bool // the access point names hosts
}

var _ oms.Driver = Driver{}

func (d Driver) name() string {
	if d.External {
		return NATSName
	}
	return Name
}

// Open checks the access point. An embedded broker's folder is made and locked
// and its server started in the background; nothing waits for it.
func (d Driver) Open(_ context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	read := embeddedOptions
	if d.External {
		read = natsOptions
	}
	o, err := read(ap)
	if err != nil {
		return nil, &oms.Error{Op: "open", Driver: d.name(), Target: ap.String(), Code: oms.ErrInvalid, Err: err}
	}
	if d.External {
		return newConn(d.name(), o, &cluster{ap: ap, options: o}), nil
	}
	f, err := openFolder(o.dir)
	if err != nil {
		return nil, err
	}
	c := newConn(d.name(), o, newBroker(o, f))
	c.link.warm() //nolint:contextcheck // the server starts behind the call that opened it
	return c, nil
}

// Capabilities tells what the driver can do at the access point.
func (d Driver) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	c := oms.Claim(
		oms.Nack, oms.Seek, oms.OffsetForTime, oms.PauseReceive, oms.CreateTopic, oms.DeleteTopic, oms.ManageGroups,
		oms.ReportLag, oms.BrokerIdentity, oms.GroupPositions,
		oms.MessageKey, oms.BinaryHeaders, oms.RepeatedHeaders, oms.NilHeaders, oms.Tombstones, oms.ExplicitPartition,
		oms.OrderPerKey, oms.Persistent, oms.Groups, oms.Backlog, oms.Replay, oms.Partitioned, oms.DeliveryCount,
	)
	c.Claims[oms.Expiry] = oms.Support{
		Claimed: true, Emulated: true, Note: "carried with the message; expired ones are left out when they are received",
	}
	unclaimed := func(name oms.Capability, why string) { c.Claims[name] = oms.Support{Note: why} }
	unclaimed(oms.Priority, "a log has one order, that of storing")
	unclaimed(oms.Delay, "holding a message back would hold back its partition, or break the order per key")
	unclaimed(oms.Transactions, "JetStream's batches span one stream, and a partition is a stream")
	unclaimed(oms.HalfMessages, "JetStream has none")
	unclaimed(oms.ForeignMembers, "JetStream does not tell who takes messages of a consumer")

	read, inProcess := natsOptions, false
	if !d.External {
		read, inProcess = embeddedOptions, true
	}
	// Options that are wrong are Open's to refuse; what could be read counts.
	o, _ := read(ap)
	c.MaxBody, c.DurableAfter, c.Local = o.maxMessage, o.durableAfter(inProcess), inProcess
	return c
}
