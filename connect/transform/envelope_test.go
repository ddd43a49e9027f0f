package transform_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const logical = `"name":"org.apache.kafka.connect.data.`

// enveloped is a value of a struct t with its schema, as Kafka Connect writes
// it, from name and schema of each field, and a payload.
func enveloped(payload string, fields ...string) string {
	var list []string
	for _, f := range fields {
		name, schema, _ := strings.Cut(f, ":")
		list = append(list, `{`+schema+`,"field":"`+name+`"}`)
	}
	return `{"schema":{"type":"struct","fields":[` + strings.Join(list, ",") + `],"optional":false,"name":"t"},"payload":` + payload + `}`
}

// TestSchemasAreReadWithEveryType holds for each type of a schema what becomes
// of its values, of null and of what does not fit.
func TestSchemasAreReadWithEveryType(t *testing.T) {
	t.Parallel()
	in := chain(t, connect.KindSink, "value.converter=json")
	for _, c := range []struct{ schema, payload, want string }{ // want is the column of the row; "error"
		{`"type":"int8"`, `-128`, `int64:-128`},
		{`"type":"int8"`, `128`, "error"},
		{`"type":"int8"`, `1.0`, "error"},
		{`"type":"int8"`, `"1"`, "error"},
		{`"type":"int8"`, `true`, "error"},
		{`"type":"int16"`, `32767`, `int64:32767`},
		{`"type":"int16"`, `-32769`, "error"},
		{`"type":"int32"`, `-2147483648`, `int64:-2147483648`},
		{`"type":"int32"`, `2147483648`, "error"},
		{`"type":"int64"`, `9007199254740993`, `int64:"9007199254740993"`},
		{`"type":"int64"`, `-9223372036854775808`, `int64:"-9223372036854775808"`},
		{`"type":"int64"`, `9223372036854775808`, "error"},
		{`"type":"float"`, `0.5`, `float64:0.5`},
		{`"type":"float"`, `"NaN"`, `float64:"NaN"`},
		{`"type":"float"`, `1e39`, "error"},
		{`"type":"double"`, `1e300`, `float64:1e+300`},
		{`"type":"double"`, `7`, `float64:7.0`},
		{`"type":"double"`, `"-Infinity"`, `float64:"-Infinity"`},
		{`"type":"double"`, `"1.5"`, "error"},
		{`"type":"boolean"`, `false`, `boolean:false`},
		{`"type":"boolean"`, `0`, "error"},
		{`"type":"string"`, `"é\u0000"`, `text:"é\u0000"`},
		{`"type":"string"`, `""`, `text:""`},
		{`"type":"string"`, `1`, "error"},
		{`"type":"bytes"`, `"AP8="`, `bytes:"AP8="`},
		{`"type":"bytes"`, `""`, `bytes:""`},
		{`"type":"bytes"`, `"?"`, "error"},
		{`"type":"bytes"`, `[0]`, "error"},
		{`"type":"bytes",` + logical + `Decimal","parameters":{"scale":"2"}`, `"+x4="`, `decimal:"-12.50"`},
		{`"type":"bytes",` + logical + `Decimal","parameters":{"scale":"0"}`, `"AA=="`, `decimal:"0"`},
		{`"type":"bytes",` + logical + `Decimal","parameters":{"scale":"-3"}`, `"AQ=="`, `decimal:"1000"`},
		{`"type":"bytes",` + logical + `Decimal","parameters":{"scale":"3"}`, `"/w=="`, `decimal:"-0.001"`},
		{`"type":"bytes",` + logical + `Decimal","parameters":{"scale":"2"}`, `12.50`, `decimal:"12.50"`},
		{`"type":"bytes",` + logical + `Decimal","parameters":{"scale":"2"}`, `true`, "error"},
		{`"type":"bytes",` + logical + `Decimal","parameters":{"scale":"x"}`, `"AA=="`, "error"},
		{`"type":"int32",` + logical + `Date"`, `19782`, `date:"2024-02-29"`},
		{`"type":"int32",` + logical + `Date"`, `-1`, `date:"1969-12-31"`},
		{`"type":"int32",` + logical + `Date"`, `2147483648000`, "error"},
		{`"type":"int32",` + logical + `Date"`, `"2024-02-29"`, "error"},
		{`"type":"int32",` + logical + `Time"`, `86399999`, `time:"23:59:59.999"`},
		{`"type":"int32",` + logical + `Time"`, `86400000`, "error"},
		{`"type":"int32",` + logical + `Time"`, `-1`, "error"},
		{`"type":"int64",` + logical + `Timestamp"`, `-1`, `timestamptz:"1969-12-31T23:59:59.999Z"`},
		{`"type":"int64",` + logical + `Timestamp"`, `1709209800250`, `timestamptz:"2024-02-29T12:30:00.250Z"`},
		{`"type":"int64",` + logical + `Timestamp"`, `9223372036854775807`, "error"},
		{`"type":"string","name":"io.debezium.data.Json","version":1`, `"{}"`, `text:"{}"`},
		{`"type":"uint8"`, `1`, "error"},
		{`"type":7`, `1`, "error"},
		{`"typ":"int8"`, `1`, "error"},
	} {
		m := received("null", enveloped(`{"a":`+c.payload+`}`, "a:"+c.schema))
		out, err := in.Apply(m)
		switch {
		case c.want == "error" && (oms.CodeOf(err) != oms.ErrFormat || !strings.HasPrefix(err.Error(), "convert")):
			t.Errorf("%s of %s became %s, %v; want ErrFormat", c.payload, c.schema, shown(out), err)
		case c.want != "error" && (err != nil || shown(out) != "null "+row1("a:"+c.want)):
			t.Errorf("%s of %s became %s, %v; want %s", c.payload, c.schema, shown(out), err, c.want)
		}
		if c.want == "error" {
			continue
		}
		typ, _, _ := strings.Cut(c.want, ":")
		for _, payload := range []string{`{"a":null}`, `{}`} {
			out, err := in.Apply(received("null", enveloped(payload, `a:"optional":true,`+c.schema)))
			if want := "null " + row1("a:"+typ+":null"); err != nil || shown(out) != want {
				t.Errorf("%s of an optional %s became %s, %v; want %s", payload, c.schema, shown(out), err, want)
			}
			out, err = in.Apply(received("null", enveloped(payload, `a:"default":`+c.payload+`,`+c.schema)))
			if want := "null " + row1("a:"+c.want); err != nil || shown(out) != want {
				t.Errorf("%s with a default of %s became %s, %v; want %s", payload, c.schema, shown(out), err, want)
			}
			if out, err = in.Apply(received("null", enveloped(payload, "a:"+c.schema))); oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), `field "a"`) {
				t.Errorf("%s of a required %s became %s, %v; want ErrFormat that names the field", payload, c.schema, shown(out), err)
			}
		}
	}
}

