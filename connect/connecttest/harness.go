package connecttest

import (
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A Source gives the kit a source connector and its other end.
type Source struct {
	// Plugin is what is checked.
	Plugin connect.Plugin
	// Config is a configuration that works, without the keys that the runtime
	// reads. Small batches show more than large ones. What it has in secret
	// keys and in the passwords of URLs must not come out anywhere, so those
	// should not be words that do so by chance.
	Config oms.KeyValue
	// Unstartable is a configuration that the definition takes and that
	// OnStart refuses, such as one that names what is not there; nil if there
	// is none.
	Unstartable oms.KeyValue
	// Write makes the n records numbered from first, upstream. It may be
	// called before the source starts and while it runs. It is nil for a
	// source that makes up its records.
	Write func(first, n int)
	// Number tells which record a message is of.
	Number func(m *oms.Message) (int, error)
	// Total is how many records there are when Write is nil.
	Total int
	// Finite says that the source ends with io.EOF. All records are written
	// before it starts.
	Finite bool
	// EachTask says that a source which divides its work has as many records
	// for each task as for one.
	EachTask bool
}

// A Sink gives the kit a sink connector and its target.
type Sink struct {
	// Plugin is what is checked.
	Plugin connect.Plugin
	// Config is a configuration that works, without the keys that the runtime
	// reads. What it has in secret keys and in the passwords of URLs must not
	// come out anywhere, so those should not be words that do so by chance.
	Config oms.KeyValue
	// Unstartable is a configuration that the definition takes and that
	// OnStart refuses, such as one that names what is not there; nil if there
	// is none.
	Unstartable oms.KeyValue
	// Message makes the message of a number. Those with higher numbers come
	// later.
	Message func(i int) *oms.Message
	// Stored tells the numbers of what the target has now, in its order and as
	// often as it has them. It may be called while the sink runs.
	Stored func() []int
	// Idempotent says that a message that is put again changes nothing.
	Idempotent bool
	// Refused makes a message that the sink must refuse; nil if it refuses
	// none.
	Refused func(i int) *oms.Message
	// Tombstone makes a message that deletes what Message(i) has stored; nil
	// if nothing is deleted.
	Tombstone func(i int) *oms.Message
	// Block has the target take nothing until release is called; nil if that
	// cannot be had.
	Block func() (release func())
}

func (s Source) bench(t *testing.T) *bench {
	t.Helper()
	b := newBench(s.Plugin, connect.KindSource, s.Config, s.Unstartable)
	b.source = &s
	switch {
	case s.Number == nil:
		t.Fatal("the harness has no Number")
	case s.Write == nil && s.Total <= 0:
		t.Fatal("the harness has neither Write nor Total")
	}
	return b
}

func (s Sink) bench(t *testing.T) *bench {
	t.Helper()
	b := newBench(s.Plugin, connect.KindSink, s.Config, s.Unstartable)
	b.sink = &s
	if s.Message == nil || s.Stored == nil {
		t.Fatal("the harness has no Message or no Stored")
	}
	return b
}
