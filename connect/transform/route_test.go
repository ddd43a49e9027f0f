package transform_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestRegexRouter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ regex, replacement, topic, want string }{
		{"(.*)", "copy-$1", "orders", "copy-orders"},
		{"orders", "sales", "orders", "sales"},
		{"order", "sales", "orders", "orders"},            // not the whole topic
		{"(.*)-(?<tail>.*)", "${tail}.$1", "a-b", "b.a"},  // named
		{"(a)(b)?", "[$2]$1", "a", "[]a"},                 // a group that took no part
		{"(a)(b)", "$10", "ab", "a0"},                     // ten groups there are not
		{"a|ab", "x", "ab", "xb"},                         // the first match in it
		{"(?i)ORDERS", `\$1`, "orders", "$1"},             // a dollar
		{"db\\.(.*)\\.v[0-9]+", "$1", "db.inv.v2", "inv"}, // a usual one
		{".*", "x", "orders", "x"},                        // once only
	} {
		m := message("k", "v")
		m.Topic = c.topic
		out, err := chain(t, connect.KindSource, one("RegexRouter", "regex="+c.regex, "replacement="+c.replacement)...).Apply(m)
		if err != nil || out.Topic != c.want || m.Topic != c.topic {
			t.Errorf("%s → %s of %s: %v, error %v; want %s", c.regex, c.replacement, c.topic, out, err, c.want)
		}
	}
}

func TestTopicThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []*connect.Chain{
		chain(t, connect.KindSource, one("RegexRouter", "regex=orders", "replacement=a b")...),
		chain(t, connect.KindSource, one("Expression", `topic=""`)...),
	} {
		if _, err := c.Apply(message("k", "v")); oms.CodeOf(err) != oms.ErrInvalid || !strings.Contains(err.Error(), "topic") {
			t.Errorf("error %v, want ErrInvalid", err)
		}
	}
}

func TestTimestampRouter(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"":                             "orders-20240229",
		"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'": "orders-2024-02-29T13:04:05.067Z",
		"yy.M.d":                       "orders-24.2.29",
		"MMM.MMMM.E.EEEE.u.D.DDDDD":    "orders-Feb.February.Thu.Thursday.4.60.00060",
		"h.hh.K.k.a.S.SSSSS":           "orders-1.01.1.13.PM.67.00067",
		"z_Z_X_zzzz_''_'it''s'":        "orders-UTC_+0000_Z_Coordinated Universal Time_'_it's",
	} {
		config := one("TimestampRouter")
		if format != "" {
			config = one("TimestampRouter", "timestamp.format="+format)
		}
		out, err := chain(t, connect.KindSink, config...).Apply(received("k", "v"))
		if strings.Contains(want, " ") {
			if oms.CodeOf(err) != oms.ErrInvalid {
				t.Errorf("%s: error %v, want ErrInvalid for a topic with a space", format, err)
			}
			continue
		}
		if err != nil || out.Topic != want {
			t.Errorf("%s: %v, error %v; want %s", format, out, err, want)
		}
	}
	out, err := chain(t, connect.KindSource, one("TimestampRouter", "topic.format=${timestamp}/${topic}", "timestamp.format=yyyy")...).Apply(message("k", "v"))
	if err != nil || out.Topic != "2024/orders" {
		t.Errorf("%v, error %v; want 2024/orders", out, err)
	}
	m := message("k", "v")
	m.BornAt = time.Time{}
	if _, err := chain(t, connect.KindSource, one("TimestampRouter")...).Apply(m); oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "no timestamp") {
		t.Errorf("without a timestamp: error %v, want ErrFormat", err)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config []string
		body   string
		want   string // headers, then the body
	}{
		{one("InsertHeader", "header=a", "value.literal=x y"), "v", "a=1 b a=2 a=x y; v"},
		{one("InsertHeader", "header=n", "value.literal=null"), "v", "a=1 b a=2 n; v"},
		{one("DropHeaders", "headers=a,missing"), "v", "b; v"},
		{one("HeaderFrom$Value", "fields=s,i,l,n,missing", "headers=S,I,L,N,M", "operation=copy"), `{"s":"x","i":1.50,"l":[1,"a"],"n":null}`, `a=1 b a=2 S=x I=1.50 L=[1,"a"] N M; {"s":"x","i":1.50,"l":[1,"a"],"n":null}`},
		{one("HeaderFrom$Value", "fields=id,blob", "headers=a,b", "operation=move"), row1(awkward...), "a=1 b a=2 a=9007199254740993 b=AP8=; " + row1(append([]string{awkward[1]}, awkward[3:]...)...)},
		{one("HeaderFrom$Value", "fields=x", "headers=x", "operation=copy"), row1(awkward...), `error: no field "x"`},
		{one("HeaderFrom$Value", "fields=x", "headers=x", "operation=copy"), "null", `error: the value is null`},
		{one("Expression", `headers={"a": nil, "c": 1 + 1, "b": value.x}`), `{"x":"y"}`, `b=y c=2; {"x":"y"}`},
	} {
		m := message("k", c.body)
		out, err := chain(t, connect.KindSource, c.config...).Apply(m)
		if wrong, ok := strings.CutPrefix(c.want, "error: "); ok {
			if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), wrong) {
				t.Errorf("%q: error %v, want ErrFormat with %q", c.config, err, wrong)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.config, err)
			continue
		}
		if got := headers(out.Headers) + "; " + string(out.Body); got != c.want {
			t.Errorf("%q: %s\n want %s", c.config, got, c.want)
		}
		if got := headers(m.Headers); got != "a=1 b a=2" {
			t.Errorf("%q has changed the message's own headers to %s", c.config, got)
		}
	}
}

