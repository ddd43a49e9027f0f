package connect

import (
	"errors"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestKeysAreCheckedByTypeRangeAndChoice(t *testing.T) {
	for _, c := range []struct {
		key   Key
		value string
		want  string // "" for none
	}{
		{Key{}, "", ""},
		{Key{Required: true}, "", "empty"},
		{Key{}, "any \x00", ""},
		{Key{Type: Int}, "-12", ""},
		{Key{Type: Int}, "1.5", "whole number"},
		{Key{Type: Int}, "", "whole number"},
		{Key{Type: Int}, "2147483647", ""},
		{Key{Type: Int}, "2147483648", "between"},
		{Key{Type: Long}, "2147483648", ""},
		{Key{Type: Long}, "9223372036854775808", "whole number"},
		{Key{Type: Int, Min: 1, Max: 3}, "0", "between 1 and 3"},
		{Key{Type: Int, Min: 1, Max: 3}, "4", "between 1 and 3"},
		{Key{Type: Int, Min: 1, Max: 3}, "x", "whole number"},
		{Key{Type: Long, Min: -5, Max: 0}, "1", "between -5 and 0"},
		{Key{Type: Millis, Min: 1, Max: 9}, "10", "between"},
		{Key{Type: Millis}, "99999999999999999", "milliseconds"},
		{Key{Type: Double}, "1e3", ""},
		{Key{Type: Double}, "NaN", "not a number"},
		{Key{Type: Double, Min: 5, Max: 6}, "5.5", ""},
		{Key{Type: Bool}, "TRUE", ""},
		{Key{Type: Bool}, "yes", "neither"},
		{Key{Type: List}, "a, b,", ""},
		{Key{Type: List, Required: true}, " , ", "at least one"},
		{Key{Type: List}, "", ""},
		{Key{Type: URL, Required: true}, "", "empty"},
		{Key{Values: []string{"a", "b"}}, "c", `"c" is not one of a, b`},
		{Key{Check: func(v string) error { return errors.New("never " + v) }}, "x", "never x"},
	} {
		c.key.Name, c.key.Doc = "k", "A key."
		err := ConfigDef{Keys: []Key{c.key}}.Validate(oms.KeyValue{"k": c.value})
		var problems oms.KeyErrors
		errors.As(err, &problems)
		if (err == nil) != (c.want == "") || err != nil && (len(problems) != 1 || !strings.Contains(problems[0].Problem, c.want)) {
			t.Errorf("%+v with %q: %v, want %q", c.key, c.value, err, c.want)
		}
	}
}

func TestProblemsBetweenKeysAreLookedForOnceEachKeyIsRight(t *testing.T) {
	def := ConfigDef{
		Keys: []Key{{Name: "a", Doc: "A.", Type: Int, Default: "1"}, {Name: "b", Doc: "B.", Required: true}, {Name: "c", Doc: "C."}},
		Check: func(config oms.KeyValue) oms.KeyErrors {
			if config["a"] == config["b"] {
				return oms.KeyErrors{{Key: "b", Problem: "is as a"}}
			}
			return nil
		},
	}
	for want, config := range map[string]oms.KeyValue{
		"":                                 {"b": "2"},
		"b: is as a":                       {"b": "1"},
		"b: missing: this key is required": {"a": "2"},
		"x: unknown key":                   {"b": "1", "x": ""},
	} {
		err := def.Validate(config)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Validate(%v) = %v, want %q", config, err, want)
		}
	}
	complete := def.Complete(oms.KeyValue{"b": "2", "topics": "t"})
	if len(complete) != 2 || complete["a"] != "1" || complete["b"] != "2" {
		t.Errorf("Complete = %v, want the default of a, b as given, and nothing else", complete)
	}
	if _, ok := def.Key("c"); !ok {
		t.Error("Key does not find c")
	}
	if _, ok := def.Key("x"); ok {
		t.Error("Key finds x")
	}
}

func TestMistakesInAPluginPanicWhenItIsRegistered(t *testing.T) {
	good := func() Plugin {
		return Plugin{Class: "p", Kind: KindSink, New: func(Env) (Connector, error) { return nil, nil }, Def: ConfigDef{Keys: []Key{{Name: "k", Doc: "K."}}}}
	}
	for name, spoil := range map[string]func(*Plugin){
		"no class":        func(p *Plugin) { p.Class = "" },
		"no kind":         func(p *Plugin) { p.Kind = "" },
		"no New":          func(p *Plugin) { p.New = nil },
		"key twice":       func(p *Plugin) { p.Def.Keys = append(p.Def.Keys, p.Def.Keys[0]) },
		"no key name":     func(p *Plugin) { p.Def.Keys[0].Name = "" },
		"no doc":          func(p *Plugin) { p.Def.Keys[0].Doc = "" },
		"unknown type":    func(p *Plugin) { p.Def.Keys[0].Type = "integer" },
		"wrong default":   func(p *Plugin) { p.Def.Keys[0].Type, p.Def.Keys[0].Default = Int, "x" },
		"refused default": func(p *Plugin) { p.Def.Keys[0].Values, p.Def.Keys[0].Default = []string{"a"}, "b" },
		"class twice":     func(*Plugin) {},
	} {
		t.Run(name, func(t *testing.T) {
			var ps Plugins
			if name == "class twice" {
				ps.Register(good())
			}
			p := good()
			spoil(&p)
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			ps.Register(p)
		})
	}
}

func TestDefaultsOfTheRuntimesOwnKeysAreValid(t *testing.T) {
	for _, kind := range []Kind{KindSource, KindSink} {
		p := Plugin{Class: "p", Kind: kind, New: func(Env) (Connector, error) { return nil, nil }}
		p.Def = definition(p)
		new(Plugins).Register(p) // which checks them
		p.Def = ConfigDef{}
		config := oms.KeyValue{"connector.class": "p", "topic": "t"}
		if kind == KindSink {
			config = oms.KeyValue{"connector.class": "p", "topics": "t, u"}
		}
		if err := definition(p).Validate(config); err != nil {
			t.Errorf("%s: the shortest configuration: %v", kind, err)
		}
		s, err := readSettings("n", p, config)
		if err != nil || s.tasksMax != 1 || s.inflightRecords != 10_000 || s.inflightBytes != 32<<20 {
			t.Errorf("%s: settings %+v, %v", kind, s, err)
		}
		if kind == KindSink && (s.group != "connect-n" || len(s.topics) != 2 || s.start.From != oms.StartEarliest) {
			t.Errorf("settings of a sink: %+v", s)
		}
	}
}
