// Package offsets is what a gateway remembers: who runs which task (leases),
// how far each connector has come and with which broker (positions), which
// connectors there are (definitions) and how they fare (statuses). It has the
// interfaces and the store in memory; offsets/embedded keeps the same in a
// file, offsets/redis in Redis, and offsetstest holds all three to one suite.
//
// # Guarantees
//
// A position is written by the holder of its task's lease only: every commit
// is checked against the owner's token in the same transaction, all or
// nothing. Writes are absolute, so that repeating one does no harm. Every
// record carries the version of its format, and one that is newer than this
// program knows is refused, not guessed.
package offsets

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// ErrStateLost is the code of a store that no longer has what it should: it
// was emptied, or another one answers in its place. Nothing is made up for it.
const ErrStateLost oms.Code = "state lost"

// A Partition is a part of a source: a canonical JSON object, as oms.Origin
// has it.
type Partition string

// A Position is a place in a partition: a canonical JSON object, as oms.Origin
// has it.
type Position string

// An Owner names what a lease is for: one task of a connector.
type Owner struct {
	Connector string
	Task      int
}

// String returns connector/task.
func (o Owner) String() string { return fmt.Sprintf("%s/%d", o.Connector, o.Task) }

// A Lease is the right to run a task until it ends.
type Lease struct {
	Owner  Owner
	Holder string // the gateway that holds it
	// Token is epoch:uuid. It is compared for equality only: after a failover
	// of the store the same epoch may be handed out twice.
	Token string
	TTL   time.Duration // from before the call that granted it, by the caller's monotonic clock
}

// Leases hand out tasks to gateways. A held lease is refused, never stolen.
type Leases interface {
	// Acquire grants the lease for ttl with a new token. While another holder
	// has it, it returns ErrHeld naming that holder. The same holder gets it
	// again at once, with a new token: a gateway that crashed takes its own
	// leases back.
	Acquire(ctx context.Context, o Owner, holder string, ttl time.Duration) (Lease, error)
	// Renew extends the lease, an expired one too as long as nobody else has
	// acquired it. It returns ErrFenced when the token is no longer the
	// owner's, and ErrStateLost when the store has forgotten the connector.
	Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error)
	// Release ends the lease: from then on it is free, and its token is no
	// longer the owner's. A lease that is no longer held is not an error.
	Release(ctx context.Context, l Lease) error
}

// Positions are where connectors resume, and the broker that this is true of:
// what was moved to one broker was not moved to another.
type Positions interface {
	// Load returns the positions of all partitions of a connector, whichever
	// task committed them. One that cannot be read is ErrFormat naming the
	// connector and the partition; it is never left out.
	Load(ctx context.Context, connector string) (map[Partition]Position, error)
	// Connectors returns the names of all connectors that positions are kept
	// of, defined or not, in order.
	Connectors(ctx context.Context) ([]string, error)
	// Commit stores all the positions or none. It returns ErrFormat when one
	// is not a JSON object, ErrFenced when the lease is no longer its task's,
	// and ErrStateLost when the store has forgotten the connector. Time plays
	// no part: an expired lease commits until another one is granted. When
	// Commit returns nil the positions are durable in the sense that the store
	// was opened with; after a temporary error they may be stored all the same.
	Commit(ctx context.Context, l Lease, ps map[Partition]Position) error
	// Alter deletes and sets positions from outside, of a connector that the
	// store may not know yet, and revokes every lease of the connector: an
	// owner that still runs is fenced.
	Alter(ctx context.Context, connector string, set map[Partition]Position, del []Partition) error
	// Broker returns the identity of the broker that the connector's positions
	// belong to, "" if none is noted. A record of it that cannot be read is
	// ErrFormat naming the connector.
	Broker(ctx context.Context, connector string) (string, error)
	// Adopt notes to as that broker, "" for none, if the noted one is still
	// from, "" likewise; otherwise it returns ErrAborted and changes nothing.
	// With forget all positions of the connector go in the same step, those
	// that cannot be read too, and every lease of it is revoked, as by Alter;
	// without it positions and leases stay as they are. The store may not know
	// the connector yet, and does not by its broker alone: it is none of
	// Connectors, and a commit for it is ErrStateLost. An identity that is not
	// UTF-8 is ErrInvalid. What is noted is as durable as what Commit stores,
	// and after a temporary error it may be noted all the same.
	Adopt(ctx context.Context, connector, from, to string, forget bool) error
}

