package transform_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/transform"
	"github.com/omconnect/omconnect/oms"
)

// everything is a chain that uses every kind of transform.
var everything = []string{
	"transforms=f,e,j,i,r,m,c,k,x,h,d,n,t,g", "predicates=p,q", "predicates.p.type=Expression", "predicates.p.condition=value.n % 10 == 3", "predicates.q.type=HasHeaderKey", "predicates.q.name=no",
	"transforms.f.type=Filter", "transforms.f.predicate=p", "transforms.e.type=Expression", `transforms.e.value=merge(value, {"twice": value.n * 2})`,
	"transforms.j.type=JQ", "transforms.j.program=.thrice = .n * 3", "transforms.i.type=InsertField$Value", "transforms.i.static.field=s", "transforms.i.static.value=v",
	"transforms.r.type=ReplaceField$Value", "transforms.r.renames=s:z", "transforms.m.type=MaskField$Value", "transforms.m.fields=pass",
	"transforms.c.type=Cast$Value", "transforms.c.spec=twice:string", "transforms.k.type=ValueToKey", "transforms.k.fields=n", "transforms.x.type=ExtractField$Key", "transforms.x.field=n",
	"transforms.h.type=HeaderFrom$Value", "transforms.h.fields=thrice", "transforms.h.headers=thrice", "transforms.h.operation=move", "transforms.d.type=DropHeaders", "transforms.d.headers=a,b",
	"transforms.n.type=InsertHeader", "transforms.n.header=n", "transforms.n.value.literal=1", "transforms.n.predicate=q", "transforms.n.negate=true",
	"transforms.t.type=RegexRouter", "transforms.t.regex=(.*)", "transforms.t.replacement=$1-2", "transforms.g.type=Flatten$Value",
	"value.converter=json",
}

// TestChainsOfSeveralTasksShareNothing: each task has a chain of its own, and
// all of them come from the same plugins.
func TestChainsOfSeveralTasksShareNothing(t *testing.T) {
	t.Parallel()
	const tasks, records = 8, 200
	var wg sync.WaitGroup
	for task := range tasks {
		wg.Go(func() {
			c, err := tryChain(connect.KindSource, everything...)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for i := range records {
				n := task*records + i
				body, want := fmt.Sprintf(`{"n":%d,"pass":"p%d"}`, n, n), fmt.Sprintf(`{"schema":null,"payload":{"n":%d,"pass":"","twice":"%d","z":"v"}}`, n, 2*n)
				if task%2 == 0 { // other columns than those of the other tasks
					body = row1(fmt.Sprintf("n:int64:%d", n), fmt.Sprintf(`pass:text:"p%d"`, n))
					want = enveloped(fmt.Sprintf(`{"n":%d,"pass":"","twice":"%d","z":"v"}`, n, 2*n), `n:"type":"int64","optional":true`, `pass:"type":"string","optional":true`, `twice:"type":"string","optional":true`, `z:"type":"string","optional":true`)
				}
				out, err := c.Apply(message("null", body))
				if n%10 == 3 {
					if out != nil || err != nil {
						t.Errorf("%d became %s, %v; want it dropped", n, shown(out), err)
					}
					continue
				}
				if err != nil || string(out.Body) != want || string(out.Key) != fmt.Sprint(n) || headers(out.Headers) != fmt.Sprintf("thrice=%d n=1", 3*n) || out.Topic != "orders-2" {
					t.Errorf("%d became %s with %s, %v\nwant %s", n, shown(out), headers(out.Headers), err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// bad is a transform that panics in several ways, or returns what it should
// not.
type bad string

func (b bad) Apply(r *connect.Record) (*connect.Record, error) {
	if v, err := r.Get(connect.PartValue); err != nil || v != "bad" {
		return r, err
	}
	switch b {
	case "value":
		panic("no luck")
	case "error":
		panic(fmt.Errorf("no luck"))
	case "runtime":
		list := []int{}
		_ = list[len(b)]
	case "channel":
		r.Set(connect.PartValue, make(chan int))
	case "int":
		r.Set(connect.PartValue, 7) // it would have to be an int64
	case "in a list":
		r.Set(connect.PartValue, []any{struct{}{}})
	case "struct":
		r.Set(connect.PartValue, &connect.Struct{Typed: true, Fields: []connect.Field{{Name: "a", Type: connect.DataInt64, Value: struct{}{}}}})
	case "nil struct":
		r.Set(connect.PartValue, (*connect.Struct)(nil))
	}
	return r, nil
}

// TestTransformThatBreaksItsContractFailsItsRecordOnly: the chain goes on with
// the next record as if nothing had been.
func TestTransformThatBreaksItsContractFailsItsRecordOnly(t *testing.T) {
	t.Parallel()
	for how, converters := range map[bad][]string{
		"value": {"", "json", "row"}, "error": {""}, "runtime": {""}, "channel": {"", "json", "bytes", "string"}, "int": {"", "json", "bytes", "row"}, "struct": {"", "json", "row"},
		"in a list": {"", "json"}, "nil struct": {"", "json", "row"},
	} {
		for _, converter := range converters {
			plugins := new(connect.Plugins)
			transform.Register(plugins)
			plugins.RegisterTransform(connect.TransformPlugin{Type: "Bad", Doc: "Fails.", New: func(oms.KeyValue) (connect.Transform, error) { return how, nil }})
			config := oms.KeyValue{"name": "orders", "transforms": "ok,x", "transforms.ok.type": "InsertHeader", "transforms.ok.header": "h", "transforms.ok.value.literal": "1", "transforms.x.type": "Bad"}
			if converter != "" {
				config["value.converter"] = converter
			}
			c, err := connect.NewChain(plugins, connect.KindSource, config)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				out, err := c.Apply(message("s3cr3t", "bad"))
				if err == nil || !strings.Contains(err.Error(), "connector orders") || strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("%s with %q became %s, error %v; want a failure that names the connector", how, converter, shown(out), err)
				}
				if _, err := c.Apply(message("k", `{"a":1}`)); err != nil {
					t.Errorf("%s with %q: the next record fails: %v", how, converter, err)
				}
			}
			c.Close()
		}
	}
}
