package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// A Connector is one instance of a source or a sink, running one task. Its
// methods are called by one goroutine at a time. Each is bounded in time: an
// instance that does not return in time is abandoned, and what it returns
// later is dropped. A panic counts as a failure.
type Connector interface {
	// OnStart is called first, with the keys of the plugin's definition,
	// checked and completed with their defaults.
	OnStart(ctx context.Context, config oms.KeyValue) error
	// OnPause is called when the connector is paused. What is costly to get
	// again may be kept.
	OnPause(ctx context.Context) error
	// OnStop is called when the task ends: stopped, before a restart, and
	// always after OnFailed. Everything is released here.
	OnStop(ctx context.Context) error
	// OnFailed is called with the first cause when the task fails.
	OnFailed(ctx context.Context, err error)
	// OnDestroyed is called when the connector is deleted, once its tasks have
	// been stopped, on an instance made for that and never started: temporary
	// objects outside go here. It may be called again when the process died
	// meanwhile.
	OnDestroyed(ctx context.Context) error
}

// A Source brings records in.
type Source interface {
	Connector
	// Poll returns within about a second. No messages and nil means nothing
	// now; io.EOF itself, not wrapped, ends the source in good order; messages
	// returned together with an error count. A message without a topic goes to
	// the connector's. Each carries its Origin. The list is the runtime's from
	// then on, and so are the messages.
	Poll(ctx context.Context) ([]*oms.Message, error)
}

// A Sink takes messages out.
type Sink interface {
	Connector
	// Put loads messages. The list is the sink's, to sort or to keep; the
	// messages are not to be changed. Nil means that all are safe or, for a Flusher, safe
	// once Flush has returned. A *PartialError says how far it came; with any
	// other error none is known to be safe, and all are put again.
	Put(ctx context.Context, msgs []*oms.Message) error
}

// The interfaces below are optional, and found by type assertion.

// A Positioned source is told where to go on.
type Positioned interface {
	// Seek is called between OnStart and the first Poll with the committed
	// positions of the whole connector, one for each partition; none when it
	// starts for the first time.
	Seek(ctx context.Context, positions []oms.Origin) error
}

// A Committed source is told what it may let go of upstream.
type Committed interface {
	// Committed is called with positions that are durable, between two Polls
	// on the same goroutine, and a last time before OnStop or OnPause.
	Committed(ctx context.Context, positions []oms.Origin) error
}

// A Backlogged source knows better than by an empty Poll whether there is more
// to read now.
type Backlogged interface {
	// HasBacklog is called after a Poll that returned nothing, once all that
	// was read is committed. While it returns true, the source does not count
	// as idle.
	HasBacklog(ctx context.Context) (bool, error)
}

// A Splitter divides the connector's work into tasks.
type Splitter interface {
	// Split returns the configuration of each task, at most limit and at least
	// one. Each is checked against the plugin's definition and completed with
	// its defaults. Split is called on an instance of its own that is never
	// started; it may do I/O.
	Split(ctx context.Context, config oms.KeyValue, limit int) ([]oms.KeyValue, error)
}

// A Resumer goes on after a pause without a new instance.
type Resumer interface {
	OnResume(ctx context.Context) error
}

// A Flusher is a sink whose Put accepts and whose Flush makes safe. It is
// called before acknowledging: every second, and before every stop.
type Flusher interface {
	Flush(ctx context.Context) error
}

// A TombstoneHandler is a sink that knows what to do with a nil body. Another
// sink never sees one: its connector fails.
type TombstoneHandler interface {
	HandlesTombstones() bool
}

// Hooks has hooks that do nothing, to be embedded by connectors that need only
// some of them.
type Hooks struct{}

// OnStart does nothing.
func (Hooks) OnStart(context.Context, oms.KeyValue) error { return nil }

// OnPause does nothing.
func (Hooks) OnPause(context.Context) error { return nil }

// OnStop does nothing.
func (Hooks) OnStop(context.Context) error { return nil }

// OnFailed does nothing.
func (Hooks) OnFailed(context.Context, error) {}

// OnDestroyed does nothing.
func (Hooks) OnDestroyed(context.Context) error { return nil }

// A PartialError is returned by Put when only some of the messages are safe:
// those before Index are, Index and those in Also failed, and the rest is put
// again.
type PartialError struct {
	Index int
	Err   error
	Also  map[int]error // indices above Index; may be nil
}

// Error tells the first failure.
func (e *PartialError) Error() string {
	if len(e.Also) == 0 {
		return fmt.Sprintf("message %d of the batch: %v", e.Index, e.Err)
	}
	return fmt.Sprintf("message %d of the batch, and %d more: %v", e.Index, len(e.Also), e.Err)
}

// Unwrap returns the causes, the first one first.
func (e *PartialError) Unwrap() []error {
	errs := []error{e.Err}
	for _, i := range slices.Sorted(maps.Keys(e.Also)) {
		errs = append(errs, e.Also[i])
	}
	return errs
}

// valid reports what is wrong with the error itself, for a batch of n.
func (e *PartialError) valid(n int) error {
	if e.Index < 0 || e.Index >= n || e.Err == nil {
		return fmt.Errorf("the connector returned a PartialError with index %d and cause %v for a batch of %d", e.Index, e.Err, n)
	}
	for i, err := range e.Also {
		if i <= e.Index || i >= n || err == nil {
			return fmt.Errorf("the connector returned a PartialError that also names index %d, cause %v, behind %d of %d", i, err, e.Index, n)
		}
	}
	return nil
}

// Env is what a connector gets from the runtime. It is valid until OnStop or
// OnDestroyed has returned.
type Env struct {
	Connector string
	Task      int // from 0
	Tasks     int
	Config    oms.KeyValue // what OnStart will get
	Logger    *slog.Logger // names connector and task already
	// Broker returns a client of a broker that gateway.yaml names, or of an
	// access point; DefaultBroker is the connector's own. It is shared; a
	// connector never closes it. The groups of all connectors that read from
	// another broker than its own exist when it returns, where a message that
	// is sent before would be lost to them.
	Broker func(ctx context.Context, name string) (*oms.Client, error)
	// Fail ends the task with an error found outside of Poll and Put. It may
	// be called from any goroutine; the first error counts.
	Fail func(error)
	// Reconfigure asks for the tasks to be split anew. It may be called from
	// any goroutine.
	Reconfigure func()

	ensureReaders func(ctx context.Context, broker, topic string) error
}

// EnsureReaders makes the groups of connectors that read a topic because its
// name matches their pattern, where a message that is sent before would be lost
// to them. A connector that sends by itself, with a client of Broker, calls it
// once the topic is there and before it sends there first; for what a source
// returns from Poll the runtime does it.
func (e Env) EnsureReaders(ctx context.Context, broker, topic string) error {
	if e.ensureReaders == nil {
		return nil // no runtime, and so nobody who reads
	}
	return e.ensureReaders(ctx, broker, topic)
}

// errBadConnector is returned for a connector that is neither source nor sink.
var errBadConnector = errors.New("the plugin's New returned something that is neither a Source nor a Sink of its kind")
