package transform_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const (
	jsonClass   = "value.converter=org.apache.kafka.connect.json.JsonConverter"
	plainJSON   = "value.converter.schemas.enable=false"
	numeric     = "value.converter.decimal.format=numeric"
	stringClass = "value.converter=org.apache.kafka.connect.storage.StringConverter"
	bytesClass  = "value.converter=org.apache.kafka.connect.converters.ByteArrayConverter"
)

var typical = row1(`*id:int64:7`, `price:decimal:"-12.50"`, `ok:boolean:true`, `name:text:"x"`, `f:float64:1.5`, `b:bytes:"AP8="`,
	`d:date:"1969-12-31"`, `t:time:"12:30:00.250"`, `ts:timestamp:"2024-02-29T12:30:00.250"`, `tz:timestamptz:"2024-02-29T14:30:00.250+02:00"`)

const envelope = `{"schema":{"type":"struct","fields":[` +
	`{"type":"int64","optional":true,"field":"id"},` +
	`{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"field":"price"},` +
	`{"type":"boolean","optional":true,"field":"ok"},{"type":"string","optional":true,"field":"name"},{"type":"double","optional":true,"field":"f"},{"type":"bytes","optional":true,"field":"b"},` +
	`{"type":"int32","optional":true,"name":"org.apache.kafka.connect.data.Date","version":1,"field":"d"},` +
	`{"type":"int32","optional":true,"name":"org.apache.kafka.connect.data.Time","version":1,"field":"t"},` +
	`{"type":"int64","optional":true,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"ts"},` +
	`{"type":"int64","optional":true,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"tz"}` +
	`],"optional":false,"name":"t"},"payload":{"id":7,"price":"+x4=","ok":true,"name":"x","f":1.5,"b":"AP8=","d":-1,"t":45000250,"ts":1709209800250,"tz":1709209800250}}`

func TestConvertersWriteWhatKafkaConnectWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config []string
		body   string
		want   string
	}{
		{"row with its schema", []string{jsonClass}, typical, envelope},
		{"row without", []string{jsonClass, plainJSON}, typical, `{"id":7,"price":"+x4=","ok":true,"name":"x","f":1.5,"b":"AP8=","d":-1,"t":45000250,"ts":1709209800250,"tz":1709209800250}`},
		{"decimals as numbers", []string{"value.converter=json", plainJSON, numeric}, row1(`p:decimal:"-012.50"`, `q:decimal:"0.5"`), `{"p":-12.50,"q":0.5}`},
		{"object", []string{"value.converter=json"}, `{"b": 1.50, "a": [1, {}]}`, `{"schema":null,"payload":{"b":1.50,"a":[1,{}]}}`},
		{"object without", []string{"value.converter=json", plainJSON}, `{"b": 1.50, "a": "\u00e9\n"}`, `{"b":1.50,"a":"é\n"}`},
		{"text", []string{"value.converter=json"}, `a "b"`, `{"schema":{"type":"string","optional":false},"payload":"a \"b\""}`},
		{"bytes", []string{"value.converter=json", plainJSON}, "\x00\xff", `"AP8="`},
		{"null", []string{"value.converter=json"}, "null", "null"},
		{"inserted field", append(one("InsertField$Value", "static.field=s!", "static.value=v"), "value.converter=json"), row1(`a:any:null`), `{"schema":{"type":"struct","fields":[{"type":"string","optional":true,"field":"a"},{"type":"string","optional":false,"field":"s"}],"optional":false,"name":"t"},"payload":{"a":null,"s":"v"}}`},
		{"cast to int32", append(one("Cast$Value", "spec=a:int32,b:float32"), "value.converter=json"), row1(`a:int64:1`, `b:float64:0.1`), `{"schema":{"type":"struct","fields":[{"type":"int32","optional":true,"field":"a"},{"type":"float","optional":true,"field":"b"}],"optional":false,"name":"t"},"payload":{"a":1,"b":0.1}}`},
		{"row of an object", []string{"value.converter=row"}, `{"i":9007199254740993,"f":0.5,"s":"x","n":null,"p":1.2345678901234567}`, strings.Replace(row1(`i:int64:"9007199254740993"`, `f:float64:0.5`, `s:text:"x"`, `n:any:null`, `p:decimal:"1.2345678901234567"`), `"table":"t",`, "", 1)},
		{"row of an object in an object", []string{"value.converter=row"}, `{"o":{}}`, "error: single values"},
		{"row of text", []string{"value.converter=row"}, `x`, "error: single values"},
		{"string", []string{stringClass}, `{"a" : 1}`, `{"a" : 1}`},
		{"string of a row", append(one("ReplaceField$Value", "exclude=b"), stringClass), row1(`a:int64:1`, `b:int64:2`), row1(`a:int64:1`)},
		{"bytes as they are", []string{bytesClass}, "\xff", "\xff"},
		{"bytes of a field", append(one("ExtractField$Value", "field=a"), "value.converter=bytes"), `{"a":"x"}`, "x"},
		{"bytes of a structure", append(one("JQ", "program=."), "value.converter=bytes"), `{"a":"x"}`, "error: writes no structure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, err := chain(t, connect.KindSource, c.config...).Apply(message("null", c.body))
			check(t, out, err, c.want)
		})
	}
}

