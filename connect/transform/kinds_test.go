package transform_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// TestEveryFieldTransformMeetsEveryKindOfValue holds what each transform does
// with a part that is no structure, for keys and values alike: Kafka Connect
// passes null through all but three, and refuses everything else.
func TestEveryFieldTransformMeetsEveryKindOfValue(t *testing.T) {
	t.Parallel()
	const passes, fails = "", "error"
	structures := []string{`{}`, `{"a":{"b":null}}`, row1(`a:text:"x"`)}
	others := []string{"text", "7", "true", "", "[1]", "\xff\xfe", `{"a":`, `{"a":1} {`, `"a"`}
	for _, c := range []struct {
		config    []string
		null      string // of null
		structure string // of {}, and of others too where they pass
	}{
		{one("InsertField$Value", "static.field=s", "static.value=1"), passes, `{"s":"1"}`},
		{one("ReplaceField$Value", "exclude=b"), passes, `{}`},
		{one("MaskField$Value", "fields=a"), fails, `{"a":null}`},
		{one("ExtractField$Value", "field=a"), passes, "null"},
		{one("Flatten$Value"), passes, `{}`},
		{one("Cast$Value", "spec=z:string"), passes, `{"z":null}`},
		{one("HeaderFrom$Value", "fields=a", "headers=h", "operation=copy"), fails, `{}`},
		{one("HeaderFrom$Value", "fields=a", "headers=h", "operation=move"), fails, `{}`},
	} {
		for _, part := range []connect.Part{connect.PartKey, connect.PartValue} {
			config := slices.Clone(c.config)
			if part == connect.PartKey {
				config[1] = strings.Replace(config[1], "$Value", "$Key", 1)
			}
			ch := chain(t, connect.KindSource, config...)
			apply := func(body []byte) (string, error) {
				m := message("null", "other")
				if part == connect.PartKey {
					m.Key = body
				} else {
					m.Body = body
				}
				out, err := ch.Apply(m)
				if err != nil {
					return "error", err
				}
				got := out.Body
				if part == connect.PartKey {
					got = out.Key
				}
				if got == nil {
					return "null", nil
				}
				return string(got), nil
			}
			want := "null"
			if c.null == fails {
				want = "error"
			}
			if got, err := apply(nil); got != want || err != nil && (oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "the "+string(part)+" is null")) {
				t.Errorf("%s: null became %s, %v; want %s", config[1], got, err, want)
			}
			if got, err := apply([]byte(`{}`)); got != c.structure {
				t.Errorf("%s: {} became %s, %v; want %s", config[1], got, err, c.structure)
			}
			for _, body := range structures {
				if got, err := apply([]byte(body)); err != nil && !strings.Contains(err.Error(), "no field") {
					t.Errorf("%s: %s became %s, %v", config[1], body, got, err)
				}
			}
			for _, body := range others {
				got, err := apply([]byte(body))
				if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "the "+string(part)+" is ") {
					t.Errorf("%s: %q became %s, %v; want ErrFormat that says what it is", config[1], body, got, err)
				}
			}
		}
	}
}

