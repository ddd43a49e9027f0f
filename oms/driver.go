package oms

import (
	"context"
	"fmt"
	"time"
)

// A Driver reaches one kind of broker. Its methods may be called concurrently.
type Driver interface {
	// Open checks the access point and its options, and does not dial: an
	// unknown option or a missing host is ErrInvalid with every problem named.
	Open(ctx context.Context, ap AccessPoint) (Conn, error)
	// Capabilities answers from the access point alone, so that a connector
	// can be refused while its broker is away.
	Capabilities(ap AccessPoint) Capabilities
}

// A Conn is a broker as one gateway sees it: shared by all senders and
// receivers, multiplexed and reconnected by the driver, for ever and with
// capped back-off. Its methods may be called concurrently.
type Conn interface {
	OpenSender(ctx context.Context, cfg SenderConfig) (Sender, error)
	OpenReceiver(ctx context.Context, cfg ReceiverConfig) (Receiver, error)
	// Check makes one round trip: nil, ErrUnavailable or ErrDenied.
	Check(ctx context.Context) error
	// Close closes the connection. Senders and receivers are closed before.
	Close(ctx context.Context) error
}

// SenderConfig says how much may be on its way to the broker at once. Zero
// values mean the defaults.
type SenderConfig struct {
	MaxInFlight      int // records; 10,000
	MaxInFlightBytes int // 32 MiB
}

// The defaults of SenderConfig.
const (
	DefaultMaxInFlight      = 10_000
	DefaultMaxInFlightBytes = 32 << 20
)

// WithDefaults returns cfg with its zero values replaced.
func (cfg SenderConfig) WithDefaults() SenderConfig {
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = DefaultMaxInFlight
	}
	if cfg.MaxInFlightBytes <= 0 {
		cfg.MaxInFlightBytes = DefaultMaxInFlightBytes
	}
	return cfg
}

// A Sender puts messages into a broker. Its methods may be called
// concurrently; order is that of the calls.
type Sender interface {
	// SendAsync blocks while the sender's window is full; ctx bounds that and
	// nothing else. done is called exactly once, on any goroutine, possibly
	// before SendAsync returns, and in no order between batches: with nil when
	// every message is confirmed, with a *BatchError that names the indices
	// that failed, or with another error when all did. ErrUnknown means that a
	// message may have been stored.
	//
	// After a failure the sender fails, untried (ErrAborted), everything
	// behind it of the same partition or key until every done of an earlier
	// batch has returned. It does not resend; the front does. No done of an
	// earlier batch is called from within SendAsync, on its goroutine, and
	// none while a lock is held that SendAsync needs.
	SendAsync(ctx context.Context, msgs []*Message, done func(error))
	// Close waits for what is in flight as long as ctx allows and gives up the
	// rest. When it returns, every done has been called. A second Close does
	// nothing; SendAsync afterwards is done with ErrClosed.
	Close(ctx context.Context) error
}

// A Start says where a group that has no position begins.
type Start struct {
	From StartFrom
	At   time.Time // for StartAtTime
}

// StartFrom is the kind of a Start.
type StartFrom int

// The kinds of Start.
const (
	StartEarliest StartFrom = iota // the oldest message that is retained
	StartLatest                    // messages sent from now on
	StartAtTime                    // messages stored at or after a point in time
)

// ReceiverConfig says what to receive and as whom.
type ReceiverConfig struct {
	Topics []string
	Group  string
	Start  Start
	// MaxUnacked and MaxUnackedBytes bound what was taken from the broker and
	// not acknowledged, the client library's buffers included. Zero values
	// mean 1,000 messages and 32 MiB.
	MaxUnacked      int
	MaxUnackedBytes int
	// OnAssigned is told of partitions before the first message of them is
	// received, and may say at which offsets to start; those it leaves out,
	// and all when it is nil, start at the broker's own positions. This and
	// the two below are called on a goroutine of the driver's, one at a time
	// for a receiver, also while received messages are being handled; their
	// context ends when the broker waits no longer, or the receiver closes.
	OnAssigned func(context.Context, []Partition) (map[Partition]int64, error)
	// OnRevoked is told of partitions that are going to another member. It may
	// still finish and acknowledge what it has of them; when it has returned,
	// their acknowledgements are flushed, and later ones are ErrStaleDelivery.
	OnRevoked func(context.Context, []Partition)
	// OnGap is told of messages that retention removed before they were read.
	OnGap func(Gap)
}

// The defaults of ReceiverConfig.
const (
	DefaultMaxUnacked      = 1_000
	DefaultMaxUnackedBytes = 32 << 20
)

// WithDefaults returns cfg with its zero values replaced.
func (cfg ReceiverConfig) WithDefaults() ReceiverConfig {
	if cfg.MaxUnacked <= 0 {
		cfg.MaxUnacked = DefaultMaxUnacked
	}
	if cfg.MaxUnackedBytes <= 0 {
		cfg.MaxUnackedBytes = DefaultMaxUnackedBytes
	}
	return cfg
}

// A Gap is a range of offsets that a group should have read and the broker no
// longer has: From is the first missing one, To the next that is there.
type Gap struct {
	Partition Partition
	From, To  int64
}