func check(t *testing.T, out *oms.Message, err error, want string) {
	t.Helper()
	if wrong, ok := strings.CutPrefix(want, "error: "); ok {
		if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), wrong) || !strings.HasPrefix(err.Error(), "convert") {
			t.Errorf("became %s, error %v; want ErrFormat of converting, with %q", shown(out), err, wrong)
		}
		return
	}
	if got := shown(out); err != nil || got != "null "+want {
		t.Errorf("became %s, error %v\n want        %s", got, err, want)
	}
}

func TestConvertersReadWhatKafkaConnectWrites(t *testing.T) {
	t.Parallel()
	field := func(schema, payload string) string {
		return `{"schema":{"type":"struct","fields":[` + schema + `],"optional":false,"name":"t"},"payload":{` + payload + `}}`
	}
	for _, c := range []struct {
		name   string
		config []string
		body   string
		want   string
	}{
		{"row", []string{jsonClass}, envelope, strings.NewReplacer(`,"key":true`, ``, `"ts","type":"timestamp"`, `"ts","type":"timestamptz"`,
			`"2024-02-29T12:30:00.250"`, `"2024-02-29T12:30:00.250Z"`, `"2024-02-29T14:30:00.250+02:00"`, `"2024-02-29T12:30:00.250Z"`).Replace(typical)},
		{"no schema", []string{jsonClass}, `{"payload":{"a":1.50},"schema":null}`, `{"a":1.50}`},
		{"scalar", []string{jsonClass}, `{"schema":{"type":"int64","optional":false},"payload":7}`, `7`},
		{"null with a default", []string{jsonClass}, field(`{"type":"int32","optional":true,"default":5,"field":"a"}`, `"a":null`), row1(`a:int64:5`)},
		{"null that stays", append([]string{jsonClass, "value.converter.replace.null.with.default=false"}, one("InsertField$Value", "replace.null.with.default=false", "topic.field=t")...), field(`{"type":"int32","optional":true,"default":5,"field":"a"}`, `"a":null`), row1(`a:int64:null`, `t:text:"orders"`)},
		{"null that a transform replaces", append([]string{jsonClass, "value.converter.replace.null.with.default=false"}, one("InsertField$Value", "topic.field=t")...), field(`{"type":"int32","optional":true,"default":5,"field":"a"}`, `"a":null`), row1(`a:int64:5`, `t:text:"orders"`)},
		{"nested", []string{jsonClass}, field(`{"type":"struct","fields":[{"type":"int8","field":"b"}],"field":"a"},{"type":"array","items":{"type":"string"},"field":"l"},{"type":"map","keys":{"type":"string"},"values":{"type":"int64"},"field":"m"}`, `"a":{"b":1},"l":["x"],"m":{"k":2}`), `{"a":{"b":1},"l":["x"],"m":{"k":2}}`},
		{"nested, flattened", append([]string{jsonClass}, one("Flatten$Value")...), field(`{"type":"struct","optional":true,"fields":[{"type":"int8","field":"b"}],"field":"a"}`, `"a":null`), row1(`a.b:int64:null`)},
		{"null that must not be", []string{jsonClass}, field(`{"type":"int8","field":"a"}`, ``), `error: field "a": decode: malformed: it is null`},
		{"out of range", []string{jsonClass}, field(`{"type":"int8","field":"a"}`, `"a":300`), `error: field "a"`},
		{"no envelope", []string{jsonClass}, `{"a":1}`, `error: set schemas.enable=false`},
		{"type that is not known", []string{jsonClass}, `{"schema":{"type":"uuid"},"payload":1}`, `error: a type that is not known`},
		{"huge scale", []string{jsonClass}, field(`{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2000000000"},"field":"a"}`, `"a":"AQ=="`), `error: scale`},
		{"plain", []string{"value.converter=json", plainJSON}, ` {"a" : 1.50}`, `{"a":1.50}`},
		{"plain text", []string{"value.converter=json", plainJSON}, `"x\ty"`, "x\ty"},
		{"plain null is a tombstone", []string{"value.converter=json", plainJSON}, `null `, "null"},
		{"not JSON", []string{"value.converter=json", plainJSON}, `{"a":01}`, "error: not JSON: byte 6"},
		{"two values", []string{"value.converter=json", plainJSON}, `1 2`, "error: not JSON"},
		{"not UTF-8", []string{"value.converter=json", plainJSON}, "\"\xff\"", "error: not UTF-8"},
		{"a row as a row", []string{"value.converter=row"}, typical, typical},
		{"an object as a row", []string{"value.converter=row"}, `{"a":1}`, `error: value: decode row: malformed: not in the row form: it has a member "a"`},
		{"string", []string{stringClass}, `{"a" : 1}`, `{"a" : 1}`},
		{"bytes", []string{bytesClass}, "\x00\xff", "\x00\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := received("null", "")
			m.Body = []byte(c.body)
			out, err := chain(t, connect.KindSink, c.config...).Apply(m)
			check(t, out, err, c.want)
		})
	}
}

