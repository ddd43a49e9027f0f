package transform_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// under is the configuration of an InsertHeader x=1 under a predicate.
func under(negate bool, typ string, keys ...string) []string {
	config := append(one("InsertHeader", "header=x", "value.literal=1", "predicate=p"), "predicates=p", "predicates.p.type="+typ)
	if negate {
		config = append(config, "transforms.x.negate=true")
	}
	for _, k := range keys {
		if k != "" {
			config = append(config, "predicates.p."+k)
		}
	}
	return config
}

// TestPredicatesDecideAndNegateTurnsThem asks each predicate both ways.
func TestPredicatesDecideAndNegateTurnsThem(t *testing.T) {
	t.Parallel()
	topic := func(name string) *oms.Message {
		m := message("k", "v")
		m.Topic = name
		return m
	}
	for _, c := range []struct {
		predicate string
		key       string
		m         *oms.Message
		want      bool
	}{
		{"TopicNameMatches", "pattern=a|ab", topic("ab"), true}, // as a whole, not the first that fits
		{"TopicNameMatches", "pattern=a", topic("ab"), false},
		{"TopicNameMatches", "pattern=.*", topic("x.y-z"), true},
		{"TopicNameMatches", "pattern=(?i)X", topic("x"), true},
		{"TopicNameMatches", "pattern=^x$", topic("x"), true},
		{"HasHeaderKey", "name=h", withHeaders("h"), true}, // one without a value is there
		{"HasHeaderKey", "name=h", withHeaders("H=1", "hh=1"), false},
		{"HasHeaderKey", "name=h", withHeaders(), false},
		{"RecordIsTombstone", "", message("k", "null"), true},
		{"RecordIsTombstone", "", message("null", "null"), true},
		{"RecordIsTombstone", "", message("k", ""), false},
		{"RecordIsTombstone", "", message("k", "{}"), false},
		{"Expression", "condition=true", message("k", "v"), true},
		{"Expression", "condition=key == nil", message("null", "v"), true},
		{"Expression", "condition=key == ''", message("", "v"), true},
		{"Expression", "condition=value?.a?.b == 1", message("k", `{"a":null}`), false},
		{"Expression", "condition=value.a in ['x', 'y']", message("k", `{"a":"y"}`), true},
		{"Expression", "condition=value.n == nil", message("k", row1(`n:int64:null`)), true},
		{"Expression", "condition=value.id > 9007199254740992", message("k", row1(`id:int64:"9007199254740993"`)), true},
		{"Expression", "condition=text(value.d) == '2024-02-29'", message("k", row1(`d:date:"2024-02-29"`)), true},
		{"Expression", "condition=any(value.l, # > 2)", message("k", `{"l":[1,2,3]}`), true},
		{"Expression", "condition='h' in headers", withHeaders("h"), true},
		{"Expression", "condition=timestamp == 0", &oms.Message{Topic: "t"}, true},
		{"Expression", "condition=partition == 0 and offset == 0", message("k", "v"), true},
	} {
		for _, negate := range []bool{false, true} {
			out, err := chain(t, connect.KindSource, under(negate, c.predicate, c.key)...).Apply(c.m)
			if err != nil {
				t.Errorf("%s %s: %v", c.predicate, c.key, err)
				continue
			}
			if _, applied := out.Headers.Get("x"); applied != (c.want != negate) {
				t.Errorf("%s %s, negate %v: applied %v", c.predicate, c.key, negate, applied)
			}
		}
	}
}

func TestPredicateThatFailsNamesItsTransform(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{"value.a > 1", "value.a", "value.a.b.c == 1", "int(value.a) == 1"} {
		_, err := chain(t, connect.KindSource, under(true, "Expression", "condition="+condition)...).Apply(message("s3cr3t", `{"a":"s3cr3t"}`))
		if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "connector orders, transform x, its predicate: ") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: error %v, want ErrFormat that names the transform and not the record", condition, err)
		}
	}
}

// TestOnePredicateServesSeveralTransforms, some of them negated; each asks it
// of the record as it is then.
func TestOnePredicateServesSeveralTransforms(t *testing.T) {
	t.Parallel()
	c := chain(
		t, connect.KindSource, "transforms=a,b,c", "predicates=marked,unused", "predicates.marked.type=HasHeaderKey", "predicates.marked.name=mark",
		"predicates.unused.type=RecordIsTombstone",
		"transforms.a.type=InsertHeader", "transforms.a.header=mark", "transforms.a.value.literal=a", "transforms.a.predicate=marked", "transforms.a.negate=TRUE",
		"transforms.b.type=InsertHeader", "transforms.b.header=b", "transforms.b.value.literal=b", "transforms.b.predicate= marked ",
		"transforms.c.type=Filter", "transforms.c.predicate=unused",
	)
	for _, tt := range []struct {
		m    *oms.Message
		want string
	}{
		{withHeaders(), "mark=a b=b"},
		{withHeaders("mark"), "mark b=b"},
	} {
		out, err := c.Apply(tt.m)
		if err != nil || headers(out.Headers) != tt.want {
			t.Errorf("%v, %v; want %s", out, err, tt.want)
		}
	}
	if out, err := c.Apply(message("k", "null")); out != nil || err != nil {
		t.Errorf("a tombstone became %v, %v; want it dropped", out, err)
	}
}
