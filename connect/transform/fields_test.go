package transform_test

import "testing"

// The tables in this file hold the results that Kafka Connect documents; rows
// stand for records with a schema, JSON objects for those without.

// awkward are columns whose values are lost where somebody is careless.
var awkward = []string{
	`*id:int64:"9007199254740993"`, `price:decimal:"12.50"`, `blob:bytes:"AP8="`, `day:date:"2024-02-29"`,
	`at:timestamp:"2024-02-29T12:30:00.123456789"`, `nan:float64:"NaN"`, `raw:text:{"rawtext":"/w=="}`, `odd:timestamp:{"text":"noon"}`, `none:text:null`,
}

func with(columns []string, more ...string) []string {
	return append(append([]string{}, columns...), more...)
}

func TestInsertField(t *testing.T) {
	t.Parallel()
	all := []string{"topic.field=t", "partition.field=p!", "offset.field=o?", "timestamp.field=ts", "static.field=s", "static.value=x"}
	run(t, []caseOf{
		{"object", true, append([]string{"InsertField$Value"}, all...), "", `{"a":1.50,"t":0}`, `null {"a":1.50,"t":"orders","p":3,"o":9007199254740993,"ts":1709211845067,"s":"x"}`},
		{"row", true, append([]string{"InsertField$Value"}, all...), "", row1(awkward...), "null " + row1(with(awkward,
			`t:text:"orders"`, `p:int64:3`, `o:int64:"9007199254740993"`, `ts:timestamptz:"2024-02-29T13:04:05.067Z"`, `s:text:"x"`)...)},
		{"object of a source has no partition", false, []string{"InsertField$Value", "partition.field=p", "topic.field=t"}, "", `{}`, `null {"t":"orders"}`},
		{"row of a source has none", false, []string{"InsertField$Value", "partition.field=p"}, "", row1(`a:int64:1`), "null " + row1(`a:int64:1`, `p:int64:null`)},
		{"required and null", false, []string{"InsertField$Value", "partition.field=p!"}, "", row1(`a:int64:1`), "error: required field"},
		{"there already", false, []string{"InsertField$Value", "topic.field=a"}, "", row1(`a:int64:1`), "error: has a field \"a\" already"},
		{"null", false, []string{"InsertField$Value", "topic.field=a"}, "k", "null", "k null"},
		{"key", false, []string{"InsertField$Key", "topic.field=t"}, `{"id":{"int64":"9007199254740993"}}`, "v", `{"id":{"int64":"9007199254740993"},"t":"orders"} v`},
		{"kafka's class", false, []string{"org.apache.kafka.connect.transforms.InsertField$Value", "static.field=s", "static.value=1"}, "", `{}`, `null {"s":"1"}`},
		{"text", false, []string{"InsertField$Value", "topic.field=t"}, "", "hello", "error: the value is text"},
		{"bytes", false, []string{"InsertField$Value", "topic.field=t"}, "", "\xff", "error: the value is bytes"},
		{"list", false, []string{"InsertField$Value", "topic.field=t"}, "", "[1]", "error: the value is a list"},
		{"broken", false, []string{"InsertField$Value", "topic.field=t"}, "", `{"a":`, "error: the value is text"},
		{"broken row", false, []string{"InsertField$Value", "topic.field=t"}, "", `{"form":2,"schema":{},"row":{}}`, "error: another form of rows than 1"},
	})
}

func TestReplaceField(t *testing.T) {
	t.Parallel()
	run(t, []caseOf{
		{"object", false, []string{"ReplaceField$Value", "exclude=a,c", "renames=b:x,d:y"}, "", `{"a":1,"b":2,"c":3,"d":{"e":4}}`, `null {"x":2,"y":{"e":4}}`},
		{"include", false, []string{"ReplaceField$Value", "include=a,b", "exclude=b"}, "", `{"a":1,"b":2,"c":3}`, `null {"a":1}`},
		{"old names", false, []string{"ReplaceField$Value", "whitelist=a,b", "blacklist=b"}, "", `{"a":1,"b":2,"c":3}`, `null {"a":1}`},
		{"row", false, []string{"ReplaceField$Value", "exclude=price", "renames=id:nr"}, "", row1(awkward...), "null " + row1(with([]string{`*nr:int64:"9007199254740993"`}, awkward[2:]...)...)},
		{"key of a row", false, []string{"ReplaceField$Key", "renames=id:nr"}, `{"a":"x","id":{"decimal":"1.50"}}`, "null", `{"a":"x","nr":{"decimal":"1.50"}} null`},
		{"two of a name", false, []string{"ReplaceField$Value", "renames=a:b"}, "", row1(`a:int64:1`, `b:int64:2`), `error: two fields would have the name "b"`},
		{"two of a name in an object", false, []string{"ReplaceField$Value", "renames=a:b"}, "", `{"a":1,"b":2}`, `null {"b":2}`},
		{"null", false, []string{"ReplaceField$Value", "exclude=a"}, "k", "null", "k null"},
	})
}

