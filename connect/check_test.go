package connect_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/transform"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// A desk is where connectors are defined, without anything that runs them.
type desk struct {
	*testing.T
	brokers *connect.Brokers
	catalog *connect.Catalog
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	registry, plugins := new(oms.Registry), new(connect.Plugins)
	registry.Register("mem", mem.New())
	transform.Register(plugins)
	none := func(connect.Env) (connect.Connector, error) { return nil, errors.New("it is not to run") }
	many := []connect.Key{{Name: "topic", Doc: "One topic."}, {Name: "topic.prefix", Doc: "Before their names."}}
	plugins.Register(connect.Plugin{Class: "test-source", Kind: connect.KindSource, New: none})
	plugins.Register(connect.Plugin{Class: "test-sink", Kind: connect.KindSink, New: none})
	plugins.Register(connect.Plugin{Class: "many-source", Kind: connect.KindSource, Def: connect.ConfigDef{Keys: many}, New: none})
	brokers := connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "mem", "odd": "oms:mem:///?nosuch=1"})
	t.Cleanup(func() {
		if err := brokers.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &desk{t, brokers, connect.NewCatalog(nil, plugins, brokers, slog.New(slog.DiscardHandler))}
}

// problemsOf returns what is said of each key of a definition.
func (w *desk) problemsOf(class string, config ...string) map[string]string {
	w.Helper()
	err := w.catalog.Validate(connect.Request{Name: "it", Config: settings(class, config...)})
	if err == nil {
		return nil
	}
	list, ok := errors.AsType[oms.KeyErrors](err)
	if !ok {
		w.Fatalf("%s %q: %v, want problems with keys", class, config, err)
	}
	said := make(map[string]string)
	for _, p := range list {
		said[p.Key] += p.Problem + "\n"
	}
	return said
}

func TestWhatIsWrongWithItsBrokerIsToldWhenAConnectorIsDefined(t *testing.T) {
	t.Parallel()
	w := newDesk(t)
	for broker, says := range map[string][]string{
		"oms:mem:///?nosuch=1&other=2":          {"nosuch: unknown key", "other: unknown key"},
		"oms:mem://host/":                       {"host: a broker in memory has none"},
		"oms:mem://u:swordfish@host/?x=1":       {"user: a broker", "x: unknown key"},
		"oms:mem:///?pasword=swordfish":         {"pasword: unknown key"},
		"oms:mem:///region":                     {"region: a broker"},
		"kafka://host/":                         {"starts neither with oms:"},
		"oms:nosuch://host/":                    {"nosuch", "mem"},
		"oms:mem://host:notaport/":              {"host 1"},
		"nowhere":                               {"nowhere"},
		"odd":                                   {"nosuch: unknown key"},
		"oms:mem:///?a=1&a=2":                   {"option a stands there twice"},
		"oms:mem://u:swordfish@/":               {"a user is named, but no host"},
		"http://u:swordfish@host/?token=secret": {"starts neither with oms:"},
	} {
		for _, class := range []string{"test-source", "test-sink"} {
			said := w.problemsOf(class, "broker="+broker, "tasks.max=0")
			if len(said) != 2 || said["tasks.max"] == "" {
				t.Errorf("%s with %s: %q, want the broker and the other problem", class, broker, said)
			}
			for _, part := range says {
				if !strings.Contains(said["broker"], part) {
					t.Errorf("%s with %s: %q does not say %q", class, broker, said["broker"], part)
				}
			}
			if strings.Contains(said["broker"], "swordfish") || strings.Contains(said["broker"], "secret") {
				t.Errorf("%s with %s: %q has the secret", class, broker, said["broker"])
			}
		}
	}
	if said := w.problemsOf("test-source", "broker=oms:mem:///"); said != nil {
		t.Errorf("a good access point: %q", said)
	}
}

func TestTopicsThatTheBrokerForbidsAreRefusedWhenAConnectorIsDefined(t *testing.T) {
	t.Parallel()
	w := newDesk(t)
	for _, c := range []struct {
		class, key string
		config     []string
		says       []string // nothing: it is taken
	}{
		{"test-source", "topic", []string{"topic=__inner"}, []string{`"__inner"`, "choose another name"}},
		{"test-source", "topic", []string{"topic=$inner", "broker=mem"}, []string{`"$inner"`}},
		{"test-source", "topic", []string{"topic=__inner", "broker=oms:mem:///?"}, []string{`"__inner"`}},
		{"test-source", "topic", []string{"topic=inner__"}, nil},
		{"test-source", "topic", []string{"topic=a b"}, []string{"space"}},
		{"test-sink", "topics", []string{"topics=good,__bad,$worse"}, []string{`"__bad"`, `"$worse"`}},
		{"test-sink", "topics", []string{"topics=good"}, nil},
		// A transform may give it another name.
		{"test-source", "topic", []string{"topic=__inner", "transforms=r", "transforms.r.type=RegexRouter", "transforms.r.regex=__(.*)", "transforms.r.replacement=$1"}, nil},
		{"test-sink", "topics", []string{"topics=__inner", "transforms=r", "transforms.r.type=RegexRouter", "transforms.r.regex=__(.*)", "transforms.r.replacement=$1"}, []string{`"__inner"`}},
		{"many-source", "topic", []string{"topic=__inner"}, []string{`"__inner"`}},
		{"many-source", "topic", []string{"topic=${topic}__"}, nil},
		{"many-source", "topic.prefix", []string{"topic.prefix=__"}, []string{`"__"`}},
		{"many-source", "topic.prefix", []string{"topic.prefix=rows-"}, nil},
		{"many-source", "topic.prefix", []string{"topic.prefix=" + strings.Repeat("x", 249)}, nil}, // the whole name
	} {
		said := w.problemsOf(c.class, c.config...)
		if len(c.says) == 0 && said != nil || len(c.says) > 0 && len(said) != 1 {
			t.Errorf("%s %q: %q, want %d problems with %s", c.class, c.config, said, min(1, len(c.says)), c.key)
		}
		for _, part := range c.says {
			if !strings.Contains(said[c.key], part) {
				t.Errorf("%s %q: %q does not say %q", c.class, c.config, said[c.key], part)
			}
		}
		if n := strings.Count(said[c.key], "space"); n > 1 {
			t.Errorf("%s %q: said %d times: %q", c.class, c.config, n, said[c.key])
		}
	}
}

func TestAnAccessPointMayStandForABrokerThatIsKnown(t *testing.T) {
	t.Parallel()
	w := newDesk(t)
	w.brokers.Resolve(func(text string) (string, error) {
		switch text {
		case "oms:mem:///?":
			return "mem", nil
		case "oms:mem:///?size=1":
			return text, &oms.Error{Op: "find broker", Code: oms.ErrInvalid, Err: errors.New("size: it has 2 there")}
		}
		return text, nil
	})
	own, err := w.brokers.Client(t.Context(), connect.DefaultBroker)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := w.brokers.Client(t.Context(), "oms:mem:///?"); err != nil || c != own {
		t.Errorf("Client = %p, %v; want the one that is open", c, err)
	}
	if said := w.problemsOf("test-sink", "broker=oms:mem:///?size=1"); !strings.Contains(said["broker"], "it has 2 there") {
		t.Errorf("create: %q, want it refused", said)
	}
	for name, err := range map[string]error{
		"Client":       func() error { _, err := w.brokers.Client(t.Context(), "oms:mem:///?size=1"); return err }(),
		"Capabilities": func() error { _, err := w.brokers.Capabilities("oms:mem:///?size=1"); return err }(),
	} {
		if !errors.Is(err, oms.ErrInvalid) || !strings.Contains(err.Error(), "it has 2 there") {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}
