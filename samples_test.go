package omconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	_ "github.com/omconnect/omconnect/connect/transform"
	"github.com/omconnect/omconnect/oms"
)

// bytesOf reads YAML as the bytes of a body.
func bytesOf(yaml string) (got text, wrong error) {
	ps := &problems{}
	root := parseDocument([]byte("body: "+yaml), ps)
	if len(root.entries) > 0 {
		got = readBytes(root.entries[0], ps)
	}
	return got, ps.err()
}

func TestBodiesOfSamplesAreTextsOrJSON(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		`abc`: `abc`, `"1\t2"`: "1\t2", `1.50`: `1.50`, `007`: `007`, `true`: `true`, `""`: ``, `{}`: `{}`, `[]`: `[]`,
		`{base64: AP8=}`: "\x00\xff", `{base64: ""}`: "", `{base64: [1]}`: `{"base64":[1]}`, `{base64: "AA==", x: 1}`: `{"base64":"AA==","x":1}`,
		`{a: 1, b: "1", c: '1', d: text, e: null, f: ~, g: True, h: FALSE}`:     `{"a":1,"b":"1","c":"1","d":"text","e":null,"f":null,"g":true,"h":false}`,
		`{a: 9007199254740993, b: 12345678901234567890123, c: 1.50, d: 1e400}`:  `{"a":9007199254740993,"b":12345678901234567890123,"c":1.50,"d":1e400}`,
		`{z: {y: [1, [2, {x: 3}]]}, a: "é\"\\<", "quoted key": 1, 7: 2}`:        `{"z":{"y":[1,[2,{"x":3}]]},"a":"é\"\\<","quoted key":1,"7":2}`,
		"\n  a: 1\n  b:\n    - x\n    - y: 2\n  c: |\n    two\n    lines\n":     `{"a":1,"b":["x",{"y":2}],"c":"two\nlines\n"}`,
		`{"form": 1, "schema": {"columns": [{"name": "a"}]}, "row": {"a": -1}}`: `{"form":1,"schema":{"columns":[{"name":"a"}]},"row":{"a":-1}}`,
		`[2024-02-29, 2024-02-29T12:30:00Z, "2024", on, 12:30, 1.2.3, -, a: b]`: "",
		`[0x10]`: "JSON has no such number", `{a: [.5]}`: "body.a: JSON has no such number", `[.inf]`: "no such number", `[1_000]`: "no such number",
		`{base64: "?"}`: "base64 is malformed", `[!!binary x]`: "tags", `{a: 1, a: 2}`: "stands there twice",
	} {
		got, err := bytesOf(yaml)
		if yaml[0] == '[' && want == "" { // whatever it is, it is JSON or refused
			if err == nil {
				if _, ok := structure(got); !ok {
					t.Errorf("%s became %s, which is not JSON", yaml, got)
				}
			}
			continue
		}
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && (got == nil || string(got) != want) {
			t.Errorf("%s became %q, error %v; want %q", yaml, got, err, want)
		}
	}
	for _, yaml := range []string{"", "null", "~"} {
		if got, err := bytesOf(yaml); got != nil || err != nil {
			t.Errorf("%q became %q, error %v; want no bytes", yaml, got, err)
		}
	}
}

func TestBodiesAreComparedAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got, want string // "null" for none
		where     string // of the first difference; "" for none
	}{
		{`{"a":1,"b":[1,{}]}`, ` { "b" : [1, {}], "a":1}`, ""},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, "body.a"},
		{`{"a":1.0}`, `{"a":1}`, "body.a"},
		{`{"a":"\u00e9"}`, `{"a":"é"}`, ""},
		{`{"a":{"b":[1,2]}}`, `{"a":{"b":[1,3]}}`, "body.a.b[1]"},
		{`{"a":[1]}`, `{"a":[1,2]}`, "body.a"},
		{`{"a":null}`, `{}`, "body.a"},
		{`{}`, `{"a":null}`, "body.a"},
		{`[]`, `{}`, "body"},
		{`{"a":1} x`, `{"a":1}`, "body"},
		{`"a"`, ` "a"`, "body"},
		{`1`, `1.0`, "body"},
		{`null`, ``, "body"},
		{``, `null`, "body"},
		{`null`, `null`, ""},
		{"\xff", `{"base64":"/w=="}`, "body"},
		{"\xff", "\xff", ""},
		{"\xff", "\xfe", "body"},
	} {
		of := func(s string) text {
			if s == "null" {
				return nil
			}
			return text(s)
		}
		var where string
		if all := compareBodies(of(c.got), of(c.want)); len(all) > 0 {
			where = all[0].Where
		}
		if where != c.where {
			t.Errorf("%q and %q differ at %q, want %q", c.got, c.want, where, c.where)
		}
	}
}

func TestEveryFieldOfARecordIsCompared(t *testing.T) {
	t.Parallel()
	path := write(t, "fields.yaml", `config: {connector.class: log-sink}
cases:
  - name: same
    in:  [&R]
    out: [&R]
  - name: another
    in:  [&R]
    out: [&S]
`)
	fields := []string{
		"topic: a|b", "id: a|b", "correlation_id: a|b", "trace_parent: a|b", "trace_state: a|b", "key: a|null", "body: a|null", "partition: 1|2", "offset: 1|2",
		"headers: [{name: h, value: 1}]|[{name: h, value: null}]", "born_at: 2024-02-29T12:30:00+01:00|2024-02-29T12:30:00Z", "expires_at: 2024-02-29T12:30:00Z|2024-02-29T12:30:00.001Z",
		"priority: 1|2", "delay_ms: 1|2",
	}
	var one, other []string
	for _, f := range fields {
		name, values, _ := strings.Cut(f, ": ")
		a, b, _ := strings.Cut(values, "|")
		one, other = append(one, name+": "+a), append(other, name+": "+b)
	}
	yaml := strings.NewReplacer("&R", "{"+strings.Join(one, ", ")+"}", "&S", "{"+strings.Join(other, ", ")+"}").Replace(read(t, path))
	code, stdout, stderr := run(t, "test", write(t, "fields.yaml", yaml))
	if code != exitFailed || !strings.Contains(stderr, "1 of 2 cases failed") || !strings.Contains(stdout, "ok ") {
		t.Fatalf("exit %d, %s\n%s", code, stderr, stdout)
	}
	for _, f := range fields {
		if name, _, _ := strings.Cut(f, ":"); strings.Count(stdout, "out 1, "+name+"\n") != 1 {
			t.Errorf("%s is not told to differ:\n%s", name, stdout)
		}
	}
}

// telling is a transform that fails and says its secret.
type telling struct{ salt, how string }

func (t telling) Apply(*connect.Record) (*connect.Record, error) {
	if t.how == "panic" {
		panic("out of luck")
	}
	return nil, errors.New("the salt is " + t.salt)
}

func tellingPlugins() *connect.Plugins {
	plugins := new(connect.Plugins)
	plugins.Register(connect.Plugin{
		Class: "tell", Kind: connect.KindSource, Def: connect.ConfigDef{Keys: []connect.Key{{Name: "token", Secret: true, Doc: "Token."}}},
		New: func(connect.Env) (connect.Connector, error) { return nil, errors.New("not of this test") },
	})
	plugins.RegisterTransform(connect.TransformPlugin{
		Type: "Tell", Doc: "Tells.", Def: connect.ConfigDef{Keys: []connect.Key{{Name: "salt", Secret: true, Doc: "Salt."}, {Name: "how", Doc: "How it fails."}}},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			return telling{config["salt"], config["how"]}, nil
		},
	})
	return plugins
}

