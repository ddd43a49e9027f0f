package row_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

func body(schema, values string) string {
	return `{"form":1,"schema":{"columns":[` + schema + `]},"row":{` + values + `}}`
}

func TestDecodingIsStrictAndNamesTheColumn(t *testing.T) {
	const id, note = `{"name":"id","type":"int64"}`, `{"name":"note","type":"text"}`
	for _, c := range []struct{ body, want string }{
		{``, "not a JSON object"},
		{`[]`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{`hello`, "not a JSON object"},
		{`{"a":1}`, `member "a"`},
		{`{"form":1,"row":{}}`, "lacks one of"},
		{`{"form":2,"schema":{"columns":[` + id + `]},"row":{"id":1}}`, "another form of rows than 1"},
		{`{"form":1,"form":1}`, `"form" stands there twice`},
		{`{"form":1,"schema":{"columns":[]},"row":{}}`, "schema: the row has no columns"},
		{`{"form":1,"schema":{"columns":[` + id + `],"x":1},"row":{"id":1}}`, `unknown field "x"`},
		{`{"form":1,"schema":7,"row":{"id":1}}`, "schema: "},
		{body(`{"name":"id","type":"int128"}`, `"id":1`), `column "id" has the type "int128"`},
		{body(id+","+id, `"id":1`), `"id" stands there twice`},
		{body(id+","+note, `"id":1`), `column "note" has no value`},
		{body(id, `"id":1,"id":2`), `"id" stands there twice`},
		{body(id, `"id":1,"more":2`), `column "more" is in the row but not in its schema`},
		{body(id, `"id":"x"`), `column "id": the text is not the plain form of int64`},
		{body(id, `"id":1.0`), `column "id": the number is not`},
		{body(id, `"id":true`), `column "id": the boolean is not`},
		{body(id, `"id":[1]`), `column "id": a list is not a value`},
		{body(id, `"id":{}`), `column "id": an empty object`},
		{body(id, `"id":{"int64":1,"text":"x"}`), `column "id": an object that is a value has one member`},
		{body(id, `"id":{"any":1}`), `column "id": what its object names is not the type`},
		{body(id, `"id":{"blob":1}`), `column "id": what its object names is not the type`},
		{body(id, `"id":{"text":{"text":"x"}}`), `column "id": the object or list is not the plain form of text`},
		{body(id, `"id":{"text":null}`), `column "id": null is not the plain form of text`},
		{body(id, `"id":9223372036854775808`), `column "id": the number`},
		{body(`{"name":"x","type":"any"}`, `"x":9223372036854775808`), `column "x"`},
		{body(`{"name":"x","type":"float64"}`, `"x":1e999`), `column "x": the number is not the plain form of float64`},
		{body(`{"name":"x","type":"float64"}`, `"x":"inf"`), `column "x": the text`},
		{body(`{"name":"x","type":"bytes"}`, `"x":"AA"`), `column "x": the text is not the plain form of bytes`},
		{body(`{"name":"x","type":"bytes"}`, `"x":"AB=="`), `column "x"`},
		{body(`{"name":"x","type":"boolean"}`, `"x":1`), `column "x": the number is not the plain form of boolean`},
		{body(`{"name":"x","type":"decimal"}`, `"x":"1e5"`), `column "x": the text`},
		{body(`{"name":"x","type":"decimal"}`, `"x":1.5`), `column "x"`},
		{body(`{"name":"x","type":"date"}`, `"x":"2023-02-29"`), `column "x": the text is not the plain form of date`},
		{body(`{"name":"x","type":"time"}`, `"x":"24:00:00"`), `column "x": the text`},
		{body(`{"name":"x","type":"timestamp"}`, `"x":"2024-01-01 00:00:00"`), `column "x"`},
		{body(`{"name":"x","type":"timestamptz"}`, `"x":"2024-01-01T00:00:00"`), `column "x"`},
		{body(note, `"note":"\ud800"`), "half of a surrogate pair"},
		{body(note, `"note":"\udc00\ud800"`), "half of a surrogate pair"},
		{body(note, "\"note\":\"\xff\""), "not UTF-8"},
		{body(id, `"id":1`) + "{}", "behind the end"},
		{body(id, `"id":1`)[:40], "not in the row form"},
	} {
		_, err := row.Decode([]byte(c.body))
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s\n error %v, want ErrFormat with %q", c.body, err, c.want)
		}
	}
}

