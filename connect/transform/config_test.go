package transform_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/transform"
	"github.com/omconnect/omconnect/oms"
)

// problems returns what is wrong with a configuration, by key.
func problems(t *testing.T, kind connect.Kind, config ...string) map[string]string {
	t.Helper()
	_, err := tryChain(kind, config...)
	found := make(map[string]string)
	wrong, ok := errors.AsType[oms.KeyErrors](err)
	if err != nil && (!ok || !errors.Is(err, oms.ErrInvalid)) {
		t.Fatalf("%q: error %v, want KeyErrors", config, err)
	}
	for _, w := range wrong {
		found[w.Key] += w.Problem
	}
	return found
}

func TestEverythingThatIsWrongIsToldAtOnceWithItsKey(t *testing.T) {
	t.Parallel()
	got := problems(
		t, connect.KindSource,
		"transforms=a, b,a ,c,d,e,f,g,h,i,j,k", "predicates=p,q,r,r,s",
		"transforms.a.type=RegexRouter", "transforms.a.regex=(", "transforms.a.predicat=p",
		"transforms.c.type=Unheard", "transforms.d.type=Expression", "transforms.d.filter=value.", "transforms.d.topic=now()",
		"transforms.e.type=JQ", "transforms.e.program=.[", "transforms.f.type=InsertField$Value", "transforms.f.offset.field=o", "transforms.f.static.field=s",
		"transforms.g.type=Filter", "transforms.g.negate=perhaps", "transforms.h.type=Filter", "transforms.h.predicate=z", "transforms.h.negate=true",
		"transforms.i.type=RegexRouter", "transforms.i.regex=a", "transforms.i.replacement=$1", "transforms.j.type=Cast$Value", "transforms.j.spec=a:int12",
		"transforms.k.type=HeaderFrom$Value", "transforms.k.fields=a", "transforms.k.headers=b,c", "transforms.k.operation=shift", "transforms.z.type=Filter",
		"predicates.p.type=TopicNameMatches", "predicates.p.pattern=[", "predicates.q.type=Filter", "predicates.s.type=Expression", "predicates.s.condition=1", "predicates.t.x=1",
		"value.converter=avro", "key.converter=json", "key.converter.schemas.enable=maybe", "key.converter.decimal.format=octal", "key.converter.colour=red",
	)
	want := map[string]string{
		"transforms": `"a" stands there twice`, "transforms.a.regex": "missing closing", "transforms.a.replacement": "missing", "transforms.a.predicat": "unknown key",
		"transforms.b.type": "missing", "transforms.c.type": `no transform "Unheard"`, "transforms.d.filter": "not an expression", "transforms.d.topic": "not an expression",
		"transforms.e.program": "not a jq program", "transforms.f.static.value": "static.field needs it", "transforms.g.negate": "neither true nor false",
		"transforms.h.predicate": `does not list "z"`, "transforms.i.replacement": "not followed by a group", "transforms.j.spec": "field:type", "transforms.k.operation": "not one of",
		"transforms.z.type": `does not list the alias "z"`, "predicates": `used by no transform`, "predicates.p.pattern": "missing closing", "predicates.q.type": `no predicate "Filter"`,
		"predicates.r.type": "missing", "predicates.s.condition": "not an expression", "predicates.t.x": `does not list the alias "t"`,
		"value.converter": `no converter "avro"`, "key.converter.schemas.enable": "neither true nor false", "key.converter.decimal.format": "BASE64", "key.converter.colour": "unknown key",
	}
	for key, text := range want {
		if !strings.Contains(got[key], text) {
			t.Errorf("%s: %q, want it to say %q", key, got[key], text)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestKeysOfAKindAreChecked(t *testing.T) {
	t.Parallel()
	config := one("InsertField$Value", "offset.field=o")
	if got := problems(t, connect.KindSource, config...); !strings.Contains(got["transforms.x.offset.field"], "use it in a sink") {
		t.Errorf("%v, want offset.field to be refused on a source", got)
	}
	if got := problems(t, connect.KindSink, config...); len(got) != 0 {
		t.Errorf("%v, want none on a sink", got)
	}
}

func TestChainThatContradictsItselfIsRefused(t *testing.T) {
	t.Parallel()
	links := func(types ...string) []string {
		var config, aliases []string
		for i, typ := range types {
			name := fmt.Sprintf("t%d", i)
			aliases = append(aliases, name)
			typ, rest, _ := strings.Cut(typ, " ")
			config = append(config, "transforms."+name+".type="+typ)
			for k := range strings.FieldsSeq(rest) {
				config = append(config, "transforms."+name+"."+k)
			}
		}
		return append(config, "transforms="+strings.Join(aliases, ","))
	}
	const insert, castAll, extract = "InsertField$Value topic.field=t", "Cast$Value spec=int64", "ExtractField$Value field=a"
	for _, c := range []struct {
		kind   connect.Kind
		config []string
		key    string // "" for none
		text   string
	}{
		{connect.KindSource, links(castAll, insert), "transforms.t1.type", "single value after transforms.t0.type"},
		{connect.KindSource, links(insert, castAll), "", ""},
		{connect.KindSource, links(castAll, castAll), "", ""},
		{connect.KindSource, links(castAll, "JQ program={a:.}", insert), "", ""},
		{connect.KindSource, links("Flatten$Value", extract, "ReplaceField$Value exclude=b"), "transforms.t2.type", "needs a structure"},
		{connect.KindSource, links(extract, insert), "", ""}, // it may extract a structure
		{connect.KindSource, links("Cast$Key spec=string", "ExtractField$Key field=a"), "transforms.t1.type", "the key is a single value"},
		{connect.KindSource, links("Cast$Key spec=string", "ValueToKey fields=a", "ExtractField$Key field=a"), "", ""},
		{connect.KindSource, append(links(castAll, insert), "predicates=p", "predicates.p.type=RecordIsTombstone", "transforms.t1.predicate=p"), "", ""},
		{connect.KindSource, append(links(castAll, insert), "predicates=p", "predicates.p.type=RecordIsTombstone", "transforms.t0.predicate=p"), "", ""},
		{connect.KindSink, append(links(insert), "value.converter=string"), "transforms.t0.type", "after value.converter"},
		{connect.KindSource, append(links(insert), "value.converter=string"), "", ""},
		{connect.KindSink, append(links(extract, insert), "value.converter=row"), "transforms.t1.type", "needs a structure"},
		{connect.KindSource, append(links(insert), "value.converter=bytes"), "value.converter", "single values only"},
		{connect.KindSource, append(links(castAll), "value.converter=row"), "value.converter", "structures only"},
	} {
		got := problems(t, c.kind, c.config...)
		if c.key == "" && len(got) != 0 || c.key != "" && (len(got) != 1 || !strings.Contains(got[c.key], c.text)) {
			t.Errorf("%s %q: %v, want %q with %q", c.kind, c.config, got, c.key, c.text)
		}
	}
}

func TestAliasesMayHaveDotsAndTypesKafkaConnectsNames(t *testing.T) {
	t.Parallel()
	c := chain(
		t, connect.KindSource, "transforms= a.b ,a", "transforms.a.b.type= InsertHeader", "transforms.a.b.header=h", "transforms.a.b.value.literal=1",
		"transforms.a.type=org.apache.kafka.connect.transforms.MaskField$Value", "transforms.a.fields=x",
		"value.converter=org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable=false",
		"key.converter=StringConverter", "key.converter.schemas.enable=false",
	)
	out, err := c.Apply(message("k", `{"x":1}`))
	if err != nil || shown(out) != `k {"x":0}` || headers(out.Headers) != "a=1 b a=2 h=1" {
		t.Errorf("%s, %v", shown(out), err)
	}
}

func TestSecretsOfATransformAreMasked(t *testing.T) {
	t.Parallel()
	plugins := new(connect.Plugins)
	transform.Register(plugins)
	plugins.RegisterTransform(connect.TransformPlugin{
		Type: "Seal", Doc: "Seals.", Def: connect.ConfigDef{Keys: []connect.Key{{Name: "salt", Secret: true, Doc: "Salt."}, {Name: "size", Type: connect.Int, Secret: true, Default: "1", Doc: "Size."}}},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			return nil, fmt.Errorf("the salt %s is bad", config["salt"])
		},
	})
	for _, key := range []string{"salt", "size"} {
		_, err := connect.NewChain(plugins, connect.KindSource, oms.KeyValue{"transforms": "s", "transforms.s.type": "Seal", "transforms.s." + key: "s3cr3t"})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "xxxxx") || !strings.Contains(err.Error(), "transforms.s.") {
			t.Errorf("%s: error %v, want one that names the key and hides its value", key, err)
		}
	}
}

// TestRandomMessagesThroughAChain holds a chain of many transforms to a model
// written by hand.
func TestRandomMessagesThroughAChain(t *testing.T) {
	t.Parallel()
	c := chain(
		t, connect.KindSource, "transforms=drop,mask,rename,insert,key,id,route", "predicates=old",
		"predicates.old.type=Expression", "predicates.old.condition=(value?.age ?? 0) < 18",
		"transforms.drop.type=Filter", "transforms.drop.predicate=old", "transforms.mask.type=MaskField$Value", "transforms.mask.fields=pass",
		"transforms.rename.type=ReplaceField$Value", "transforms.rename.renames=nr:id", "transforms.rename.exclude=junk",
		"transforms.insert.type=InsertField$Value", "transforms.insert.static.field=from", "transforms.insert.static.value=x",
		"transforms.key.type=ValueToKey", "transforms.key.fields=id", "transforms.id.type=ExtractField$Key", "transforms.id.field=id",
		"transforms.route.type=RegexRouter", "transforms.route.regex=(.*)", "transforms.route.replacement=$1-out",
	)
	r := rand.New(rand.NewPCG(7, 11))
	const messages = 10_000
	dropped := 0
	for range messages {
		id, age := r.Int64()-1<<62, r.IntN(40)
		fields := []string{fmt.Sprintf(`"nr":%d`, id), fmt.Sprintf(`"age":%d`, age), `"junk":[{"a":null}]`, fmt.Sprintf(`"pass":"p%d"`, r.IntN(9)), `"r":` + []string{"1.50", "1e400", `"é\""`, "{}"}[r.IntN(4)]}
		r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		var want []string
		for _, f := range fields {
			switch {
			case strings.HasPrefix(f, `"junk"`):
			case strings.HasPrefix(f, `"pass"`):
				want = append(want, `"pass":""`)
			default:
				want = append(want, strings.Replace(f, `"nr"`, `"id"`, 1))
			}
		}
		out, err := c.Apply(message("null", "{"+strings.Join(fields, ",")+"}"))
		if err != nil {
			t.Fatal(err)
		}
		if age < 18 {
			dropped++
			if out != nil {
				t.Fatalf("%q was not dropped", fields)
			}
			continue
		}
		if got, want := shown(out), fmt.Sprintf(`%d {%s,"from":"x"}`, id, strings.Join(want, ",")); got != want || out.Topic != "orders-out" {
			t.Fatalf("%q became %s in %s\nwant %s", fields, got, out.Topic, want)
		}
	}
	if dropped < messages/4 || dropped > messages*3/4 {
		t.Errorf("%d of %d messages were dropped", dropped, messages)
	}
}
