package oms

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Capability is something that not every broker can do. A driver claims
// those that it has; the conformance suite holds it to every claim.
type Capability string

// Operations: a call that is not claimed returns ErrUnsupported.
const (
	Nack           Capability = "nack"            // give messages back before their time
	Seek           Capability = "seek"            // move a receiver to another offset
	OffsetForTime  Capability = "offset-for-time" // find the offsets of partitions: first, next, at a point in time
	PauseReceive   Capability = "pause"           // stop the flow of single partitions
	CreateTopic    Capability = "create-topic"    // make a topic
	DeleteTopic    Capability = "delete-topic"    // delete a topic
	ManageGroups   Capability = "manage-groups"   // make, delete and inspect groups
	ForeignMembers Capability = "foreign-members" // tell others' programs in a group apart; needs ManageGroups
	ReportLag      Capability = "lag"             // tell what a group has not consumed
	Transactions   Capability = "transactions"    // send several messages all or none
	HalfMessages   Capability = "half-messages"   // send now, deliver when told
	BrokerIdentity Capability = "broker-identity" // tell one cluster from another
	GroupPositions Capability = "group-positions" // the broker keeps the position of a group
)

// Message features: a message that needs one that is not claimed is refused
// before anything is sent. Emulated ones count as claimed.
const (
	MessageKey        Capability = "key"
	BinaryHeaders     Capability = "binary-headers"
	RepeatedHeaders   Capability = "repeated-headers"
	NilHeaders        Capability = "nil-headers" // a header without a value differs from an empty one
	Tombstones        Capability = "tombstones"  // a nil body differs from an empty one
	Delay             Capability = "delay"
	Expiry            Capability = "expiry"
	Priority          Capability = "priority"
	ExplicitPartition Capability = "explicit-partition"
)

// Guarantees: checked when a connector is created.
const (
	OrderPerKey   Capability = "order-per-key"  // messages of one key arrive in the order sent
	Persistent    Capability = "persistent"     // confirmed messages outlive the broker process
	Groups        Capability = "groups"         // several groups each get every message
	Backlog       Capability = "backlog"        // a new group gets what is retained, not only what comes
	Replay        Capability = "replay"         // consumed messages can be read again
	Partitioned   Capability = "partitioned"    // messages have a partition and an offset
	DeliveryCount Capability = "delivery-count" // a redelivered message says so
)

// A Support says how a driver supports a capability.
type Support struct {
	Claimed  bool
	Emulated bool   // claimed, and done by the driver or the front instead of the broker
	Note     string // for an unclaimed one the reason, for an emulated one how
}

// Capabilities is what a driver can do at an access point.
type Capabilities struct {
	Claims map[Capability]Support
	// MaxBody is the largest body that is taken, in bytes; 0 for no limit.
	MaxBody int
	// DurableAfter is how long after its confirmation a message may still be
	// lost to a power cut or a failover.
	DurableAfter time.Duration
	// Local says that the broker belongs to this process: no other gateway
	// reaches what it holds.
	Local bool
}

// Claim returns capabilities that claim all the given ones.
func Claim(cs ...Capability) Capabilities {
	c := Capabilities{Claims: make(map[Capability]Support, len(cs))}
	for _, name := range cs {
		c.Claims[name] = Support{Claimed: true}
	}
	return c
}

// Has reports whether the capability is claimed.
func (c Capabilities) Has(name Capability) bool { return c.Claims[name].Claimed }

// All returns the capabilities that the driver has said something about,
// sorted.
func (c Capabilities) All() []Capability { return slices.Sorted(maps.Keys(c.Claims)) }

// A Need is a capability that a connector cannot do without, and the key of
// its configuration that asks for it; "" when the connector always needs it.
type Need struct {
	Capability Capability
	Key        string
}

// Check returns nil when every need is claimed, else an ErrUnsupported that
// names all that are missing and what asked for them.
func (c Capabilities) Check(driver string, needs []Need) error {
	var missing []error
	for _, n := range needs {
		if c.Has(n.Capability) {
			continue
		}
		text := fmt.Sprintf("capability %s", n.Capability)
		if n.Key != "" {
			text += fmt.Sprintf(" (asked for by %s)", n.Key)
		}
		if note := c.Claims[n.Capability].Note; note != "" {
			text += ": " + note
		}
		missing = append(missing, fmt.Errorf("%s", text))
	}
	if len(missing) == 0 {
		return nil
	}
	return &Error{Op: "check capabilities", Driver: driver, Code: ErrUnsupported, Err: joined(missing)}
}

// joined is errors.Join on one line.
type joined []error

func (es joined) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

func (es joined) Unwrap() []error { return es }
