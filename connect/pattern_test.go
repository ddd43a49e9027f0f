package connect_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestAPatternMatchesWholeNamesThatTopicsHave(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("o", 250)
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{`orders`, []string{"orders"}, []string{"orders.new", "my.orders", "Orders", ""}},
		{`orders\..+`, []string{"orders.new", "orders.a.b"}, []string{"orders", "orders.", "ordersXnew"}},
		{`(?i)orders`, []string{"Orders", "ORDERS"}, []string{"orders\n", "orders2"}},
		{`a|b`, []string{"a", "b"}, []string{"ab", "a|b", "aa"}},
		{`^a$`, []string{"a"}, []string{"aa", "^a$"}},
		{`(?m)a$`, []string{"a"}, []string{"a\nb"}},
		{`\p{L}+-[0-9]*`, []string{"zürich-1", "ß-"}, []string{"1-1"}},
		{`.*`, []string{"orders", ".hidden", "_", "_x", "amqp", "a$b"}, []string{
			"__consumer_offsets", "$SYS", "%RETRY%group", "%DLQ%x", "amq.topic", "amq.", "a b", "a\tb", "\xff", ".", "..", long,
		}},
		{`\$.*|__.*|amq\..*|%.*`, nil, []string{"$SYS", "__x", "amq.direct", "%RETRY%g"}},
	} {
		p, err := connect.ParseTopicPattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if p.String() != c.pattern {
			t.Errorf("%s calls itself %s", c.pattern, p)
		}
		for _, name := range c.yes {
			if !p.Match(name) {
				t.Errorf("%s does not match %.20q", c.pattern, name)
			}
		}
		for _, name := range c.no {
			if p.Match(name) {
				t.Errorf("%s matches %.20q", c.pattern, name)
			}
		}
	}
}

func TestPatternsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"": "empty", "(": "missing closing )", "a)|(b": "unexpected )", "[z-a]": "character class", `(?!x).*`: "no look-around", `(a)\1`: "no back-references",
		"*": "missing argument",
	} {
		if _, err := connect.ParseTopicPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", pattern, err, want)
		}
	}
}

func TestWhatASinkReadsIsCheckedAtCreation(t *testing.T) {
	for name, c := range map[string]struct {
		config  oms.KeyValue
		without oms.Capability
		code    oms.Code
		says    []string
	}{
		"neither":               {oms.KeyValue{}, "", oms.ErrInvalid, []string{"topics: missing", "topics.regex"}},
		"both":                  {oms.KeyValue{"topics": "t", "topics.regex": "u"}, "", oms.ErrInvalid, []string{"topics and topics.regex are mutually exclusive options, but both are set"}},
		"two empty ones":        {oms.KeyValue{"topics": "", "topics.regex": ""}, "", oms.ErrInvalid, []string{"topics: missing"}},
		"topics with commas":    {oms.KeyValue{"topics": " , "}, "", oms.ErrInvalid, []string{"topics: missing"}},
		"no pattern":            {oms.KeyValue{"topics.regex": "t("}, "", oms.ErrInvalid, []string{"topics.regex: ", "missing closing )", "RE2"}},
		"all problems at once":  {oms.KeyValue{"topics.regex": "[", "consumer.mode": "shove"}, "", oms.ErrInvalid, []string{"topics.regex: ", "consumer.mode: "}},
		"too often":             {oms.KeyValue{"topics.regex": "t", "topics.regex.refresh.interval.ms": "10"}, "", oms.ErrInvalid, []string{"topics.regex.refresh.interval.ms", "between 100 and"}},
		"Kafka Connect's way":   {oms.KeyValue{"topics.regex": "t", "consumer.override.metadata.max.age.ms": "1000"}, "", oms.ErrInvalid, []string{"consumer.override.metadata.max.age.ms: ", "topics.regex.refresh.interval.ms"}},
		"no list of topics":     {oms.KeyValue{"topics.regex": "t"}, oms.CreateTopic, oms.ErrUnsupported, []string{"create-topic", "asked for by topics.regex"}},
		"no groups":             {oms.KeyValue{"topics.regex": "t"}, oms.Groups, oms.ErrUnsupported, []string{"groups", "asked for by topics.regex"}},
		"no groups for a list":  {oms.KeyValue{"topics": "t"}, oms.Groups, oms.ErrUnsupported, []string{"groups", "asked for by topics"}},
		"a list needs no list":  {oms.KeyValue{"topics": "t"}, oms.CreateTopic, "", nil},
		"an empty list besides": {oms.KeyValue{"topics": "", "topics.regex": "t"}, "", "", nil},
		"an empty pattern":      {oms.KeyValue{"topics": "t", "topics.regex": ""}, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				if c.without != "" {
					w.wrap = (&spy{without: c.without}).wrap
				}
				w.start()
				c.config["connector.class"] = "test-sink"
				_, err := w.catalog.Create(w.t.Context(), connect.Request{Name: "out", Config: c.config})
				if oms.CodeOf(err) != c.code {
					t.Fatalf("create: %v, want %s", err, c.code)
				}
				for _, text := range c.says {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("%q does not say %q", err, text)
					}
				}
				w.wait(time.Minute)
				if err == nil {
					w.wantState("out", connect.Running)
				}
			})
		})
	}
}

// A plugin's own check and the runtime's are told together.
func TestTheChecksOfAPluginAndOfTheRuntimeAreBothMade(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.plugins.Register(connect.Plugin{
			Class: "fussy-sink", Kind: connect.KindSink, New: func(connect.Env) (connect.Connector, error) { return connect.Hooks{}, nil },
			Def: connect.ConfigDef{
				Keys:  []connect.Key{{Name: "colour", Doc: "Any."}},
				Check: func(oms.KeyValue) oms.KeyErrors { return oms.KeyErrors{{Key: "colour", Problem: "not that one"}} },
			},
		})
		err := w.tryCreate("out", "fussy-sink", "colour=red")
		problems, _ := errors.AsType[oms.KeyErrors](err)
		var keys []string
		for _, p := range problems {
			keys = append(keys, p.Key)
		}
		if !slices.Equal(keys, []string{"colour", "topics"}) {
			t.Errorf("create: %v, want both problems", err)
		}
	})
}
