package transform_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// TestProgramsThatAreNoneAreRefusedWithKeyAndPosition: when the connector is
// created, not with the first record.
func TestProgramsThatAreNoneAreRefusedWithKeyAndPosition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config []string
		key    string
		want   []string
	}{
		{one("Expression", "filter=value.a >"), "transforms.x.filter", []string{"not an expression", "(1:"}},
		{one("Expression", "value=merge(value)"), "transforms.x.value", []string{"not an expression", "(1:1)"}},
		{one("Expression", "key=nosuch(1)"), "transforms.x.key", []string{"unknown name nosuch", "(1:1)"}},
		{one("Expression", "topic=topik"), "transforms.x.topic", []string{"unknown name topik", "(1:1)"}},
		{one("Expression", "topic='a' +\n  topik"), "transforms.x.topic", []string{"unknown name topik", "(2:3)"}},
		{one("Expression", "headers={"), "transforms.x.headers", []string{"not an expression"}},
		{one("Expression", "filter=topic"), "transforms.x.filter", []string{"expected bool"}},
		{one("Expression", "value=now()"), "transforms.x.value", []string{"unknown name now"}},
		{one("Expression"), "transforms.x.filter", []string{"set"}},
		{one("JQ", "program=.a |"), "transforms.x.program", []string{"not a jq program", "unexpected EOF"}},
		{one("JQ", "program=nosuch(1)"), "transforms.x.program", []string{"function not defined: nosuch/1"}},
		{one("JQ", "program=$x"), "transforms.x.program", []string{"variable not defined: $x"}},
		{one("JQ", `program=import "a" as a; .`), "transforms.x.program", []string{"not a jq program"}},
		{one("JQ", "program=input"), "transforms.x.program", []string{"not a jq program"}},
		{under(false, "Expression", "condition=1 +"), "predicates.p.condition", []string{"not an expression", "(1:"}},
		{under(false, "Expression", "condition=offset"), "predicates.p.condition", []string{"expected bool"}},
	} {
		got := problems(t, connect.KindSink, c.config...)
		for _, want := range c.want {
			if !strings.Contains(got[c.key], want) {
				t.Errorf("%q: %v, want %s to say %q", c.config, got, c.key, want)
			}
		}
		if len(got) != 1 {
			t.Errorf("%q: %v, want one problem", c.config, got)
		}
	}
}

// TestProgramsThatFailSayWhereAndNotWhy: of an expression line and column are
// told, of either nothing that the record has.
func TestProgramsThatFailSayWhereAndNotWhy(t *testing.T) {
	t.Parallel()
	const body = `{"a":"s3cr3t","o":{"s3cr3t":"s3cr3t"},"l":["s3cr3t"],"n":7}`
	for _, c := range []struct {
		config []string
		want   string
	}{
		{one("Expression", "filter=value.n > 1 and value.a > 1"), "at line 1, column 25"},
		{one("Expression", "value={'x': 1,\n 'y': int(value.a)}"), "at line 2, column 7"},
		{one("Expression", "value=value.none.more"), "at line 1, column 12"},
		{one("Expression", "value=value.l[5]"), "at line 1, column 8"},
		{one("Expression", "value=merge(value.a, value)"), "at line 1, column 1"},
		{one("Expression", "value=number(value.o)"), "at line 1, column 1"},
		{one("Expression", "value=text(value.l)"), "at line 1, column 1"},
		{one("Expression", "value=fromJSON(value.a)"), "at line 1, column 1"},
		{one("Expression", "value=repeat(value.a, 1000000000)"), "the expression fails"},
		{one("Expression", "value=map(1..100000000, {value.a})"), "the expression fails"},
		{one("Expression", "topic=value.o"), "no text"},
		{one("Expression", "headers=value.a"), "no object"},
		{one("Expression", "headers=value.l"), "no object"},
		{one("JQ", ".a + 1"), "the program fails"},
		{one("JQ", "error(.a)"), "the program fails"},
		{one("JQ", ".a | tonumber"), "the program fails"},
		{one("JQ", `.l | join(1; 2)`), ""},
		{one("JQ", `.a | test("(")`), "the program fails"},
		{one("JQ", `{(.n): 1}`), "the program fails"},
		{one("JQ", `., error(.a)`), "the program fails"},
		{one("JQ", `.l[], .a`), "more than one result"},
		{one("JQ", `.a | halt_error`), "the program halts"},
		{one("JQ", `{a: error}`), "the program fails"},
		{one("JQ", `.a | ltrimstr(1) | explode | implode | error`), "the program fails"},
		{one("JQ", `[limit(3; repeat(.a))] | .[5].x.y | error("x" + $__prog_args)`), ""},
	} {
		if strings.HasSuffix(c.config[1], "=JQ") {
			c.config[2] = strings.Replace(c.config[2], "transforms.x.", "transforms.x.program=", 1)
		}
		ch, err := tryChain(connect.KindSource, c.config...)
		if c.want == "" { // it is no program at all
			if err == nil {
				t.Errorf("%q is not refused", c.config)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.config, err)
			continue
		}
		out, err := ch.Apply(message("s3cr3t", body))
		if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "connector orders, transform x (") {
			t.Errorf("%q became %s, error %v; want ErrFormat with %q", c.config, shown(out), err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: the error quotes the record: %v", c.config, err)
		}
	}
}

// TestProgramsAreTheSameForTheSameRecord: they cannot read the environment,
// files or other records.
func TestProgramsAreTheSameForTheSameRecord(t *testing.T) {
	t.Setenv("S3CR3T", "s3cr3t")
	for _, c := range []struct {
		config []string
		want   string
	}{
		{one("JQ", "program=[env, $ENV]"), "[{},{}]"},
		{one("JQ", "program=[splits(\"a\")]"), `["x"]`},
		{one("Expression", "value=len($env)"), "error"},
	} {
		ch, err := tryChain(connect.KindSource, c.config...)
		if err != nil {
			if c.want != "error" {
				t.Errorf("%q: %v", c.config, err)
			}
			continue
		}
		for range 2 {
			out, err := ch.Apply(message("null", "x"))
			if err == nil && strings.Contains(string(out.Body), "s3cr3t") || err != nil && c.want != "error" || err == nil && c.want != "error" && shown(out) != "null "+c.want {
				t.Errorf("%q: %s, %v; want %s", c.config, shown(out), err, c.want)
			}
		}
	}
}