// String describes the gap, without its topic.
func (g Gap) String() string {
	if g.From > g.To {
		return fmt.Sprintf("partition %d ends at offset %d, and the group's position is %d: the broker has lost what was there", g.Partition.Number, g.To, g.From)
	}
	return fmt.Sprintf("messages of partition %d from offset %d to before %d were removed before they were read", g.Partition.Number, g.From, g.To)
}

// A Receiver takes messages out of a broker, as a member of a group. Receive
// is called by one goroutine at a time; Ack and Flush may be called by others
// meanwhile. Messages of one partition come in order.
type Receiver interface {
	// Receive waits for at least one message and returns at most limit of
	// them. When ctx is done first it returns no messages and ctx's error.
	Receive(ctx context.Context, limit int) ([]*Message, error)
	// Ack notes that these messages are done with, in any order; nil means
	// noted. Messages of an earlier generation give ErrStaleDelivery, and the
	// others of the call are noted all the same. Twice is not an error.
	Ack(ctx context.Context, msgs []*Message) error
	// Flush returns when every Ack so far is durable at the broker.
	Flush(ctx context.Context) error
	// Close flushes and leaves the group: what was not acknowledged goes to
	// the next member. It ends a Receive that waits, with ErrClosed.
	Close(ctx context.Context) error
}

// The interfaces below, and those in tx.go, are optional and found by type
// assertion: the first three on a Receiver, the others on a Conn. Where there
// is none, or the capability is not claimed, the front returns ErrUnsupported.

// A Nacker gives messages back, to be delivered again to whoever is next.
type Nacker interface {
	Nack(ctx context.Context, msgs []*Message) error
}

// A Seeker moves the receiver within its assigned partitions.
type Seeker interface {
	Seek(ctx context.Context, to map[Partition]int64) error
}

// A Pauser stops and restarts the flow of single partitions.
type Pauser interface {
	Pause(ctx context.Context, ps []Partition) error
	Resume(ctx context.Context, ps []Partition) error
}

// A TopicSpec describes a topic to be made. Zero numbers mean the broker's
// defaults.
type TopicSpec struct {
	Name              string
	Partitions        int
	ReplicationFactor int
}

// A TopicInfo describes a topic that exists.
type TopicInfo struct {
	Name       string
	Partitions int
}

// A TopicAdmin makes, deletes and lists topics.
type TopicAdmin interface {
	// CreateTopic returns ErrExists when the topic is there, and never changes
	// it; ErrInvalid when the broker forbids or reserves the name.
	CreateTopic(ctx context.Context, spec TopicSpec) error
	DeleteTopic(ctx context.Context, name string) error
	Topics(ctx context.Context) ([]TopicInfo, error)
}

// A GroupAdmin makes, deletes and inspects groups.
type GroupAdmin interface {
	// EnsureGroup makes the group and whatever must be there so that every
	// message sent to the topics from now on reaches it. Doing it again
	// changes nothing. A topic that is missing is made where the group needs
	// it.
	EnsureGroup(ctx context.Context, group string, topics []string, start Start) error
	// DeleteGroup removes the group's positions, and with queues its content.
	DeleteGroup(ctx context.Context, group string, topics []string) error
	// Members returns the group's live members. Those that receive from none
	// of the topics are left out where the broker tells. A group that is not
	// there may be ErrNotFound.
	Members(ctx context.Context, group string, topics []string) ([]Member, error)
}

// A Member is somebody who receives as a group.
type Member struct {
	// Name tells it from the other members. That of a foreign one says what
	// the broker knows of the program, so that a user finds it.
	Name string
	// Foreign is that the member is not a receiver of the same driver, in
	// whatever process: a program of others, which takes a share of the
	// messages. A driver that claims ForeignMembers sets it where it is sure:
	// a receiver of its own must never pass for a foreign member, not while it
	// comes and goes either. One that does not claim it never sets it.
	Foreign bool
}

// A LagReporter tells how many messages each partition holds that the group
// has not acknowledged, those being handled included. A topic that does not
// exist has none.
type LagReporter interface {
	Lag(ctx context.Context, group string, topics []string) (map[Partition]int64, error)
}

// An OffsetFinder tells where the partitions of topics begin, end, and were at
// a point in time. It needs the OffsetForTime capability.
type OffsetFinder interface {
	// Offsets returns for each partition of the topics the offset of the first
	// message that a group would get that starts there: the oldest that is
	// retained, the next to be stored, or the first stored at or after a point
	// in time, which is the next to be stored when there is none. A missing
	// topic is ErrNotFound.
	Offsets(ctx context.Context, topics []string, start Start) (map[Partition]int64, error)
}

// A GroupPositioner tells how far a group has come. It needs the
// GroupPositions capability.
type GroupPositioner interface {
	// Positions returns for each partition of the topics the offset of the
	// first message that the group has not acknowledged durably. Partitions
	// without a position are left out; a group that does not exist has none.
	Positions(ctx context.Context, group string, topics []string) (map[Partition]int64, error)
}

// An Identifier tells one cluster from another: Kafka's cluster id, the UUID
// in the folder of an embedded broker.
type Identifier interface {
	Identity(ctx context.Context) (string, error)
}