// TestRowsGoThroughEveryFieldTransform holds that a row stays a row: no digit,
// type, key column or NULL is lost, whichever transform it goes through.
func TestRowsGoThroughEveryFieldTransform(t *testing.T) {
	t.Parallel()
	all := []string{
		`*id:int64:"9007199254740993"`, `*seq:decimal:"-0001.10"`, `low:int64:"-9223372036854775808"`, `price:decimal:"123456789012345678901234567890.12"`,
		`blob:bytes:"AP8="`, `none:bytes:null`, `raw:text:{"rawtext":"/w=="}`, `note:text:"é \" \\"`, `empty:text:""`, `day:date:"0001-01-01"`, `clock:time:"23:59:59.999999999"`,
		`at:timestamp:"2024-02-29T12:30:00.000000001"`, `zone:timestamptz:"2024-02-29T12:30:00-23:59"`, `nan:float64:"NaN"`, `inf:float64:"-Infinity"`, `zero:float64:-0.0`,
		`yes:boolean:true`, `odd:date:{"text":"some day"}`, `any:any:{"decimal":"1.50"}`, `void:any:null`,
	}
	but := func(changes ...string) string {
		changed := slices.Clone(all)
		for _, c := range changes {
			name, value, set := strings.Cut(c, "=")
			i := slices.IndexFunc(changed, func(s string) bool { return strings.HasPrefix(strings.TrimPrefix(s, "*"), name+":") })
			switch {
			case i < 0:
				changed = append(changed, value)
			case set:
				changed[i] = value
			default:
				changed = slices.Delete(changed, i, i+1)
			}
		}
		return "null " + row1(changed...)
	}
	value := func(name string, config []string, want string) caseOf {
		return caseOf{name: name, config: config, body: row1(all...), want: want}
	}
	run(t, []caseOf{
		value("insert", []string{"InsertField$Value", "static.field=new", "static.value=é"}, but(`new=new:text:"é"`)),
		value("exclude", []string{"ReplaceField$Value", "exclude=price,none,void"}, but("price", "none", "void")),
		value("rename the key", []string{"ReplaceField$Value", "renames=id:nr"}, but(`id=*nr:int64:"9007199254740993"`)),
		value("keep what is renamed", []string{"ReplaceField$Value", "include=id,any", "renames=any:x"}, "null "+row1(all[0], `x:any:{"decimal":"1.50"}`)),
		value("mask the key and dates", []string{"MaskField$Value", "fields=id,clock,zone,nan,yes,note"}, but(
			`id=*id:int64:0`, `clock=clock:time:"00:00:00"`, `zone=zone:timestamptz:"1970-01-01T00:00:00Z"`, `nan=nan:float64:0.0`, `yes=yes:boolean:false`, `note=note:text:""`)),
		value("mask values of another type than the column's", []string{"MaskField$Value", "fields=odd,any"}, but(`odd=odd:date:{"text":""}`, `any=any:any:{"decimal":"0"}`)),
		value("mask what is null", []string{"MaskField$Value", "fields=none,void"}, but()),
		value("replace numbers and text", []string{"MaskField$Value", "fields=low,seq,note,zero", "replacement=42"}, but(
			`low=low:int64:42`, `seq=*seq:decimal:"42"`, `note=note:text:"42"`, `zero=zero:float64:42.0`)),
		value("cast to text", []string{"Cast$Value", "spec=id:string,price:string,at:string,zone:string,nan:string,zero:string,yes:string,blob:string,note:string,void:string,odd:string"}, but(
			`id=*id:text:"9007199254740993"`, `price=price:text:"123456789012345678901234567890.12"`, `at=at:text:"2024-02-29T12:30:00.000000001"`, `zone=zone:text:"2024-02-29T12:30:00-23:59"`,
			`nan=nan:text:"NaN"`, `zero=zero:text:"-0.0"`, `yes=yes:text:"true"`, `blob=blob:text:"AP8="`, `void=void:text:null`, `odd=odd:text:"some day"`)),
		value("cast to whole numbers", []string{"Cast$Value", "spec=id:int64,seq:int8,low:int32,day:int64,clock:int32,zone:int64,inf:int64,zero:int8,yes:int16,none:int64"}, but(
			`seq=*seq:int64:-1`, `low=low:int64:0`, `day=day:int64:-719162`, `clock=clock:int64:86399999`, `zone=zone:int64:1709296140000`, `inf=inf:int64:"-9223372036854775808"`,
			`zero=zero:int64:0`, `yes=yes:int64:1`, `none=none:int64:null`)),
		value("cast raw text to a number", []string{"Cast$Value", "spec=raw:int64"}, `error: field "raw" cannot be cast to int64`),
		value("cast a decimal to a float", []string{"Cast$Value", "spec=price:float64,seq:float64"}, but(`price=price:float64:1.2345678901234568e+29`, `seq=*seq:float64:-1.1`)),
		value("flatten", []string{"Flatten$Value"}, but()),
		value("extract raw text", []string{"ExtractField$Value", "field=raw"}, "null \xff"),
		value("extract a big number", []string{"ExtractField$Value", "field=low"}, "null -9223372036854775808"),
		value("extract NULL", []string{"ExtractField$Value", "field=none"}, "null null"),
		value("extract NaN", []string{"ExtractField$Value", "field=nan"}, "null NaN"),
		value("extract an empty text", []string{"ExtractField$Value", "field=empty"}, "null "),
		value("extract a float", []string{"ExtractField$Value", "field=zero"}, "null -0.0"),
		value("key of fields", []string{"ValueToKey", "fields=raw,blob,none,at,id"}, `{"at":{"timestamp":"2024-02-29T12:30:00.000000001"},"blob":{"bytes":"AP8="},"id":{"int64":"9007199254740993"},"none":null,"raw":{"rawtext":"/w=="}}`+strings.TrimPrefix(but(), "null")),
		value("key of a field twice", []string{"ValueToKey", "fields=id,id"}, `{"id":{"int64":"9007199254740993"}}`+strings.TrimPrefix(but(), "null")),
		value("key of all the key", []string{"ValueToKey", "fields=seq,id"}, `{"id":{"int64":"9007199254740993"},"seq":{"decimal":"-0001.10"}}`+strings.TrimPrefix(but(), "null")),
		value("move into headers", []string{"HeaderFrom$Value", "fields=raw,price", "headers=r,p", "operation=move"}, but("raw", "price")),
		value("expression that changes one", []string{"Expression", `value=merge(value, {"low": value.low + 1})`}, but(`low=low:int64:"-9223372036854775807"`)),
		value("expression that changes none", []string{"Expression", `value=merge(value, {"note": value.note})`}, but()),
		value("jq that changes one", []string{"JQ", `program=.yes = false`}, but(`yes=yes:boolean:false`)),
		value("jq that takes and adds", []string{"JQ", `program=del(.raw) | .more = "x"`}, but("raw", `more=more:text:"x"`)),
	})
}