func TestSecretsOfTheConfigurationAreNotShown(t *testing.T) {
	t.Parallel()
	path := write(t, "tell.yaml", `config: {connector.class: tell, token: t0ken, transforms: x, transforms.x.type: Tell, transforms.x.salt: s4lt-t0ken}
cases: [{name: a, in: [{body: 1}], out: []}]
`)
	for _, form := range []string{"text", "json"} {
		out := newBuffer()
		err := (&samplesCommand{outputFlag{form}, []string{path}}).Run(t.Context(), &streams{out: out, err: io.Discard}, tellingPlugins())
		if err == nil || !strings.Contains(out.String(), "the salt is xxxxx") || strings.Contains(out.String(), "s4lt") || strings.Contains(out.String(), "t0ken") {
			t.Errorf("error %v:\n%s", err, out)
		}
	}
}

func TestATransformThatPanicsFailsItsCaseOnly(t *testing.T) {
	t.Parallel()
	path := write(t, "panic.yaml", `config: {connector.class: tell, transforms: x, transforms.x.type: Tell, transforms.x.how: panic}
cases: [{name: a, in: [{body: 1}], out: []}, {name: b, in: [{body: 1}], error: "panic: out of luck"}]
`)
	out := newBuffer()
	err := (&samplesCommand{outputFlag{"text"}, []string{path}}).Run(t.Context(), &streams{out: out, err: io.Discard}, tellingPlugins())
	if err == nil || err.Error() != "1 of 2 cases failed" || !strings.Contains(out.String(), "panic: out of luck") {
		t.Errorf("error %v:\n%s", err, out)
	}
}

func TestSamplesStopWhenTheyAreInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := newBuffer()
	err := (&samplesCommand{outputFlag{"text"}, []string{"testdata/samples/people.yaml"}}).Run(ctx, &streams{out: out, err: io.Discard}, &connect.DefaultPlugins)
	if !errors.Is(err, context.Canceled) || out.String() != "" {
		t.Errorf("error %v, output %q; want the interruption", err, out)
	}
}

// FuzzSamples holds that no file makes the reader panic, that what is wrong
// has a text, and that what is good can be run.
func FuzzSamples(f *testing.F) {
	for _, seed := range []string{
		"config: {connector.class: log-sink}\ncases: [{name: a, in: [{body: {a: 1.50, b: [x]}}], out: [{body: 1, headers: [{name: h, value: null}]}]}]",
		"config: {connector.class: generator-source, transforms: x, transforms.x.type: Filter}\ncases: [{name: a, in: [{body: 0x1, key: {base64: AA==}}], out: []}]",
		"config: {connector.class: log-sink}\ncases:\n  - {name: a, in: [{body: ~, offset: 7, born_at: 2024-02-29T12:30:00Z}], error: x}\n  - 7\n",
		"{\"cases\": [{\"name\": 1, \"in\": {}, \"more\": []}], \"config\": 7}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "connector:") || strings.Contains(string(data), "JQ") || strings.Contains(string(data), "Expression") {
			return // it would read other files, or run programs
		}
		file, err := parseSamples("fuzz.yaml", data, &connect.DefaultPlugins)
		if err != nil {
			if _, ok := errors.AsType[usageError](err); !ok || err.Error() == "" {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		for _, sample := range file.cases {
			if _, err := file.try(t.Context(), sample, &connect.DefaultPlugins); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
		}
	})
}

func TestTheTopicOfASampleIsTheConnectors(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{"topic: a": "a", "topics: [b, c]": "b", "x: y": "test"} {
		file, err := readSamples(write(t, "topic.yaml", fmt.Sprintf("config: {connector.class: log-sink, %s}\ncases: [{name: a, in: [{body: 1}, {body: 1, topic: z}], out: []}]\n", config)), &connect.DefaultPlugins)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{file.message(file.cases[0].in[0]).Topic, file.message(file.cases[0].in[1]).Topic}
		if diff := cmp.Diff([]string{want, "z"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", config, diff)
		}
	}
}