// A Target is what a connector is told to do.
type Target string

// The targets.
const (
	TargetRunning Target = "RUNNING"
	TargetPaused  Target = "PAUSED"
	TargetStopped Target = "STOPPED"
	TargetRemoved Target = "REMOVED" // yielded by Watch only, never stored
)

// A Definition is a connector as its user wants it.
type Definition struct {
	Name     string            `json:"name"`
	Config   map[string]string `json:"config"`
	Target   Target            `json:"target"`
	Restarts int64             `json:"restarts,omitempty"` // counts requests to restart it
	Deleted  bool              `json:"deleted,omitempty"`  // a tombstone, until OnDestroyed has run
	Origin   string            `json:"origin"`             // OriginAPI, or the file it stands in as file:line
	Revision int64             `json:"revision"`           // given by the store, higher for every later Put
}

// OriginAPI is the origin of definitions that came over REST.
const OriginAPI = "api"

// Definitions are the connectors that there are.
type Definitions interface {
	// List returns all definitions, tombstones included, in order of names.
	// One that cannot be read is ErrFormat naming it; it is never left out.
	List(ctx context.Context) ([]Definition, error)
	// Put stores a definition if its Revision is still the stored one, 0 for
	// one that must not exist yet, and returns the new revision. Otherwise it
	// is ErrExists for a new one, and ErrAborted for one that was changed or
	// removed meanwhile.
	Put(ctx context.Context, d Definition) (revision int64, err error)
	// Remove forgets a definition for good, with its positions, their broker
	// and its leases, if its revision is still the given one, else it returns
	// ErrAborted; keep leaves the positions and their broker. A definition that
	// is not there is not an error.
	Remove(ctx context.Context, name string, revision int64, keepPositions bool) error
	// Watch yields every definition whose revision is above after, once as it
	// is now and then whenever it changes, until ctx is done; of changes in
	// quick succession only the last may be seen. A removed definition is
	// yielded once more with the target TargetRemoved, unless it was removed
	// before the call. An error, such as a store that is away, is yielded and
	// does not end the sequence, except ErrClosed. A store that was emptied is
	// ErrStateLost: its definitions are not taken for removed.
	Watch(ctx context.Context, after int64) iter.Seq2[Definition, error]
}

// A Status is what a gateway says of a connector or one of its tasks.
type Status struct {
	Connector string    `json:"connector"`
	Task      int       `json:"task"` // ConnectorTask for the connector as a whole
	Worker    string    `json:"worker"`
	State     string    `json:"state"`
	Since     time.Time `json:"since"`
	By        string    `json:"by,omitempty"` // what caused the state, as in "paused over REST"
	Cause     string    `json:"cause,omitempty"`
	Trace     string    `json:"trace,omitempty"`
	Attempts  int       `json:"attempts,omitempty"`
	NextRetry time.Time `json:"next_retry,omitzero"`
	Records   int64     `json:"records"` // moved since the gateway started
	Restarts  int64     `json:"restarts,omitempty"`
	Revision  int64     `json:"revision"` // of the definition that it is about
}

// ConnectorTask is the Task of a status of a whole connector.
const ConnectorTask = -1

// Statuses are what REST shows, whichever gateway runs the task.
type Statuses interface {
	// Publish stores a status until ttl has passed or the next one replaces it.
	Publish(ctx context.Context, s Status, ttl time.Duration) error
	// Withdraw removes the statuses of a connector's tasks numbered from task.
	Withdraw(ctx context.Context, connector string, task int) error
	// Statuses returns what is published and has not expired, ordered by
	// connector and task. A store may leave out connectors that are not
	// defined.
	Statuses(ctx context.Context) ([]Status, error)
}

// A Store is everything together. Its methods may be called concurrently.
type Store interface {
	Leases
	Positions
	Definitions
	Statuses
	// ID identifies the store, so that an emptied or foreign one is told from
	// the one that a gateway knew. A new store gives itself one.
	ID(ctx context.Context) (string, error)
	// Check makes one round trip.
	Check(ctx context.Context) error
	// Close releases what the store holds. Calls afterwards are ErrClosed,
	// except Close itself, which does nothing.
	Close() error
}
