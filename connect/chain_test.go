package connect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A step is a transform and a predicate that is a function, and counts how
// often it was closed.
type step struct {
	do     func(r *connect.Record) (*connect.Record, error)
	closed *int
}

func (s step) Apply(r *connect.Record) (*connect.Record, error) { return s.do(r) }
func (s step) Test(*connect.Record) (bool, error)               { return true, nil }
func (s step) Close() error                                     { *s.closed++; return nil }

// A counting converter counts its calls.
type counting struct{ decoded, encoded *int }

func (c counting) Decode(b []byte) (any, error) {
	*c.decoded++
	if string(b) == "bad" {
		return nil, &oms.Error{Op: "decode", Code: oms.ErrFormat, Err: errors.New("it is bad")}
	}
	return &connect.Struct{Fields: []connect.Field{{Name: "v", Value: string(b)}}}, nil
}

func (c counting) Encode(v any) ([]byte, error) {
	*c.encoded++
	s, ok := v.(*connect.Struct)
	if !ok {
		return nil, errors.New("no structure")
	}
	value, _ := s.Get("v")
	return []byte(value.(string)), nil
}

// counted are plugins with a converter that counts, and one transform.
type counted struct {
	*connect.Plugins

	decoded, encoded, closed int
}

func countedPlugins(do func(r *connect.Record) (*connect.Record, error)) *counted {
	c := &counted{Plugins: new(connect.Plugins)}
	c.RegisterConverter(connect.ConverterPlugin{Type: connect.DefaultConverter, Doc: "Counts.", Raw: true, New: func(connect.Part, oms.KeyValue) (connect.Converter, error) {
		return counting{&c.decoded, &c.encoded}, nil
	}})
	c.RegisterTransform(connect.TransformPlugin{Type: "Do", Aliases: []string{"org.Do"}, Doc: "Does.", New: func(oms.KeyValue) (connect.Transform, error) {
		return step{do, &c.closed}, nil
	}})
	c.RegisterPredicate(connect.PredicatePlugin{Type: "Yes", Doc: "Holds.", New: func(oms.KeyValue) (connect.Predicate, error) { return step{nil, &c.closed}, nil }})
	return c
}

func (c *counted) chain(t *testing.T) *connect.Chain {
	t.Helper()
	chain, err := connect.NewChain(c.Plugins, connect.KindSource, oms.KeyValue{
		"name": "n", "topic": "no matter", "transforms": "a,b,c", "transforms.a.type": "Do", "transforms.b.type": "org.Do", "transforms.c.type": "Do",
		"transforms.c.predicate": "p", "predicates": "p", "predicates.p.type": "Yes",
	})
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func TestPartsAreDecodedOnceAndEncodedOnce(t *testing.T) {
	m := &oms.Message{Topic: "t", Key: []byte("k"), Body: []byte("v"), BornAt: time.Now()}
	for name, c := range map[string]struct {
		do               func(r *connect.Record) (*connect.Record, error)
		decoded, encoded int
		body             string
	}{
		"not looked at": {func(r *connect.Record) (*connect.Record, error) { r.SetTopic("u"); return r, nil }, 0, 0, "v"},
		"read only":     {func(r *connect.Record) (*connect.Record, error) { _, err := r.Struct(connect.PartValue); return r, err }, 1, 0, "v"},
		"changed": {func(r *connect.Record) (*connect.Record, error) {
			s, err := r.Struct(connect.PartValue)
			if err != nil {
				return nil, err
			}
			v, _ := s.Get("v")
			s = s.Clone()
			s.Set(connect.Field{Name: "v", Value: v.(string) + "!"})
			r.Set(connect.PartValue, s)
			return r, nil
		}, 1, 1, "v!!!"},
		"replaced": {func(r *connect.Record) (*connect.Record, error) {
			r.Set(connect.PartValue, &connect.Struct{Fields: []connect.Field{{Name: "v", Value: ""}}})
			return r, nil
		}, 0, 1, ""},
	} {
		p := countedPlugins(c.do)
		chain := p.chain(t)
		out, err := chain.Apply(m)
		if err != nil || string(out.Body) != c.body || out.Body == nil || string(out.Key) != "k" {
			t.Errorf("%s: %v, %v; want the body %q", name, out, err, c.body)
		}
		if p.decoded != c.decoded || p.encoded != c.encoded {
			t.Errorf("%s: decoded %d times and encoded %d times, want %d and %d", name, p.decoded, p.encoded, c.decoded, c.encoded)
		}
		if m.Topic != "t" || string(m.Body) != "v" || out == m {
			t.Errorf("%s: the message itself was changed", name)
		}
		p.closed = 0
		chain.Close()
		if p.closed != 4 {
			t.Errorf("%s: %d transforms and predicates were closed, want 4", name, p.closed)
		}
	}
}

func TestFailureOfAChainIsAnOutcomeWithoutContent(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(r *connect.Record) (*connect.Record, error)
		body  string
		stage connect.Stage
		want  string
	}{
		"transform": {func(*connect.Record) (*connect.Record, error) { return nil, errors.New("no luck") }, "v", connect.StageTransform, "connector n, transform a (Do): no luck"},
		"panic":     {func(*connect.Record) (*connect.Record, error) { panic("at the disco") }, "v", connect.StageTransform, "connector n, transform a: panic: at the disco"},
		"decode": {func(r *connect.Record) (*connect.Record, error) {
			_, err := r.Get(connect.PartValue)
			return nil, err
		}, "bad", connect.StageConvert, "connector n, transform a (Do): value: decode"},
		"encode": {func(r *connect.Record) (*connect.Record, error) { r.Set(connect.PartKey, "x"); return r, nil }, "v", connect.StageConvert, "connector n: key: no structure"},
	} {
		m := &oms.Message{Topic: "t", Key: []byte("s3cr3t"), Body: []byte(c.body), Receipt: "r", Partition: 2, Offset: 9}
		out, err := countedPlugins(c.do).chain(t).Apply(m)
		o, ok := errors.AsType[*connect.Outcome](err)
		if out != nil || !ok || o.Stage != c.stage || len(o.Messages) != 1 || o.Messages[0] != m {
			t.Errorf("%s: %v, %v; want an Outcome of %s", name, out, err, c.stage)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, string(c.stage)+" of t partition 2 offset 9: "+c.want) || strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: error %q, want it to begin with %q", name, got, c.want)
		}
	}
}