// TestStructuresInStructuresKeepTheirSchemas holds for what a row cannot have.
func TestStructuresInStructuresKeepTheirSchemas(t *testing.T) {
	t.Parallel()
	const (
		point = `"type":"struct","fields":[{"type":"int32","optional":false,"field":"x"},{"type":"int32","optional":true,"field":"y"}],"optional":true,"name":"point"`
		list  = `"type":"array","items":{"type":"int64","optional":true},"optional":true`
		lists = `"type":"array","items":{"type":"array","items":{"type":"string","optional":true},"optional":true},"optional":true`
		table = `"type":"map","keys":{"type":"string"},"values":{"type":"int32"},"optional":true`
	)
	body := enveloped(`{"p":{"x":1,"y":null},"q":null,"l":[1,null,9007199254740993],"ll":[["a"],[]],"m":{"b":1,"a":2}}`, "p:"+point, "q:"+point, "l:"+list, "ll:"+lists, "m:"+table)
	for _, c := range []struct {
		name   string
		config []string
		want   string
	}{
		{"as it is", nil, `{"p":{"x":1,"y":null},"q":null,"l":[1,null,9007199254740993],"ll":[["a"],[]],"m":{"b":1,"a":2}}`},
		{"a field of it", one("ExtractField$Value", "field=p.x", "field.syntax.version=V2"), `1`},
		{"a structure of it", one("ExtractField$Value", "field=p"), `{"form":1,"schema":{"table":"point","columns":[{"name":"x","type":"int64"},{"name":"y","type":"int64"}]},"row":{"x":1,"y":null}}`},
		{"missing in it", one("ExtractField$Value", "field=p.z", "field.syntax.version=V2"), `error: no field "p.z"`},
		{"missing in a map", one("ExtractField$Value", "field=m.z", "field.syntax.version=V2"), `null`},
		{"through null", one("ExtractField$Value", "field=q.x", "field.syntax.version=V2"), `null`},
		{"a map, flattened", one("Flatten$Value"), `error: field "m" is a map`},
		{"without the map and lists, flattened", append(one("Flatten$Value", "delimiter=_"), "transforms=r,x", "transforms.r.type=ReplaceField$Value", "transforms.r.include=p,q"), row1(`p_x:int64:1`, `p_y:int64:null`, `q_x:int64:null`, `q_y:int64:null`)},
		{"masked", one("MaskField$Value", "fields=l,m"), `{"p":{"x":1,"y":null},"q":null,"l":[],"ll":[["a"],[]],"m":{}}`},
		{"masked structure", one("MaskField$Value", "fields=p"), `error: field "p" cannot be masked`},
		{"cast structure", one("Cast$Value", "spec=p:string"), `error: field "p" cannot be cast`},
		{"headers", one("HeaderFrom$Value", "fields=p", "headers=p", "operation=move"), `{"q":null,"l":[1,null,9007199254740993],"ll":[["a"],[]],"m":{"b":1,"a":2}}`},
		{"inserted", one("InsertField$Value", "offset.field=o"), `{"p":{"x":1,"y":null},"q":null,"l":[1,null,9007199254740993],"ll":[["a"],[]],"m":{"b":1,"a":2},"o":9007199254740993}`},
		{"expression", one("Expression", `value={"x": value.p.x, "n": value.m.a + value.l[0]}`), row1(`n:int64:3`, `x:int64:1`)},
		{"jq", one("JQ", `program=.p.y = 5 | {p}`), `{"p":{"x":1,"y":5}}`},
	} {
		out, err := chain(t, connect.KindSink, append([]string{"value.converter=json"}, c.config...)...).Apply(received("null", body))
		if wrong, ok := strings.CutPrefix(c.want, "error: "); ok {
			if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), wrong) {
				t.Errorf("%s: became %s, %v; want ErrFormat with %q", c.name, shown(out), err, wrong)
			}
			continue
		}
		if got := shown(out); err != nil || got != "null "+c.want {
			t.Errorf("%s: became %s, %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

// TestSchemasAreWrittenAsTransformsLeaveThem holds what a sink of Kafka Connect
// is told of the fields: their types, and whether they may be null.
func TestSchemasAreWrittenAsTransformsLeaveThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config []string
		body   string
		want   string
	}{
		{"required", one("InsertField$Value", "static.field=s!", "static.value=x", "partition.field=p", "timestamp.field=t?"), row1(`a:int64:1`), enveloped(
			`{"a":1,"p":null,"t":1709211845067,"s":"x"}`, `a:"type":"int64","optional":true`, `p:"type":"int32","optional":true`, `t:"type":"int64","optional":true,`+logical+`Timestamp","version":1`, `s:"type":"string","optional":false`)},
		{"cast", one("Cast$Value", "spec=a:int8,b:int16,c:float32,d:boolean,e:string"), row1(`a:int64:300`, `b:int64:7`, `c:float64:0.1`, `d:int64:0`, `e:decimal:"1.50"`), enveloped(
			`{"a":44,"b":7,"c":0.1,"d":false,"e":"1.50"}`, `a:"type":"int8","optional":true`, `b:"type":"int16","optional":true`, `c:"type":"float","optional":true`, `d:"type":"boolean","optional":true`, `e:"type":"string","optional":true`)},
		{"cast NULL", one("Cast$Value", "spec=a:int8,b:string"), row1(`a:text:null`, `b:int64:null`), enveloped(`{"a":null,"b":null}`, `a:"type":"int8","optional":true`, `b:"type":"string","optional":true`)},
		{"logical NULLs", nil, row1(`a:date:null`, `b:time:null`, `c:timestamp:null`, `d:timestamptz:null`, `e:bytes:null`, `f:float64:null`), enveloped(
			`{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null}`, `a:"type":"int32","optional":true,`+logical+`Date","version":1`, `b:"type":"int32","optional":true,`+logical+`Time","version":1`,
			`c:"type":"int64","optional":true,`+logical+`Timestamp","version":1`, `d:"type":"int64","optional":true,`+logical+`Timestamp","version":1`, `e:"type":"bytes","optional":true`, `f:"type":"double","optional":true`)},
		{"values of another type", nil, row1(`a:date:{"text":"soon"}`, `b:int64:{"float64":1.5}`, `c:any:7`), enveloped(
			`{"a":"soon","b":1.5,"c":7}`, `a:"type":"string","optional":true`, `b:"type":"double","optional":true`, `c:"type":"int64","optional":true`)},
		{"special numbers", nil, row1(`a:float64:"NaN"`, `b:float64:"-Infinity"`, `c:float64:1e+300`), enveloped(
			`{"a":"NaN","b":"-Infinity","c":1.0E300}`, `a:"type":"double","optional":true`, `b:"type":"double","optional":true`, `c:"type":"double","optional":true`)},
		{"structure of an expression", one("Expression", `value=merge(value, {"o": {"n": 1, "l": ["x"]}})`), row1(`a:int64:1`), enveloped(`{"a":1,"o":{"l":["x"],"n":1}}`, `a:"type":"int64","optional":true`,
			`o:"type":"struct","fields":[{"type":"array","items":{"type":"string","optional":true},"optional":true,"field":"l"},{"type":"int64","optional":true,"field":"n"}],"optional":true`)},
		{"one field", one("ExtractField$Value", "field=a"), row1(`a:decimal:"1.50"`), `{"schema":{"type":"bytes","optional":false,` + logical + `Decimal","version":1,"parameters":{"scale":"2"}},"payload":"AJY="}`},
		{"a field that is NULL", one("ExtractField$Value", "field=a"), row1(`a:int64:null`), "null"},
		{"object", one("InsertField$Value", "static.field=s", "static.value=x"), `{"n":1.50}`, `{"schema":null,"payload":{"n":1.50,"s":"x"}}`},
		{"number", one("ExtractField$Value", "field=n"), `{"n":1.5}`, `{"schema":{"type":"double","optional":false},"payload":1.5}`},
		{"list", nil, `[1,"a",null]`, `{"schema":null,"payload":[1,"a",null]}`},
		{"bytes", nil, "\x00\xff", `{"schema":{"type":"bytes","optional":false},"payload":"AP8="}`},
		{"text that is not UTF-8 in a row", nil, row1(`a:text:{"rawtext":"/w=="}`), "error: not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, err := chain(t, connect.KindSource, append([]string{"value.converter=json"}, c.config...)...).Apply(message("null", c.body))
			check(t, out, err, c.want)
		})
	}
}

