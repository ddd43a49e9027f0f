package transform_test

import (
	"math"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
)

func rowOf(i int64, s string, b []byte, n float64, ok bool) ([]byte, error) {
	if b == nil {
		b = []byte{}
	}
	if math.IsNaN(n) {
		n = math.Inf(1)
	}
	_, body, err := row.Encode(row.Row{
		Table:   "t",
		Columns: []row.Column{{Name: "i", Type: row.TypeInt64}, {Name: "s", Type: row.TypeText}, {Name: "b", Type: row.TypeBytes}, {Name: "n", Type: row.TypeFloat64}, {Name: "ok", Type: row.TypeBoolean}},
		Values:  []any{i, s, b, n, ok},
	})
	return body, err
}

// BenchmarkChain compares records that pass with records through transforms.
func BenchmarkChain(b *testing.B) {
	object := `{"id":7,"name":"somebody","mail":"a@example.org","amount":12.50,"tags":["a","b"],"address":{"city":"x","zip":"12345"}}`
	for _, c := range []struct {
		name   string
		config []string
		body   string
		sink   bool
	}{
		{"nothing", nil, object, false},
		{"header", one("InsertHeader", "header=h", "value.literal=1"), object, false},
		{"route", one("RegexRouter", "regex=(.*)", "replacement=x-$1"), object, false},
		{"object", one("InsertField$Value", "topic.field=t"), object, false},
		{"row", one("InsertField$Value", "topic.field=topic"), typical, false},
		{"expression", one("Expression", "filter=value.id > 1"), object, false},
		{"jq", one("JQ", "program={id, name}"), object, false},
		{"json with schema", []string{"value.converter=json"}, typical, false},
		{"json with schema, read", []string{"value.converter=json"}, envelope, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			kind := connect.KindSource
			if c.sink {
				kind = connect.KindSink
			}
			ch := chain(b, kind, c.config...)
			m := message("k", c.body)
			b.ReportAllocs()
			b.SetBytes(int64(len(m.Body)))
			for b.Loop() {
				if _, err := ch.Apply(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
