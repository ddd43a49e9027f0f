package transform_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// FuzzChainConfig holds that no configuration makes the parser panic, that
// what is wrong with one names keys, and that a good one can be applied.
func FuzzChainConfig(f *testing.F) {
	for _, seed := range []string{
		"transforms=a\ntransforms.a.type=RegexRouter\ntransforms.a.regex=(.*)\ntransforms.a.replacement=${1}$1",
		"transforms=a,a.b\ntransforms.a.b.type=Filter\ntransforms.a.type=Cast$Value\ntransforms.a.spec=int8",
		"transforms=x\ntransforms.x.type=TimestampRouter\ntransforms.x.timestamp.format=yyyy''MM'x'",
		"transforms=x\ntransforms.x.type=ExtractField$Value\ntransforms.x.field=`a`.b\ntransforms.x.field.syntax.version=V2",
		"predicates=p\npredicates.p.type=TopicNameMatches\npredicates.p.pattern=a\ntransforms=x\ntransforms.x.type=Filter\ntransforms.x.predicate=p\ntransforms.x.negate=true",
		"transforms=x\ntransforms.x.type=JQ\ntransforms.x.program=.a\nvalue.converter=json\nvalue.converter.schemas.enable=false",
		"transforms=x\ntransforms.x.type=Expression\ntransforms.x.value=merge(value, {'a': 1})\nkey.converter=row",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "JQ") || strings.Contains(text, "Expression") {
			return // programs may run for ever; their own projects fuzz them
		}
		config := oms.KeyValue{}
		for line := range strings.SplitSeq(text, "\n") {
			k, v, _ := strings.Cut(line, "=")
			config[k] = v
		}
		for _, kind := range []connect.Kind{connect.KindSource, connect.KindSink} {
			c, err := connect.NewChain(&connect.DefaultPlugins, kind, config)
			if err != nil {
				wrong, ok := errors.AsType[oms.KeyErrors](err)
				if !ok || len(wrong) == 0 || wrong[0].Key == "" || strings.Contains(err.Error(), "panic") {
					t.Fatalf("%q: %v", text, err)
				}
				continue
			}
			if _, err := c.Apply(received(`{"a":1}`, `{"a":1}`)); err != nil && strings.Contains(err.Error(), "panic") {
				t.Fatalf("%q: %v", text, err)
			}
			c.Close()
		}
	})
}

// FuzzJSON holds that the json converter takes what package json takes and
// nothing else, and that what it writes means the same.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-0.5e+3,null,true,"\u00e9\n\"\\"],"b":{}}`, `0`, `01`, `"\ud83d\ude00"`, ` [ ] `, `{"a":1,"a":2}`, "\"\u2028\x7f\"", `12345678901234567890`, "{\"\xff\":1}", `nul`, `1 2`} {
		f.Add([]byte(seed))
	}
	in, err := tryChain(connect.KindSink, "value.converter=json", "value.converter.schemas.enable=false", "transforms=w", "transforms.w.type=Expression", `transforms.w.value={"v": value}`)
	if err != nil {
		f.Fatal(err)
	}
	decode := func(b []byte) (v any, ok bool) {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		return v, json.Valid(b) && bytes.Equal(bytes.ToValidUTF8(b, nil), b) && d.Decode(&v) == nil
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		if n := bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{")); n > 500 {
			return // deeper than the converter goes
		}
		c, err := tryChain(connect.KindSink, "value.converter=json", "value.converter.schemas.enable=false")
		if err != nil {
			t.Fatal(err)
		}
		m := received("k", "")
		m.Body = b
		out, err := c.Apply(m)
		want, valid := decode(b)
		if (err == nil) != valid {
			t.Fatalf("%q: error %v, valid %v", b, err, valid)
		}
		if _, err := in.Apply(m); valid && err != nil && strings.Contains(err.Error(), "panic") {
			t.Fatalf("%q: %v", b, err)
		}
		if !valid {
			return
		}
		if s, isText := want.(string); isText || want == nil {
			if s != string(out.Body) || (want == nil) != (out.Body == nil) {
				t.Fatalf("%q became %q", b, out.Body)
			}
			return
		}
		if got, ok := decode(out.Body); !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q", b, out.Body)
		}
	})
}

// FuzzEnvelope holds that what the json converter has written with its schema
// is read as what it was, by way of a row.
func FuzzEnvelope(f *testing.F) {
	f.Add(int64(1<<53+1), "x", []byte{0, 255}, 0.1, true)
	f.Add(int64(-1), "\"\\\u2028", []byte{}, -1e300, false)
	out, err := tryChain(connect.KindSource, "value.converter=json")
	if err != nil {
		f.Fatal(err)
	}
	in, err := tryChain(connect.KindSink, "value.converter=json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, i int64, s string, b []byte, n float64, ok bool) {
		body, err := rowOf(i, s, b, n, ok)
		if err != nil || !bytes.Equal(bytes.ToValidUTF8([]byte(s), nil), []byte(s)) {
			return
		}
		sent, err := out.Apply(message("k", string(body)))
		if err != nil {
			t.Fatal(err)
		}
		sent.Receipt = "r"
		back, err := in.Apply(sent)
		if err != nil || !bytes.Equal(back.Body, body) {
			t.Fatalf("%s\n became %s\n and %s, %v", body, sent.Body, shown(back), err)
		}
	})
}