func TestMaskField(t *testing.T) {
	t.Parallel()
	run(t, []caseOf{
		{
			"object", false,
			[]string{"MaskField$Value", "fields=i,f,s,b,l,o,n,missing"},
			"", `{"i":1,"f":1.5,"s":"x","b":true,"l":[1],"o":{"a":1},"n":null,"keep":12345678901234567890}`,
			`null {"i":0,"f":0.0,"s":"","b":false,"l":[],"o":{},"n":null,"keep":12345678901234567890,"missing":null}`,
		},
		{"row", false, []string{"MaskField$Value", "fields=price,blob,day,at,missing,none"}, "", row1(awkward...), "null " + row1(with([]string{
			awkward[0], `price:decimal:"0"`, `blob:bytes:""`, `day:date:"1970-01-01"`, `at:timestamp:"1970-01-01T00:00:00"`,
		}, awkward[5:]...)...)},
		{"replacement", false, []string{"MaskField$Value", "fields=i,f,s", "replacement=7.9"}, "", `{"i":1,"f":1.5,"s":"x"}`, `null {"i":7,"f":7.9,"s":"7.9"}`},
		{"replacement in a row", false, []string{"MaskField$Value", "fields=id,price", "replacement=7.90"}, "", row1(`id:int64:1`, `price:decimal:"1.5"`), "null " + row1(`id:int64:7`, `price:decimal:"7.90"`)},
		{"replacement of a boolean", false, []string{"MaskField$Value", "fields=b", "replacement=7"}, "", `{"b":true}`, `error: the field "b" cannot be masked`},
		{"replacement that is no number", false, []string{"MaskField$Value", "fields=i", "replacement=***"}, "", `{"i":1}`, `error: the field "i" cannot be masked`},
		{"null", false, []string{"MaskField$Value", "fields=a"}, "", "null", "error: the value is null"},
	})
}

func TestValueToKeyAndExtractField(t *testing.T) {
	t.Parallel()
	run(t, []caseOf{
		{"object", false, []string{"ValueToKey", "fields=b,missing,a"}, "old", `{"a":1,"b":"x"}`, `{"b":"x","missing":null,"a":1} {"a":1,"b":"x"}`},
		{"row", false, []string{"ValueToKey", "fields=price,id"}, "", row1(awkward...), `{"id":{"int64":"9007199254740993"},"price":{"decimal":"12.50"}} ` + row1(awkward...)},
		{"row lacks it", false, []string{"ValueToKey", "fields=x"}, "", row1(`a:int64:1`), `error: no field "x"`},
		{"null", false, []string{"ValueToKey", "fields=x"}, "", "null", "error: the value is null"},
		{"extract a number", false, []string{"ExtractField$Key", "field=id"}, `{"id":12345678901234567890}`, "v", "12345678901234567890 v"},
		{"extract text", false, []string{"ExtractField$Value", "field=a"}, "", `{"a":"x"}`, "null x"},
		{"extract an object", false, []string{"ExtractField$Value", "field=a"}, "", `{"a":{"b":[1,{}]}}`, `null {"b":[1,{}]}`},
		{"extract null", false, []string{"ExtractField$Value", "field=a"}, "", `{"a":null}`, "null null"},
		{"extract what is missing", false, []string{"ExtractField$Value", "field=a"}, "", `{}`, "null null"},
		{"extract of a row", false, []string{"ExtractField$Value", "field=price"}, "", row1(awkward...), "null 12.50"},
		{"extract bytes", false, []string{"ExtractField$Value", "field=blob"}, "", row1(awkward...), "null \x00\xff"},
		{"extract an empty text", false, []string{"ExtractField$Value", "field=a"}, "", `{"a":""}`, "null "},
		{"row lacks the field", false, []string{"ExtractField$Value", "field=x"}, "", row1(`a:int64:1`), `error: no field "x"`},
		{"extract of null", false, []string{"ExtractField$Value", "field=x"}, "", "null", "null null"},
		{"dotted name", false, []string{"ExtractField$Value", "field=a.b"}, "", `{"a":{"b":1},"a.b":2}`, "null 2"},
		{"path", false, []string{"ExtractField$Value", "field=a.b", "field.syntax.version=V2"}, "", `{"a":{"b":1},"a.b":2}`, "null 1"},
		{"path with backticks", false, []string{"ExtractField$Value", "field=`a.b`.`c`", "field.syntax.version=V2"}, "", `{"a.b":{"c":3}}`, "null 3"},
		{"path that ends early", false, []string{"ExtractField$Value", "field=a.b.c", "field.syntax.version=V2"}, "", `{"a":{"b":null}}`, "null null"},
		{"path through a number", false, []string{"ExtractField$Value", "field=a.b", "field.syntax.version=V2"}, "", `{"a":1}`, `error: "a" is no structure`},
	})
}