// TestEnvelopesComeBackAsTheyWere sends rows through Kafka's form and back.
func TestEnvelopesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	out, in := chain(t, connect.KindSource, "value.converter=json", "key.converter=json"), chain(t, connect.KindSink, "value.converter=json", "key.converter=json")
	for _, c := range []struct{ key, body string }{
		{`{"id":7}`, row1(`id:int64:7`, `price:decimal:"0.10"`, `n:text:null`, `d:date:"1582-10-15"`, `t:time:"00:00:00.001"`, `z:timestamptz:"0001-01-01T00:00:00.000Z"`)},
		{`{"id":{"int64":"9007199254740993"}}`, `{"a":{"b":[1.50,null]}}`},
		{`text`, `[]`},
		{`null`, `null`},
		{`k`, `null`},
		{`null`, `7`},
		{"\x00\xff", "\xff"},
	} {
		sent, err := out.Apply(message(c.key, c.body))
		if err != nil {
			t.Errorf("%s %s: %v", c.key, c.body, err)
			continue
		}
		sent.Receipt = "r"
		back, err := in.Apply(sent)
		if err != nil || shown(back) != c.key+" "+c.body {
			t.Errorf("%s %s went as %s and came as %s, %v", c.key, c.body, shown(sent), shown(back), err)
		}
	}
}

