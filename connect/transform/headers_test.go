package transform_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// withHeaders returns a message with headers name=value, name for one without
// a value.
func withHeaders(hs ...string) *oms.Message {
	m := message("k", `{"a":"x"}`)
	m.Headers = nil
	for _, h := range hs {
		name, value, ok := strings.Cut(h, "=")
		if ok {
			m.Headers = append(m.Headers, oms.Header{Name: name, Value: []byte(value)})
		} else {
			m.Headers = append(m.Headers, oms.Header{Name: name})
		}
	}
	return m
}

func TestHeadersOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config []string
		in     []string
		want   string
	}{
		{one("InsertHeader", "header=h", "value.literal=1"), nil, "h=1"},
		{one("InsertHeader", "header=h", "value.literal=1"), []string{"h=0", "g", "h"}, "h=0 g h h=1"},
		{one("InsertHeader", "header=h", "value.literal=NULL"), nil, "h=NULL"},
		{one("InsertHeader", "header=h é", "value.literal=1.50"), nil, "h é=1.50"},
		{one("InsertHeader", "header=h", `value.literal={"a": [1]}`), nil, `h={"a": [1]}`},
		{one("DropHeaders", "headers=h"), nil, ""},
		{one("DropHeaders", "headers=h, g"), []string{"h=1", "H=2", "g", "h", "i="}, "H=2 i="},
		{one("DropHeaders", "headers=h*"), []string{"h=1", "h*=2"}, "h=1"},
		{one("HeaderFrom$Value", "fields=a,a", "headers=h,h", "operation=copy"), []string{"h=0"}, "h=0 h=x h=x"},
		{one("HeaderFrom$Value", "fields=a,a", "headers=h,g", "operation=move"), nil, "h=x g=x"},
		{one("Expression", `headers={"h": "y"}`), []string{"h=1", "g=2", "h=3"}, "g=2 h=y"},
		{one("Expression", `headers={"h": nil}`), []string{"h=1", "g=2", "h=3"}, "g=2"},
		{one("Expression", `headers={"n": 1, "f": 1.5, "b": true, "l": [1, "a"], "o": {"a": nil}}`), nil, `b=true f=1.5 l=[1,"a"] n=1 o={"a":null}`},
		{one("Expression", `headers={"h": headers.h + "!"}`), []string{"h=1", "h=2"}, "h=2!"}, // the last one counts
		{one("Expression", `headers={"h": len(headers), "i": headers.none}`), []string{"g"}, "g h=1 i="},
	} {
		m := withHeaders(c.in...)
		before := headers(m.Headers)
		out, err := chain(t, connect.KindSource, c.config...).Apply(m)
		if err != nil || headers(out.Headers) != c.want {
			t.Errorf("%q of %q: %v, %v; want %s", c.config[1:], c.in, out, err, c.want)
		}
		if got := headers(m.Headers); got != before {
			t.Errorf("%q has changed the message's own headers from %s to %s", c.config[1:], before, got)
		}
	}
}

// TestHeadersOfMessagesThatShareThemAreNotMixedUp: messages of a source may
// have one list of headers with room behind it.
func TestHeadersOfMessagesThatShareThemAreNotMixedUp(t *testing.T) {
	t.Parallel()
	shared := append(make(oms.Headers, 0, 8), oms.Header{Name: "a", Value: []byte("1")})
	for _, config := range [][]string{
		one("InsertHeader", "header=h", "value.literal=1"), one("HeaderFrom$Value", "fields=a", "headers=h", "operation=copy"), one("Expression", `headers={"h": value.a}`),
	} {
		c := chain(t, connect.KindSource, config...)
		var all []*oms.Message
		for i := range 3 {
			m := message("k", fmt.Sprintf(`{"a":"%d"}`, i))
			m.Headers = shared
			out, err := c.Apply(m)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, out)
		}
		for i, m := range all {
			want := fmt.Sprintf("a=1 h=%d", i)
			if config[1] == "transforms.x.type=InsertHeader" {
				want = "a=1 h=1"
			}
			if got := headers(m.Headers); got != want {
				t.Errorf("%q: message %d has %s, want %s", config[1], i, got, want)
			}
		}
		if got := headers(shared[:cap(shared)][:2]); got != "a=1" {
			t.Errorf("%q has written behind the shared headers: %s", config[1], got)
		}
	}
}

// TestRandomHeadersAgreeWithAModel drops and inserts in random order.
func TestRandomHeadersAgreeWithAModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	names := []string{"a", "b", "c", "d"}
	for range 200 {
		var model []string
		for range r.IntN(6) {
			model = append(model, names[r.IntN(len(names))]+"=0")
		}
		m := withHeaders(model...)
		var config, aliases []string
		for i := range 1 + r.IntN(6) {
			name, alias := names[r.IntN(len(names))], fmt.Sprintf("t%d", i)
			aliases = append(aliases, alias)
			if r.IntN(2) == 0 {
				value := fmt.Sprint(i + 1)
				config = append(config, "transforms."+alias+".type=InsertHeader", "transforms."+alias+".header="+name, "transforms."+alias+".value.literal="+value)
				model = append(model, name+"="+value)
				continue
			}
			config = append(config, "transforms."+alias+".type=DropHeaders", "transforms."+alias+".headers="+name)
			var left []string
			for _, h := range model {
				if !strings.HasPrefix(h, name+"=") {
					left = append(left, h)
				}
			}
			model = left
		}
		out, err := chain(t, connect.KindSource, append(config, "transforms="+strings.Join(aliases, ","))...).Apply(m)
		if err != nil || headers(out.Headers) != strings.Join(model, " ") {
			t.Fatalf("%q: %v, %v; want %q", config, out, err, model)
		}
	}
}