func TestTombstonesByJSONNullAreSeenByThePredicate(t *testing.T) {
	t.Parallel()
	config := append(one("Filter", "predicate=p"), "predicates=p", "predicates.p.type=RecordIsTombstone")
	for _, c := range []struct {
		config []string
		want   bool
	}{{config, false}, {append([]string{"value.converter=json", plainJSON}, config...), true}} {
		m := received("k", "")
		m.Body = []byte("null")
		out, err := chain(t, connect.KindSink, c.config...).Apply(m)
		if err != nil || (out == nil) != c.want {
			t.Errorf("%q: %v, %v; want dropped %v", c.config, shown(out), err, c.want)
		}
	}
}

func TestChainThatChangesNothingPassesTheMessageItself(t *testing.T) { // AllocsPerRun wants to be alone
	for _, config := range [][]string{nil, {stringClass, "key.converter=bytes", "key.converter.schemas.enable=false"}, {"transforms="}} {
		c := chain(t, connect.KindSink, config...)
		m := received("k", "v")
		if out, err := c.Apply(m); !c.Passes() || out != m || err != nil {
			t.Errorf("%q: %v, %v; want the same message", config, out, err)
		}
	}
	c, m := chain(t, connect.KindSink), received("k", "v")
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Apply(m) }); n > 0 {
		t.Errorf("it allocates %v times", n)
	}
}