// TestKeysOfRowsGoThroughKeyTransforms does the same for keys, which say their
// types themselves where JSON would lose them.
func TestKeysOfRowsGoThroughKeyTransforms(t *testing.T) {
	t.Parallel()
	const key = `{"d":{"decimal":"1.50"},"id":{"int64":"9007199254740993"},"n":null,"s":"x"}`
	of := func(name string, config []string, want string) caseOf {
		return caseOf{name: name, config: config, key: key, body: "null", want: want}
	}
	run(t, []caseOf{
		of("insert", []string{"InsertField$Key", "topic.field=t"}, `{"d":{"decimal":"1.50"},"id":{"int64":"9007199254740993"},"n":null,"s":"x","t":"orders"} null`),
		of("insert what is there", []string{"InsertField$Key", "topic.field=s"}, `error: has a field "s" already`),
		of("exclude", []string{"ReplaceField$Key", "exclude=s,n"}, `{"d":{"decimal":"1.50"},"id":{"int64":"9007199254740993"}} null`),
		of("mask", []string{"MaskField$Key", "fields=d,s,id"}, `{"d":{"decimal":"0"},"id":0,"n":null,"s":""} null`),
		of("cast", []string{"Cast$Key", "spec=d:string,id:string"}, `{"d":"1.50","id":"9007199254740993","n":null,"s":"x"} null`),
		of("extract", []string{"ExtractField$Key", "field=id"}, `9007199254740993 null`),
		of("extract what is missing", []string{"ExtractField$Key", "field=x"}, `error: no field "x"`),
		of("flatten", []string{"Flatten$Key"}, key+" null"),
		of("headers", []string{"HeaderFrom$Key", "fields=id,d", "headers=i,d", "operation=move"}, `{"n":null,"s":"x"} null`),
		of("nothing left", []string{"ReplaceField$Key", "include=x"}, `{} null`),
		of("jq", []string{"JQ$Key", "program=.s"}, `x null`),
		of("expression", []string{"Expression", "key=key.id"}, `9007199254740993 null`),
	})
}
