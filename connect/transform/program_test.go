package transform_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
)

func TestExpressionSetsWhatItReturns(t *testing.T) {
	t.Parallel()
	run(t, []caseOf{
		{"merge", false, []string{"Expression", `value=merge(value, {"total": value.n * 2, "a": nil})`}, "", `{"b":1.50,"n":4,"big":12345678901234567890.5}`, `null {"b":1.50,"n":4,"big":12345678901234567890.5,"a":null,"total":8}`},
		{"key of the value", false, []string{"Expression", "key=value.id"}, "", `{"id":9007199254740993}`, `9007199254740993 {"id":9007199254740993}`},
		{"all as it came", false, []string{"Expression", "key=value.a", "value=key"}, "k", `{"a":"x"}`, `x k`},
		{"filter", false, []string{"Expression", "filter=value.n > 1"}, "", `{"n":1}`, "dropped"},
		{"filter and map", false, []string{"Expression", "filter=value.n > 1", "value={'m': value.n}"}, "", `{"n":2}`, `null {"m":2}`},
		{
			"row stays a row", false,
			[]string{"Expression", `value=merge(value, {"price": value.price, "copy": value.price, "twice": number(value.price) * 2, "n": len("abc")})`},
			"", row1(awkward...),
			"null " + row1(with(awkward, `copy:decimal:"12.50"`, `n:int64:3`, `twice:float64:25.0`)...),
		},
		{"type of a column changes with its value", false, []string{"Expression", `value=merge(value, {"id": "x", "price": nil})`}, "", row1(`*id:int64:1`, `price:decimal:"1.5"`), "null " + row1(`*id:text:"x"`, `price:decimal:null`)},
		{"tombstone", false, []string{"Expression", "value=nil"}, "k", "v", "k null"},
		{"list", false, []string{"Expression", "value=map(value.l, # + 1)"}, "", `{"l":[1,2]}`, `null [2,3]`},
		{"missing field", false, []string{"Expression", "filter=value.n > 1"}, "", `{"secret":"s3cr3t"}`, "error: the expression fails for this record"},
		{"not a boolean", false, []string{"Expression", "filter=value.n"}, "", `{"n":"s3cr3t"}`, "error: the expression fails"},
		{"topic that is no text", false, []string{"Expression", "topic=value.n"}, "", `{"n":1}`, "error: no text"},
	})
}

func TestJQ(t *testing.T) {
	t.Parallel()
	run(t, []caseOf{
		{"reshape", false, []string{"JQ", `program={id, name: .user.name}`}, "", `{"id":9007199254740993,"user":{"name":"x"}}`, `null {"id":9007199254740993,"name":"x"}`},
		{"digits and order stay", false, []string{"JQ", `program=.z = 1`}, "", `{"y":1.50,"x":{"b":1,"a":2},"big":123456789012345678901234567890}`, `null {"y":1.50,"x":{"b":1,"a":2},"big":123456789012345678901234567890,"z":1}`},
		{"drop", false, []string{"JQ", `program=select(.n > 1)`}, "", `{"n":1}`, "dropped"},
		{"keep", false, []string{"JQ", `program=select(.n > 1)`}, "", `{"n":2}`, `null {"n":2}`},
		{"several", false, []string{"JQ", `program=.[]`}, "", `[1,2]`, "error: more than one result"},
		{"list", false, []string{"JQ$Value", `program=map(. + 1)`}, "", `[1,2]`, "null [2,3]"},
		{"row", false, []string{"JQ", `program=.n = 1 | del(.raw)`}, "", row1(awkward...), "null " + row1(append(append(append([]string{}, awkward[:6]...), awkward[7:]...), `n:int64:1`)...)},
		{"key", false, []string{"JQ$Key", `program=.id`}, `{"id":7}`, "v", "7 v"},
		{"text", false, []string{"JQ", `program=ascii_upcase`}, "", "abc", "null ABC"},
		{"null", false, []string{"JQ", `program=1`}, "", "null", "null null"},
		{"bytes", false, []string{"JQ", `program=.`}, "", "\xff", "error: no text"},
		{"failure", false, []string{"JQ", `program=.a + 1`}, "", `{"a":"s3cr3t"}`, "error: the program fails"},
		{"halt", false, []string{"JQ", `program=halt`}, "", `{}`, "error: halts"},
		{"no environment", false, []string{"JQ", `program=env | length`}, "", `{}`, "null 0"},
	})
}

// TestErrorsNeverQuoteTheRecord holds for everything that fails: the record
// has the same secret in every place.
func TestErrorsNeverQuoteTheRecord(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	failed := 0
	for _, config := range [][]string{
		one("Expression", "filter=value.a > 1"), one("Expression", "filter=int(value.a) > 1"), one("Expression", "value=number(value.a)"), one("Expression", "topic=value.l"),
		one("Expression", "filter=value.a"), one("JQ", "program=.a + 1"), one("JQ", "program=.a | fromjson"), one("JQ", "program=error(.a)"), one("JQ", "program=.a.b"),
		one("Cast$Value", "spec=a:int8"), one("Cast$Value", "spec=int8"), one("Cast$Key", "spec=k:float64"), one("MaskField$Value", "fields=o", "replacement=1"),
		one("ExtractField$Value", "field=a.b", "field.syntax.version=V2"), one("InsertField$Key", "topic.field=x"),
		{"key.converter=json"},
		{"value.converter=json"},
		{"value.converter=row"},
		{"key.converter=row"},
		one("RegexRouter", "regex=(.*)", "replacement=$1 x"),
	} {
		for _, kind := range []connect.Kind{connect.KindSource, connect.KindSink} {
			for _, body := range []string{
				`{"a":"s3cr3t","l":["s3cr3t"],"o":{"s3cr3t":[]}}`, `s3cr3t`, `{"a":s3cr3t}`, `{"schema":{"type":"int8"},"payload":"s3cr3t"}`, `{"schema":{"type":"s3cr3t"},"payload":1}`,
				row1(`a:text:"s3cr3t"`, `l:int64:"s3cr3t"`), `{"form":1,"schema":{"table":"t","columns":[]},"row":{"a":"s3cr3t"}}`,
			} {
				m := message(secret, body)
				if kind == connect.KindSink {
					m = received(`{"k":"s3cr3t"}`, body)
				}
				if _, err := chain(t, kind, config...).Apply(m); err != nil {
					failed++
					if strings.Contains(err.Error(), secret) {
						t.Errorf("%q with %s: the error quotes the record: %v", config, body, err)
					}
					if !strings.Contains(err.Error(), "connector orders") {
						t.Errorf("%q: the error does not name the connector: %v", config, err)
					}
				}
			}
		}
	}
	if failed < 100 {
		t.Errorf("%d records failed, want most of them", failed)
	}
}
