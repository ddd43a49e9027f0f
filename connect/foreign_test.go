package connect_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A foreign connector is one that somebody else wrote, with mistakes in it.
// Hooks that are nil do nothing.
type foreign struct {
	connect.Hooks
	env   connect.Env
	start func(f *foreign) error
	poll  func(ctx context.Context, f *foreign) ([]*oms.Message, error)
	put   func(ctx context.Context, f *foreign, msgs []*oms.Message) error
	polls int
}

func (f *foreign) OnStart(context.Context, oms.KeyValue) error {
	if f.start == nil {
		return nil
	}
	return f.start(f)
}

type foreignSource struct{ *foreign }

func (s foreignSource) Poll(ctx context.Context) ([]*oms.Message, error) {
	s.polls++
	if s.poll != nil {
		return s.poll(ctx, s.foreign)
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return nil, nil
}

type foreignSink struct{ *foreign }

func (s foreignSink) Put(ctx context.Context, msgs []*oms.Message) error {
	return s.put(ctx, s.foreign, msgs)
}

// foreignPlugin makes a plugin of connectors like this one.
func foreignPlugin(kind connect.Kind, model foreign) connect.Plugin {
	return connect.Plugin{
		Class: "foreign-" + string(kind), Kind: kind,
		New: func(env connect.Env) (connect.Connector, error) {
			f := model
			f.env = env
			if kind == connect.KindSink {
				return foreignSink{&f}, nil
			}
			return foreignSource{&f}, nil
		},
	}
}

// amongOthers runs a connector of a foreign plugin beside others, which must
// go on all the while, and wants it to fail with a cause that has the texts.
// Afterwards it can be deleted.
func amongOthers(t *testing.T, p connect.Plugin, causes ...string) {
	t.Helper()
	inWorld(t, func(w *world) {
		w.start()
		w.plugins.Register(p)
		w.create("good", "test-source")
		w.create("sink", "test-sink")
		config := []string{"topic=foreign"}
		if p.Kind == connect.KindSink {
			config = []string{"topics=t"}
		}
		w.create("bad", p.Class, append(config, "restart.max.attempts=0", "tasks.max=2")...)
		w.wait(3 * time.Minute)
		w.goesOn()
		st := w.status("bad")
		failed := slices.ContainsFunc(st.Tasks, func(task connect.TaskStatus) bool { return task.State == connect.Failed })
		said := st.Cause
		for _, task := range st.Tasks {
			said += "\n" + task.Cause
		}
		if !failed && st.State != connect.Failed {
			t.Errorf("the connector is %s: %s", st.State, said)
		}
		for _, cause := range causes {
			if !strings.Contains(said, cause) {
				t.Errorf("the cause is %q, want it to say %q", said, cause)
			}
		}
		w.do(w.catalog.Delete, "bad")
		w.wait(time.Minute)
		if _, err := w.catalog.Get(w.t.Context(), "bad"); !errors.Is(err, oms.ErrNotFound) {
			t.Errorf("deleted, Get returns %v", err)
		}
		w.goesOn()
	})
}

// goesOn fails unless the connectors of the world move records.
func (w *world) goesOn() {
	w.t.Helper()
	before := len(w.sink.bodies())
	w.wait(20 * time.Second)
	if moved := len(w.sink.bodies()) - before; moved < 15 {
		w.t.Errorf("the other connectors have moved %d records in 20 s", moved)
	}
}

func at(position string) *oms.Origin {
	return &oms.Origin{Partition: `{"p":0}`, Position: position}
}

// A slip is an error type whose methods cannot stand a nil pointer.
type slip struct{ text string }

func (s *slip) Error() string { return s.text }

func TestSourcesThatBreakTheContractAreNamed(t *testing.T) {
	returns := func(err error, msgs ...*oms.Message) foreign {
		return foreign{poll: func(context.Context, *foreign) ([]*oms.Message, error) { return msgs, err }}
	}
	var noError *slip
	for name, c := range map[string]struct {
		model  foreign
		causes []string
	}{
		"a nil message":                 {returns(nil, nil), []string{"poll", "without an Origin"}},
		"a nil message behind good one": {returns(nil, &oms.Message{Origin: at(`{"n":1}`)}, nil), []string{"poll", "without an Origin"}},
		"no origin":                     {returns(nil, &oms.Message{}), []string{"poll", "without an Origin"}},
		"no partition":                  {returns(nil, &oms.Message{Origin: &oms.Origin{Position: `{"n":1}`}}), []string{"poll", "not both JSON objects"}},
		"a position that is a number":   {returns(nil, &oms.Message{Origin: at("17")}), []string{"poll", `"17"`, "JSON object"}},
		"a position that is a list":     {returns(nil, &oms.Message{Origin: at("[1]")}), []string{"poll", "[1]", "JSON object"}},
		"a position that is broken":     {returns(nil, &oms.Message{Origin: at("{n:1}")}), []string{"commit", `{"p":0}`, "{n:1}", "JSON object"}},
		"a topic that cannot be":        {returns(nil, &oms.Message{Topic: "a b", Origin: at(`{"n":1}`)}), []string{"send", `{"n":1}`, "a b", "space"}},
		"an error":                      {returns(errors.New("no disk")), []string{"poll", "no disk"}},
		"records and an error":          {returns(errors.New("no disk"), &oms.Message{Origin: at(`{"n":1}`)}), []string{"poll", "no disk"}},
		"io.EOF with a code":            {returns(&oms.Error{Op: "read", Code: oms.ErrFormat, Err: io.EOF}), []string{"poll", "malformed"}},
		"an error that is a nil pointer": {
			returns(noError), []string{"Poll", "panic", "nil pointer"},
		},
		"a panic with an error": {
			foreign{poll: func(context.Context, *foreign) ([]*oms.Message, error) { panic(noError) }}, []string{"Poll", "panic"},
		},
		"the end of its goroutine": {
			foreign{poll: func(context.Context, *foreign) ([]*oms.Message, error) { runtime.Goexit(); return nil, nil }}, []string{"Poll", "did not return"},
		},
		"the end of its context, before that": {returns(context.Canceled), []string{"poll", "context canceled"}},
		"a failure that is none": {
			foreign{start: func(f *foreign) error { f.env.Fail(nil); return nil }}, []string{"reported a failure", "nil"},
		},
		"failures from everywhere at once": {
			foreign{start: func(f *foreign) error {
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() { f.env.Fail(errors.New("lost the connection")) })
				}
				wg.Wait()
				return nil
			}}, []string{"reported a failure", "lost the connection"},
		},
	} {
		t.Run(name, func(t *testing.T) { amongOthers(t, foreignPlugin(connect.KindSource, c.model), c.causes...) })
	}
}

