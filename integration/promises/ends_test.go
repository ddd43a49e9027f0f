package promises

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// The classes of the tests. Each has the key end, which names the feed or tray
// of a test, and the key need, which names a capability that it needs.
const (
	feedClass = "promises-feed"
	trayClass = "promises-tray"
)

// ends are the feeds and trays by name.
var ends sync.Map

func init() { //nolint:gochecknoinits // it is a registration
	def := connect.ConfigDef{Keys: []connect.Key{
		{Name: "end", Required: true, Doc: "Feed or tray of a test."},
		{Name: "need", Doc: "Capability that the connector needs."},
	}}
	needs := func(config oms.KeyValue) []oms.Need {
		if config["need"] == "" {
			return nil
		}
		return []oms.Need{{Capability: oms.Capability(config["need"]), Key: "need"}}
	}
	connect.Register(connect.Plugin{
		Class: feedClass, Kind: connect.KindSource, Doc: "Sends what a test puts into it.", Def: def, Needs: needs,
		New: func(env connect.Env) (connect.Connector, error) {
			f, ok := ends.Load(env.Config["end"])
			if !ok {
				return nil, fmt.Errorf("there is no feed %s", env.Config["end"])
			}
			return &feedSource{feed: f.(*feed)}, nil
		},
	})
	connect.Register(connect.Plugin{
		Class: trayClass, Kind: connect.KindSink, Doc: "Keeps what it gets for a test.", Def: def, Needs: needs,
		New: func(env connect.Env) (connect.Connector, error) {
			t, ok := ends.Load(env.Config["end"])
			if !ok {
				return nil, fmt.Errorf("there is no tray %s", env.Config["end"])
			}
			return &traySink{tray: t.(*tray)}, nil
		},
	})
}

// A feed is what a source is to send.
type feed struct {
	name string
	mu   sync.Mutex
	msgs []*oms.Message
	more chan struct{} // closed when there is more
}

func newFeed(t *testing.T, name string) *feed {
	t.Helper()
	f := &feed{name: name, more: make(chan struct{})}
	ends.Store(name, f)
	t.Cleanup(func() { ends.Delete(name) })
	return f
}

// put adds records with these bodies.
func (f *feed) put(bodies ...string) {
	for _, b := range bodies {
		f.add(&oms.Message{Body: []byte(b)})
	}
}

func (f *feed) add(m *oms.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.msgs = append(f.msgs, m)
	close(f.more)
	f.more = make(chan struct{})
}

// mend replaces a record by another.
func (f *feed) mend(i int, m *oms.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.msgs[i] = m
}

// config is that of a source that sends the feed to a topic.
func (f *feed) config(topic string) keys {
	return keys{"connector.class": feedClass, "end": f.name, "topic": topic, "offset.flush.interval.ms": "100"}
}

// A feedSource is a source over a feed.
type feedSource struct {
	connect.Hooks
	feed *feed
	next int
}

// A place is where in a feed the next record is.
type place struct {
	Next int `json:"next"`
}

func (s *feedSource) Seek(_ context.Context, positions []oms.Origin) error {
	for _, o := range positions {
		var p place
		if err := json.Unmarshal([]byte(o.Position), &p); err != nil {
			return err
		}
		s.next = p.Next
	}
	return nil
}

func (s *feedSource) Poll(ctx context.Context) ([]*oms.Message, error) {
	s.feed.mu.Lock()
	more, waiting := s.feed.more, slices.Clone(s.feed.msgs[s.next:])
	s.feed.mu.Unlock()
	if len(waiting) == 0 {
		select {
		case <-more:
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
		return nil, nil
	}
	for i, m := range waiting {
		own := *m // for each sending anew: what is sent is the runtime's
		s.next++
		own.Origin = &oms.Origin{Partition: `{"feed":"` + s.feed.name + `"}`, Position: fmt.Sprintf(`{"next":%d}`, s.next)}
		waiting[i] = &own
	}
	return waiting, nil
}

// A tray is what a sink has got.
type tray struct {
	name   string
	mu     sync.Mutex
	got    []*oms.Message
	refuse func(*oms.Message) error // nil: nothing
	tries  int                      // how often something was refused
}

func newTray(t *testing.T, name string) *tray {
	t.Helper()
	tr := &tray{name: name}
	ends.Store(name, tr)
	t.Cleanup(func() { ends.Delete(name) })
	return tr
}

// config is that of a sink that fills the tray from topics.
func (tr *tray) config(topics string) keys {
	return keys{"connector.class": trayClass, "end": tr.name, "topics": topics}
}

// refuses tells the sink what to refuse from now on; nil for nothing.
func (tr *tray) refuses(f func(*oms.Message) error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.refuse, tr.tries = f, 0
}

func (tr *tray) refused() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.tries
}

// all returns what has come so far.
func (tr *tray) all() []*oms.Message {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.got)
}

// bodies returns the bodies of what has come, sorted: brokers keep the order of
// a key only.
func (tr *tray) bodies() []string {
	bodies := []string{}
	for _, m := range tr.all() {
		bodies = append(bodies, string(m.Body))
	}
	slices.Sort(bodies)
	return bodies
}

// distinct returns the bodies of what has come, each once, sorted.
func (tr *tray) distinct() []string { return slices.Compact(tr.bodies()) }

// A traySink is a sink over a tray.
type traySink struct {
	connect.Hooks
	tray *tray
}

func (s *traySink) Put(_ context.Context, msgs []*oms.Message) error {
	s.tray.mu.Lock()
	defer s.tray.mu.Unlock()
	for i, m := range msgs {
		if s.tray.refuse != nil {
			if err := s.tray.refuse(m); err != nil {
				s.tray.tries++
				return &connect.PartialError{Index: i, Err: err}
			}
		}
		s.tray.got = append(s.tray.got, m)
	}
	return nil
}

// errPoison is what a sink says of a record that it never takes.
var errPoison = errors.New("it is poison")

// poison refuses the records with a body.
func poison(body string, err error) func(*oms.Message) error {
	return func(m *oms.Message) error {
		if string(m.Body) == body {
			return err
		}
		return nil
	}
}
