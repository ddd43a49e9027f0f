package omstest

import (
	"maps"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// everyCapability is what there is to claim.
var everyCapability = slices.Concat(operations, features, guarantees)

// The capabilities by kind, as package oms has them.
var (
	operations = []oms.Capability{
		oms.Nack, oms.Seek, oms.OffsetForTime, oms.PauseReceive, oms.CreateTopic, oms.DeleteTopic, oms.ManageGroups, oms.ForeignMembers,
		oms.ReportLag, oms.Transactions, oms.HalfMessages, oms.BrokerIdentity, oms.GroupPositions,
	}
	features = []oms.Capability{
		oms.MessageKey, oms.BinaryHeaders, oms.RepeatedHeaders, oms.NilHeaders, oms.Tombstones, oms.Delay, oms.Expiry,
		oms.Priority, oms.ExplicitPartition,
	}
	guarantees = []oms.Capability{
		oms.OrderPerKey, oms.Persistent, oms.Groups, oms.Backlog, oms.Replay, oms.Partitioned, oms.DeliveryCount,
	}
)

// Capabilities returns all capabilities that a driver may claim: operations,
// then features of messages, then guarantees.
func Capabilities() []oms.Capability { return slices.Clone(everyCapability) }

// A modest driver claims less than it can do.
type modest struct {
	oms.Driver
	conceals []oms.Capability
}

// Capabilities implements oms.Driver.
func (m modest) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	c := m.Driver.Capabilities(ap)
	c.Claims = maps.Clone(c.Claims)
	for _, name := range m.conceals {
		c.Claims[name] = oms.Support{Note: "concealed"}
	}
	return c
}

// concealing returns a client of the rule's own connection that claims none of
// the capabilities. Whoever opened the connection closes it.
func (b *bench) concealing(cs []oms.Capability) *oms.Client {
	var r oms.Registry
	r.Register(b.h.AccessPoint.Driver, modest{Driver: given{b.h.Driver, b.raw()}, conceals: cs})
	c, err := r.Open(b.ctx, b.h.AccessPoint.Reveal())
	b.ok("open", err)
	return c
}