func TestFilterDropsWhatItsPredicateSays(t *testing.T) {
	t.Parallel()
	other := message("k", "v")
	other.Topic, other.Headers = "orders-2", nil
	for _, c := range []struct {
		predicate string
		key       string
		message   *oms.Message
		holds     bool
	}{
		{"TopicNameMatches", "pattern=ord.*", message("k", "v"), true},
		{"TopicNameMatches", "pattern=ord", message("k", "v"), false},
		{"org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "pattern=orders-[0-9]", other, true},
		{"HasHeaderKey", "name=b", message("k", "v"), true},
		{"HasHeaderKey", "name=B", message("k", "v"), false},
		{"HasHeaderKey", "name=a", other, false},
		{"RecordIsTombstone", "", message("k", "null"), true},
		{"RecordIsTombstone", "", message("k", ""), false},
		{"Expression", "condition=value.n > 5 and key == 'k' and topic == 'orders' and headers.a == '2'", message("k", `{"n":9007199254740993}`), true},
		{"Expression", "condition=value.n == 9007199254740992", message("k", `{"n":9007199254740993}`), false},
		{"Expression", "condition=value == nil", message("k", "null"), true},
		{"Expression", "condition=number(value.price) > 12.4 and text(value.price) == '12.50'", message("k", row1(awkward...)), true},
		{"Expression", "condition=offset == 9007199254740993 and partition == 3 and timestamp == 1709211845067", received("k", "v"), true},
	} {
		for _, negate := range []string{"", "false", "true"} {
			config := append(one("Filter", "predicate=p"), "predicates=p", "predicates.p.type="+c.predicate)
			if c.key != "" {
				config = append(config, "predicates.p."+c.key)
			}
			if negate != "" {
				config = append(config, "transforms.x.negate="+negate)
			}
			out, err := chain(t, connect.KindSource, config...).Apply(c.message)
			if want := c.holds != (negate == "true"); err != nil || (out == nil) != want {
				t.Errorf("%s %s, negate %s: %v, error %v; want dropped %v", c.predicate, c.key, negate, out, err, want)
			}
		}
	}
	if out, err := chain(t, connect.KindSource, one("Filter")...).Apply(message("k", "v")); out != nil || err != nil {
		t.Errorf("without a predicate: %v, %v; want it dropped", out, err)
	}
}