func TestFlatten(t *testing.T) {
	t.Parallel()
	run(t, []caseOf{
		{"object", false, []string{"Flatten$Value"}, "", `{"a":1,"b":{"c":2,"d":{"e":[{"f":3}],"g":null},"h":{}}}`, `null {"a":1,"b.c":2,"b.d.e":[{"f":3}],"b.d.g":null}`},
		{"delimiter", false, []string{"Flatten$Key", "delimiter=_"}, `{"a":{"b":{"c":1}}}`, "v", `{"a_b_c":1} v`},
		{"one name twice", false, []string{"Flatten$Value"}, "", `{"a.b":1,"a":{"b":2}}`, `null {"a.b":2}`},
		{"row", false, []string{"Flatten$Value"}, "", row1(awkward...), "null " + row1(awkward...)},
		{"null", false, []string{"Flatten$Value"}, "", "null", "null null"},
	})
}

func TestCast(t *testing.T) {
	t.Parallel()
	fields := func(spec, body, want string) caseOf {
		return caseOf{spec + " " + body, false, []string{"Cast$Value", "spec=" + spec}, "", body, want}
	}
	run(t, []caseOf{
		fields("a:int8,b:int16,c:int32,d:int64", `{"a":300,"b":70000,"c":5000000000,"d":5000000000}`, `null {"a":44,"b":4464,"c":705032704,"d":5000000000}`),
		fields("a:int8,b:int32,c:int64,d:int64", `{"a":300.7,"b":1e300,"c":1e300,"d":-1.9}`, `null {"a":44,"b":2147483647,"c":9223372036854775807,"d":-1}`),
		fields("a:int32,b:int32,c:boolean,d:boolean,e:boolean", `{"a":true,"b":"+12","c":2,"d":"TRUE","e":"yes"}`, `null {"a":1,"b":12,"c":true,"d":true,"e":false}`),
		fields("a:string,b:string,c:string,d:string,e:string", `{"a":1,"b":1.50,"c":1e10,"d":true,"e":"x"}`, `null {"a":"1","b":"1.5","c":"1.0E10","d":"true","e":"x"}`),
		fields("a:float32,b:float64,c:float64", `{"a":0.1,"b":7,"c":" 1.5d "}`, `null {"a":0.1,"b":7.0,"c":1.5}`),
		fields("a:int8", `{"a":"300"}`, `error: field "a" cannot be cast to int8`),
		fields("a:int8", `{"a":"1.5"}`, `error: field "a" cannot be cast`),
		fields("a:float64", `{"a":"inf"}`, `error: field "a" cannot be cast`),
		fields("a:int8", `{"a":[1]}`, `error: field "a" cannot be cast`),
		fields("a:int8", `{"a":null}`, `null {"a":null}`),
		fields("z:int8,b:int8", `{"a":1}`, `null {"a":1,"b":null,"z":null}`),
		fields("int32", `12`, `null 12`),
		fields("string", `null`, `null null`),
		fields("int8", `{"a":1}`, `error: the value cannot be cast to int8`),
		fields("id:string,price:int64,blob:string,day:int32,at:int64,odd:string", row1(awkward...), "null "+row1(
			`*id:text:"9007199254740993"`, `price:int64:12`, `blob:text:"AP8="`, `day:int64:19782`, `at:int64:1709209800123`,
			`nan:float64:"NaN"`, `raw:text:{"rawtext":"/w=="}`, `odd:text:"noon"`, `none:text:null`)),
		fields("price:float64,id:int32,none:int8,nan:int64", row1(awkward...), "null "+row1(with([]string{
			`*id:int64:1`, `price:float64:12.5`, `blob:bytes:"AP8="`, `day:date:"2024-02-29"`, `at:timestamp:"2024-02-29T12:30:00.123456789"`, `nan:int64:0`,
		}, `raw:text:{"rawtext":"/w=="}`, `odd:timestamp:{"text":"noon"}`, `none:int64:null`)...)),
		fields("blob:int32", row1(awkward...), `error: field "blob" cannot be cast`),
	})
}