func TestDroppedRecordGoesNoFurther(t *testing.T) {
	calls := 0
	p := countedPlugins(func(*connect.Record) (*connect.Record, error) { calls++; return nil, nil })
	if out, err := p.chain(t).Apply(&oms.Message{Topic: "t"}); out != nil || err != nil || calls != 1 {
		t.Errorf("%v, %v after %d calls; want nil after one", out, err, calls)
	}
}

func TestProgramWithoutConvertersHasBytes(t *testing.T) {
	var got any
	ps := new(connect.Plugins)
	closed := 0
	ps.RegisterTransform(connect.TransformPlugin{Type: "Do", Doc: "Does.", New: func(oms.KeyValue) (connect.Transform, error) {
		return step{func(r *connect.Record) (_ *connect.Record, err error) {
			got, err = r.Get(connect.PartValue)
			r.Set(connect.PartKey, "text")
			return r, err
		}, &closed}, nil
	}})
	chain, err := connect.NewChain(ps, connect.KindSource, oms.KeyValue{"transforms": "a", "transforms.a.type": "Do"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := chain.Apply(&oms.Message{Topic: "t", Body: []byte("v")})
	if err != nil || string(out.Key) != "text" || !cmp.Equal(got, any([]byte("v"))) {
		t.Errorf("%v, %v with %v", out, err, got)
	}
}

func TestMistakesInPluginsOfAChainPanicAtTheStart(t *testing.T) {
	newT := func(oms.KeyValue) (connect.Transform, error) { return step{}, nil }
	key := func(k connect.Key) connect.ConfigDef { return connect.ConfigDef{Keys: []connect.Key{k}} }
	for name, register := range map[string]func(*connect.Plugins){
		"no New":  func(ps *connect.Plugins) { ps.RegisterTransform(connect.TransformPlugin{Type: "T"}) },
		"no type": func(ps *connect.Plugins) { ps.RegisterTransform(connect.TransformPlugin{New: newT}) },
		"type twice": func(ps *connect.Plugins) {
			ps.RegisterTransform(connect.TransformPlugin{Type: "T", Aliases: []string{"T"}, New: newT})
		},
		"reserved key": func(ps *connect.Plugins) {
			ps.RegisterTransform(connect.TransformPlugin{Type: "T", New: newT, Def: key(connect.Key{Name: "negate", Doc: "x"})})
		},
		"no doc": func(ps *connect.Plugins) {
			ps.RegisterTransform(connect.TransformPlugin{Type: "T", New: newT, Def: key(connect.Key{Name: "a"})})
		},
		"unknown type": func(ps *connect.Plugins) {
			ps.RegisterTransform(connect.TransformPlugin{Type: "T", New: newT, Def: key(connect.Key{Name: "a", Doc: "x", Type: "colour"})})
		},
		"wrong default": func(ps *connect.Plugins) {
			ps.RegisterTransform(connect.TransformPlugin{Type: "T", New: newT, Def: key(connect.Key{Name: "a", Doc: "x", Type: connect.Int, Default: "x"})})
		},
		"predicate": func(ps *connect.Plugins) { ps.RegisterPredicate(connect.PredicatePlugin{Type: "P"}) },
		"converter": func(ps *connect.Plugins) { ps.RegisterConverter(connect.ConverterPlugin{Type: "C"}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: registering did not panic", name)
				}
			}()
			register(new(connect.Plugins))
		}()
	}
}

func TestPanicOfNewIsAProblemOfItsKey(t *testing.T) {
	ps := new(connect.Plugins)
	ps.RegisterTransform(connect.TransformPlugin{Type: "T", Doc: "x", New: func(oms.KeyValue) (connect.Transform, error) { panic("new") }})
	_, err := connect.NewChain(ps, connect.KindSink, oms.KeyValue{"transforms": "a", "transforms.a.type": "T"})
	if err == nil || !strings.Contains(err.Error(), "transforms.a.type: panic: new") {
		t.Errorf("error %v, want one of transforms.a.type", err)
	}
}

func TestStructsAreCopiedBeforeTheyChange(t *testing.T) {
	s := &connect.Struct{Typed: true, Fields: []connect.Field{{Name: "a", Default: 5}, {Name: "b", Value: 1, Default: 2}}}
	d := s.Defaulted()
	if a, _ := d.Get("a"); a != 5 || s.Fields[0].Value != nil || d.Fields[1].Value != 1 {
		t.Errorf("Defaulted = %+v of %+v", d, s)
	}
	if d.Defaulted() != d {
		t.Error("a structure without nulls to replace was copied")
	}
	c := s.Clone()
	c.Set(connect.Field{Name: "b", Value: 3})
	c.Set(connect.Field{Name: "c", Value: 4})
	if _, ok := s.Get("c"); ok || s.Fields[1].Value != 1 || c.Index("c") != 2 || c.Index("d") != -1 {
		t.Errorf("%+v was changed with its copy %+v", s, c)
	}
}
