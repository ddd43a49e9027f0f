package omconnect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValuesAreTakenAsWritten(t *testing.T) {
	for _, tc := range []struct{ yaml, want string }{
		{"1e3", "1e3"},
		{"007", "007"},
		{"0x1F", "0x1F"},
		{"0o17", "0o17"},
		{"1_000", "1_000"},
		{"+1", "+1"},
		{"-0.0", "-0.0"},
		{"9007199254740993", "9007199254740993"},
		{".inf", ".inf"},
		{".NaN", ".NaN"},
		{"true", "true"},
		{"False", "False"},
		{"yes", "yes"},
		{"12:30:45", "12:30:45"},
		{"2001-01-01", "2001-01-01"},
		{"plain text # a comment", "plain text"},
		{"redis://:pw@host:6379/0", "redis://:pw@host:6379/0"},
		{`""`, ""},
		{"'it''s'", "it's"},
		{`"a\tb\u00e9\ud83d\ude00"`, "a\tbé😀"},
		{"|\n  two\n  lines", "two\nlines"},
		{">\n  folded\n  text\n", "folded text\n"},
		{"[a, 1, true]", "a,1,true"},
		{"\n  - a\n  - 007", "a,007"},
		{"[]", ""},
	} {
		ps := &problems{}
		root := parseDocument([]byte("key: "+tc.yaml), ps)
		if err := ps.err(); err != nil {
			t.Errorf("%q: %v", tc.yaml, err)
			continue
		}
		got, ok := root.entries[0].value.value("key", ps)
		if !ok || got != tc.want {
			t.Errorf("%q: got %q, %v, want %q", tc.yaml, got, ok, tc.want)
		}
	}
}

func TestJSONIsTakenTheSameWay(t *testing.T) {
	ps := &problems{}
	root := parseDocument([]byte("{\n\t\"a\": 1e3,\n\t\"b\": \"x\\/y\",\n\t\"c\": [\"p\", 2],\n\t\"d\": true\n}\n"), ps)
	config, lines := flatConfig("", root, ps)
	if err := ps.err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1e3", "b": "x/y", "c": "p,2", "d": "true"}, map[string]string(config)); diff != "" {
		t.Error(diff)
	}
	if lines["d"] != 5 {
		t.Errorf("d is in line %d, want 5", lines["d"])
	}
}

// TestABrokenDocumentIsNotQuoted has a password in every line around the
// mistake: only the line's number may be told.
func TestABrokenDocumentIsNotQuoted(t *testing.T) {
	const before, after = "a: s3cret\nb: \"redis://:s3cret@host\"\n", "\nz: s3cret\n"
	for _, tc := range []struct{ text, want string }{
		{"state: redis://:s3cret@x: y", "f.yaml:3: this is not YAML: mapping value is not allowed in this context"},
		{`state: "s3cret`, "f.yaml:3: this is not YAML: could not find end character of double-quoted text"},
		{"state: 's3cret", "f.yaml:3: this is not YAML: could not find end character of single-quoted text"},
		{"state: [s3cret", "f.yaml:4: this is not YAML: ',' or ']' must be specified"},
		{"state: {s3cret", "f.yaml:3: this is not YAML: could not find flow map content"},
		{"state: @s3cret", "f.yaml:3: this is not YAML: '@' is a reserved character"},
		{"\tstate: s3cret", "f.yaml:3: this is not YAML: found character '\t' that cannot start any token"},
		{"state: \xff s3cret", "f.yaml:3: the line is not UTF-8"},
		{"state: &s3cret x", "f.yaml:3: tags, anchors and aliases are not supported; write the value out, with quotes if it begins with !, & or *"},
		{"state: *s3cret", "f.yaml:3: tags, anchors and aliases are not supported; write the value out, with quotes if it begins with !, & or *"},
		{"state: !s3cret x", "f.yaml:3: tags, anchors and aliases are not supported; write the value out, with quotes if it begins with !, & or *"},
		{"a: s3cret", "f.yaml:3: a: stands there twice, first in line 1"},
		{"<<: {x: s3cret}", "f.yaml:3: only plain keys are supported, no merge keys and no complex ones; write every key out"},
		{"---\nstate: s3cret", "f.yaml:4: a second document begins here; write one document only"},
	} {
		ps := &problems{file: "f.yaml"}
		parseDocument([]byte(before+tc.text+after), ps)
		err := ps.err()
		if err == nil || err.Error() != tc.want {
			t.Errorf("%q:\n got %v\nwant %s", tc.text, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error has a secret: %v", tc.text, err)
		}
	}
}

func TestADocumentIsAMappingOrEmpty(t *testing.T) {
	for text, want := range map[string]string{
		"":               "",
		"# a comment\n":  "",
		"---\n":          "",
		"\ufeffa: 1":     "",
		"a: 1\r\nb: 2":   "",
		"- a\n- b":       "f.yaml:1: the file must have keys and values, as in broker: embedded",
		"just some text": "f.yaml:1: the file must have keys and values, as in broker: embedded",
	} {
		ps := &problems{file: "f.yaml"}
		parseDocument([]byte(text), ps)
		got := ""
		if err := ps.err(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzDocument holds the reader to never quoting what is not a key.
func FuzzDocument(f *testing.F) {
	f.Add("a: 1\nb: [x, y]\n")
	f.Add("a: {b: \"c\n")
	f.Add("{\"a\": 1e3}")
	f.Add("a: &b c\n<<: *b\n")
	f.Fuzz(func(t *testing.T, text string) {
		ps := &problems{file: "f.yaml"}
		root := parseDocument([]byte(text), ps)
		lines := strings.Count(text, "\n") + 1
		for _, e := range root.entries {
			if e.line < 1 || e.line > lines {
				t.Errorf("key %q is in line %d of %d", e.key, e.line, lines)
			}
		}
		flatConfig("", root, ps)
		for _, p := range ps.list {
			if p.line < 0 || p.line > lines+1 {
				t.Errorf("a problem is in line %d of %d", p.line, lines)
			}
		}
	})
}