func TestPluginsThatBreakTheContractAreNamed(t *testing.T) {
	var none *foreignSink
	var only foreign
	only.put = func(context.Context, *foreign, []*oms.Message) error { return nil }
	for name, c := range map[string]struct {
		kind   connect.Kind
		made   func() (connect.Connector, error)
		causes []string
	}{
		"New returns nil":               {connect.KindSource, func() (connect.Connector, error) { return nil, nil }, []string{"foreign-source", "neither a Source nor a Sink"}},
		"New returns a nil pointer":     {connect.KindSink, func() (connect.Connector, error) { return none, nil }, []string{"OnStart", "panic"}},
		"New returns a sink":            {connect.KindSource, func() (connect.Connector, error) { return foreignSink{&only}, nil }, []string{"foreign-source", "neither a Source nor a Sink"}},
		"New returns a source":          {connect.KindSink, func() (connect.Connector, error) { return foreignSource{&only}, nil }, []string{"foreign-sink", "neither a Source nor a Sink"}},
		"New returns the same instance": {connect.KindSink, func() (connect.Connector, error) { return &foreignSink{&only}, nil }, []string{}},
	} {
		if strings.Contains(name, "same") {
			same := &foreignSink{&only}
			c.made, c.causes = func() (connect.Connector, error) { return same, nil }, []string{"foreign-sink", "New", "same instance"}
		}
		t.Run(name, func(t *testing.T) {
			amongOthers(t, connect.Plugin{
				Class: "foreign-" + string(c.kind), Kind: c.kind,
				New: func(connect.Env) (connect.Connector, error) { return c.made() },
			}, c.causes...)
		})
	}
}