// TestEnvelopesThatAreNoneAreRefused: what a converter without schemas has
// written is not taken for data.
func TestEnvelopesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	in, deep := chain(t, connect.KindSink, "value.converter=json"), strings.Repeat("[", 2000)
	for body, want := range map[string]string{
		`{"a":1}`:                              "schemas.enable=false",
		`7`:                                    "schemas.enable=false",
		`[]`:                                   "schemas.enable=false",
		`{"schema":null}`:                      "schemas.enable=false",
		`{"schema":null,"payload":1,"more":2}`: "schemas.enable=false",
		`{"payload":1,"schem":null}`:           "schemas.enable=false",
		`{"schema":7,"payload":1}`:             "a schema is not a JSON object",
		`{"schema":{"type":"struct"},"payload":{}}`:                                                                         "no list of fields",
		`{"schema":{"type":"struct","fields":[{"type":"int8"}]},"payload":{}}`:                                              "has no name",
		`{"schema":{"type":"struct","fields":[{"type":"int8","field":"a"},{"type":"int8","field":"a"}]},"payload":{"a":1}}`: "stands there twice",
		`{"schema":{"type":"array"},"payload":[]}`:                                                                          "a schema is not a JSON object",
		`{"schema":{"type":"array","items":{"type":"int8"}},"payload":{}}`:                                                  "its schema says, which is array",
		`{"schema":{"type":"map","keys":{"type":"int8"},"values":{"type":"int8"}},"payload":{}}`:                            "keys are no strings",
		`{"schema":{"type":"map","keys":{"type":"string"},"values":{"type":"int8"}},"payload":{"a":"x"}}`:                   "which is int8",
		`{"schema":{"type":"struct","fields":[]},"payload":7}`:                                                              "which is struct",
		`{"schema":{"type":"int64"},"payload":null}`:                                                                        "neither optional nor a default",
		deep: "not JSON",
		``:   "not JSON",
	} {
		m := received("k", "")
		m.Body = []byte(body)
		if out, err := in.Apply(m); oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200s became %s, %v; want ErrFormat with %q", body, shown(out), err, want)
		}
	}
}