// TestErrorsNameTheColumnAndNeverItsValue damages rows in every way that a
// value can be wrong: the value is the same secret each time.
func TestErrorsNameTheColumnAndNeverItsValue(t *testing.T) {
	const secret = "s3cr3t"
	for _, typ := range []string{"int64", "float64", "decimal", "boolean", "bytes", "date", "time", "timestamp", "timestamptz"} {
		for _, value := range []string{`"s3cr3t"`, `["s3cr3t"]`, `{"s3cr3t":1}`, `{"text":["s3cr3t"]}`, `{"text":{"s3cr3t":1}}`, `{"int64":"s3cr3t"}`, `{"text":"x","s3cr3t":1}`} {
			_, err := row.Decode([]byte(body(`{"name":"pin","type":"`+typ+`"}`, `"pin":`+value)))
			if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), `column "pin"`) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s in a column of %s: error %v, want one that names the column and no value", value, typ, err)
			}
		}
	}
	for _, broken := range []string{
		`{"form":1,"schema":{"columns":[{"name":"a","type":"text"}]},"row":{"a":s3cr3t}}`, `{"form":"s3cr3t","schema":{},"row":{}}`, `{"form":1,"schema":"s3cr3t","row":{}}`,
		`{"form":1,"schema":{"columns":"s3cr3t"},"row":{}}`, `{"form":1,"schema":{"columns":["s3cr3t"]},"row":{}}`, `{"form":1,"schema":{"columns":[{"name":"a","type":"text"}]},"row":"s3cr3t"}`,
		`s3cr3t`, `["s3cr3t"]`, `{"form":1,"schema":{"columns":[{"name":"a","type":"text"}]},"row":{"a":"s3cr3t`,
	} {
		if _, err := row.Decode([]byte(broken)); !errors.Is(err, oms.ErrFormat) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want one without what stands there", broken, err)
		}
	}
	for _, v := range []any{row.Decimal(secret), row.Date(secret), row.Time(secret), row.Timestamp(secret), row.TimestampTZ(secret), []string{secret}} {
		_, _, err := row.Encode(row.Row{Columns: []row.Column{{Name: "pin", Type: row.TypeText, Key: true}}, Values: []any{v}})
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), `column "pin"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("encoding a %T: error %v, want one that names the column and no value", v, err)
		}
	}
	if _, _, err := row.DecodeKey([]byte(`{"pin":{"decimal":"s3cr3t"}}`)); err == nil || !strings.Contains(err.Error(), `column "pin"`) || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v, want one that names the column and no value", err)
	}
}

func TestDecodingTakesMembersInAnyOrder(t *testing.T) {
	r, err := row.Decode([]byte(`{"row": {"b": "x", "a": "\\ud800 𝄞"}, "schema": {"columns": [
		{"type": "text", "name": "a"}, {"name": "b", "type": "any"}], "table": "t"}, "form": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := row.Row{
		Table:   "t",
		Columns: []row.Column{{Name: "a", Type: row.TypeText}, {Name: "b", Type: row.TypeAny}},
		Values:  []any{`\ud800 𝄞`, "x"},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestKeyThatIsNoneIsRefused(t *testing.T) {
	for _, key := range []string{``, `1`, `{}`, `{"a":[1]}`, `{"a":1}x`, `{"a":1,"a":2}`, `{"a":{"decimal":"x"}}`, "{\"a\":\"\xff\"}", `{"a":1`} {
		if _, _, err := row.DecodeKey([]byte(key)); !errors.Is(err, oms.ErrFormat) {
			t.Errorf("%s: error %v, want ErrFormat", key, err)
		}
	}
}

// FuzzDecode holds that decoding never panics, and that what it takes comes
// back the same through another round.
func FuzzDecode(f *testing.F) {
	_, b, err := row.Encode(orders())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(body(`{"name":"x","type":"any","key":true}`, `"x":{"rawtext":"/w=="}`)))
	f.Add([]byte(body(`{"name":"x","type":"float64"}`, `"x":{"timestamptz":"2024-01-01T00:00:00.5Z"}`)))
	f.Add([]byte(body(`{"name":"\u0000","type":"bytes"}`, `"\u0000":""`)))
	f.Add([]byte(`{"form":1,"schema":{"columns":null},"row":null}`))
	f.Add([]byte(`{"\ud83d\ude00":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := row.Decode(b)
		if err != nil {
			return
		}
		_, again, err := row.Encode(r)
		if err != nil {
			t.Fatalf("%q decoded to what cannot be encoded: %v", b, err)
		}
		back, err := row.Decode(again)
		if err != nil {
			t.Fatalf("%q became %q, which cannot be decoded: %v", b, again, err)
		}
		if diff := cmp.Diff(r, back, equal); diff != "" {
			t.Fatalf("%q (-first +second):\n%s", b, diff)
		}
	})
}

// FuzzDecodeKey is FuzzDecode for keys.
func FuzzDecodeKey(f *testing.F) {
	f.Add([]byte(`{"id":7}`))
	f.Add([]byte(`{"a":{"int64":"9007199254740993"},"b":null,"c":-0.0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, values, err := row.DecodeKey(b)
		if err != nil {
			return
		}
		key, err := row.EncodeKey(names, values)
		if err != nil {
			if names[0] == "" || strings.Contains(err.Error(), "no name") {
				return // JSON has empty names, databases have not
			}
			t.Fatalf("%q: %v", b, err)
		}
		twice, _, err := row.DecodeKey(key)
		if err != nil || len(twice) != len(names) {
			t.Fatalf("%q became %q: %v, %v", b, key, twice, err)
		}
	})
}
