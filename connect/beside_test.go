package connect_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestAccessPointsThatNameTheSameBroker(t *testing.T) {
	facts := func(text string) connect.BrokerFacts {
		t.Helper()
		ap, err := oms.ParseAccessPoint(text)
		if err != nil {
			t.Fatal(err)
		}
		return connect.BrokerFacts{AccessPoint: ap}
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"oms:kafka://one:9092,two:9092/", "oms:kafka://two:9092,three:9092/?acks=all", true},
		{"oms:rabbitmq://u:a@host/v", "oms:rabbitmq://other:b@host/v", true},
		{"mem", "oms:mem:///", true},
		{"oms:rabbitmq://host/v", "oms:rabbitmq://host/w", false},
		{"oms:kafka://one/", "oms:rocketmq://one/", false},
		{"oms:kafka://one/", "oms:kafka://two/", false},
		{"oms:embedded:///?dir=a", "oms:embedded:///?dir=b", false},
		{"oms:embedded:///", "oms:embedded://host/", false},
	} {
		if got := facts(c.a).Same(facts(c.b)); got != c.same {
			t.Errorf("%s and %s are the same: %v, want %v", c.a, c.b, got, c.same)
		}
		if got := facts(c.b).Same(facts(c.a)); got != c.same {
			t.Errorf("%s and %s are the same: %v, want %v", c.b, c.a, got, c.same)
		}
	}
}

// A noteBook keeps what is logged.
type noteBook struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (b *noteBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *noteBook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *noteBook) WithGroup(string) slog.Handler            { return b }

func (b *noteBook) Handle(_ context.Context, r slog.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	b.lines = append(b.lines, line)
	return nil
}

func (b *noteBook) has(part string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(strings.Join(b.lines, "\n"), part)
}

func TestAPluginChecksTheBrokersBesideItsConnectorsOwn(t *testing.T) {
	inWorld(t, func(w *world) {
		notes := &noteBook{Handler: slog.DiscardHandler}
		w.log = notes
		w.start()
		var refusal error
		w.plugins.Register(connect.Plugin{
			Class: "reaching", Kind: connect.KindSource,
			Def: connect.ConfigDef{Keys: []connect.Key{{Name: "other", Default: "oms:mem:///", Doc: "The other broker."}}},
			Beside: func(config oms.KeyValue, facts func(string) (connect.BrokerFacts, error)) ([]string, error) {
				own, err := facts(connect.DefaultBroker)
				if err != nil {
					return nil, err
				}
				other, err := facts(config["other"])
				if err != nil {
					return nil, err
				}
				if !own.Capabilities.Has(oms.Groups) || !other.Same(own) || config["tasks.max"] != "1" || config["transforms"] != "" {
					t.Errorf("own %v, other %v, configuration %v", own, other, config)
				}
				return []string{"they are the same"}, refusal
			},
			New: func(connect.Env) (connect.Connector, error) { return nil, errors.New("not in this test") },
		})
		if err := w.tryCreate("one", "reaching", "topic=t"); err != nil || !notes.has("they are the same") {
			t.Errorf("create: %v; the note is logged: %v", err, notes.has("they are the same"))
		}
		refusal = oms.KeyErrors{{Key: "other", Problem: "not like this"}}
		if err := w.tryCreate("two", "reaching", "topic=t"); oms.CodeOf(err) != oms.ErrInvalid || !strings.Contains(err.Error(), "not like this") {
			t.Errorf("create: %v, want the plugin's refusal", err)
		}
		refusal = nil
		if err := w.tryCreate("three", "reaching", "topic=t", "other=oms:none://u:swordfish@h/"); err == nil || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("create: %v, want that there is no such broker, without its password", err)
		}
	})
}

// A quietSource returns nothing and says whether it has read all.
type quietSource struct {
	connect.Hooks
	answer func() (bool, error)
}

func (s *quietSource) Poll(context.Context) ([]*oms.Message, error) { return nil, nil }
func (s *quietSource) HasBacklog(context.Context) (bool, error)     { return s.answer() }

func TestASourceThatSaysThereIsMoreIsNotIdle(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		var mu sync.Mutex
		more, failure := true, error(nil)
		w.plugins.Register(connect.Plugin{
			Class: "quiet", Kind: connect.KindSource,
			New: func(connect.Env) (connect.Connector, error) {
				return &quietSource{answer: func() (bool, error) {
					mu.Lock()
					defer mu.Unlock()
					return more, failure
				}}, nil
			},
		})
		w.create("s", "quiet", "topic=t")
		idle := func() error {
			ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
			defer cancel()
			return w.rt.WaitIdle(ctx)
		}
		if err := idle(); err == nil {
			t.Error("the gateway is idle while the source has a backlog")
		}
		mu.Lock()
		more, failure = false, errAway
		mu.Unlock()
		if err := idle(); err == nil {
			t.Error("the gateway is idle while the source does not know whether it has a backlog")
		}
		w.wantState("s", connect.Running) // that it does not know is no failure
		mu.Lock()
		failure = nil
		mu.Unlock()
		if err := idle(); err != nil {
			t.Errorf("the source has no backlog: %v", err)
		}
	})
}
