package row_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

// equal compares rows exactly: NaN equals itself, -0 differs from 0, and a nil
// []byte is an empty one.
var equal = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || (a != a && b != b) }),
	cmpopts.EquateEmpty(),
}

func orders() row.Row {
	return row.Row{
		Table: "orders",
		Columns: []row.Column{
			{Name: "id", Type: row.TypeInt64, Key: true},
			{Name: "placed", Type: row.TypeTimestamp},
			{Name: "total", Type: row.TypeDecimal},
			{Name: "weight", Type: row.TypeFloat64},
			{Name: "paid", Type: row.TypeBoolean},
			{Name: "photo", Type: row.TypeBytes},
			{Name: "note", Type: row.TypeText},
			{Name: "extra", Type: row.TypeAny},
		},
		Values: []any{
			int64(7), row.Timestamp("2024-02-29T12:30:00.250"), row.Decimal("12.50"), 1.5, true,
			[]byte{0, 1, 2},
			"naïve <b>\n", nil,
		},
	}
}

func TestBodyIsJSONThatAHumanCanRead(t *testing.T) {
	key, body, err := row.Encode(orders())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"form":1,"schema":{"table":"orders","columns":[` +
		`{"name":"id","type":"int64","key":true},{"name":"placed","type":"timestamp"},{"name":"total","type":"decimal"},` +
		`{"name":"weight","type":"float64"},{"name":"paid","type":"boolean"},{"name":"photo","type":"bytes"},` +
		`{"name":"note","type":"text"},{"name":"extra","type":"any"}]},` +
		`"row":{"id":7,"placed":"2024-02-29T12:30:00.250","total":"12.50","weight":1.5,"paid":true,` +
		`"photo":"AAEC","note":"naïve <b>\n","extra":null}}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got, want := string(key), `{"id":7}`; got != want {
		t.Errorf("key = %s, want %s", got, want)
	}
}

func TestEachValueHasItsForm(t *testing.T) {
	for _, c := range []struct {
		column row.Type
		value  any
		want   string
	}{
		{row.TypeInt64, int64(1<<53 - 1), `9007199254740991`},
		{row.TypeInt64, int64(1 << 53), `"9007199254740992"`},
		{row.TypeInt64, int64(math.MinInt64), `"-9223372036854775808"`},
		{row.TypeInt64, 1.5, `{"float64":1.5}`},
		{row.TypeInt64, "seven", `{"text":"seven"}`},
		{row.TypeInt64, nil, `null`},
		{row.TypeFloat64, 7.0, `7.0`},
		{row.TypeFloat64, math.Copysign(0, -1), `-0.0`},
		{row.TypeFloat64, 1e300, `1e+300`},
		{row.TypeFloat64, math.SmallestNonzeroFloat64, `5e-324`},
		{row.TypeFloat64, math.Inf(-1), `"-Infinity"`},
		{row.TypeFloat64, math.NaN(), `"NaN"`},
		{row.TypeText, "", `""`},
		{row.TypeText, "a\x00b", `"a\u0000b"`},
		{row.TypeText, "\xff\xfe", `{"rawtext":"//4="}`},
		{row.TypeText, []byte("x"), `{"bytes":"eA=="}`},
		{row.TypeText, nil, `null`},
		{row.TypeBytes, []byte{}, `""`},
		{row.TypeBytes, []byte(nil), `""`},
		{row.TypeBytes, nil, `null`},
		{row.TypeDecimal, row.Decimal("-0.10"), `"-0.10"`},
		{row.TypeDate, row.Date("2024-02-29"), `"2024-02-29"`},
		{row.TypeDate, "yesterday", `{"text":"yesterday"}`},
		{row.TypeTimestampTZ, row.TimestampTZ("2024-02-29T00:00:00+02:00"), `"2024-02-29T00:00:00+02:00"`},
		{row.TypeAny, int64(5), `5`},
		{row.TypeAny, 5.0, `5.0`},
		{row.TypeAny, int64(1 << 60), `{"int64":"1152921504606846976"}`},
		{row.TypeAny, math.Inf(1), `{"float64":"Infinity"}`},
		{row.TypeAny, "5", `"5"`},
		{row.TypeAny, true, `true`},
		{row.TypeAny, row.Time("05:00:00"), `{"time":"05:00:00"}`},
		{row.TypeAny, []byte{255}, `{"bytes":"/w=="}`},
	} {
		_, body, err := row.Encode(row.Row{Columns: []row.Column{{Name: "c", Type: c.column}}, Values: []any{c.value}})
		if err != nil {
			t.Errorf("%#v in a column of %s: %v", c.value, c.column, err)
			continue
		}
		_, got, _ := strings.Cut(string(body), `"row":{"c":`)
		if got = strings.TrimSuffix(got, "}}"); got != c.want {
			t.Errorf("%#v in a column of %s is %s, want %s", c.value, c.column, got, c.want)
		}
		back, err := row.Decode(body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		} else if diff := cmp.Diff([]any{c.value}, back.Values, equal); diff != "" {
			t.Errorf("%s (-encoded +decoded):\n%s", body, diff)
		}
	}
}

func TestNullIsNeitherEmptyTextNorEmptyBytes(t *testing.T) {
	_, body, err := row.Encode(row.Row{
		Columns: []row.Column{{Name: "a", Type: row.TypeAny}, {Name: "b", Type: row.TypeText}, {Name: "c", Type: row.TypeBytes}, {Name: "d", Type: row.TypeBytes}},
		Values:  []any{nil, "", []byte{}, nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	back, err := row.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if back.Values[0] != nil || back.Values[1] != "" || back.Values[2] == nil || back.Values[3] != nil {
		t.Errorf("%s decoded to %#v", body, back.Values)
	}
}

func TestKeyTellsTypesApartAndIsCanonical(t *testing.T) {
	seen := make(map[string]any)
	for _, v := range []any{
		int64(1), "1", 1.0, true, "true", row.Decimal("1"), []byte("1"), "MQ==", int64(1 << 60), "1152921504606846976",
		row.Date("2024-01-01"), "2024-01-01", nil, "null", "",
		[]byte{},
		"\xff", math.Inf(1), "Infinity", "\u2028<&>",
	} {
		key, err := row.EncodeKey([]string{"id"}, []any{v})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(key)]; ok {
			t.Errorf("%#v and %#v have the same key %s", v, other, key)
		}
		seen[string(key)] = v
		canonical, err := oms.CanonicalObject(json.RawMessage(key))
		if err != nil || canonical != string(key) {
			t.Errorf("the key of %#v is %s, canonical would be %s (%v)", v, key, canonical, err)
		}
		names, values, err := row.DecodeKey(key)
		if err != nil || names[0] != "id" || !cmp.Equal([]any{v}, values, equal) {
			t.Errorf("%s decoded to %v %#v, %v", key, names, values, err)
		}
	}
}

func TestKeyDoesNotDependOnTheOrderOfColumns(t *testing.T) {
	a, errA := row.EncodeKey([]string{"b", "a", "é"}, []any{int64(1), "x", nil})
	b, errB := row.EncodeKey([]string{"é", "a", "b"}, []any{nil, "x", int64(1)})
	if want := `{"a":"x","b":1,"é":null}`; string(a) != want || string(b) != want || errA != nil || errB != nil {
		t.Errorf("keys are %s (%v) and %s (%v), want %s", a, errA, b, errB, want)
	}
}

func TestRowWithoutKeyColumnsHasNoKey(t *testing.T) {
	key, _, err := row.Encode(row.Row{Columns: []row.Column{{Name: "a", Type: row.TypeAny}}, Values: []any{"x"}})
	if err != nil || key != nil {
		t.Errorf("key = %q, %v; want none", key, err)
	}
}

func TestDeletionIsAKeyWithoutABody(t *testing.T) {
	r := orders()
	e, err := row.NewEncoder(r.Table, r.Columns)
	if err != nil {
		t.Fatal(err)
	}
	key, err := e.Key(r.Values)
	if err != nil {
		t.Fatal(err)
	}
	names, values, err := row.DecodeKey(key)
	wantNames, wantValues := r.Key()
	if err != nil || !cmp.Equal(names, wantNames) || !cmp.Equal(values, wantValues) {
		t.Errorf("%s decoded to %v %v, %v", key, names, values, err)
	}
}

func TestAnyRowComesBackAsItWas(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var d row.Decoder
	for i := range 3000 {
		r := randomRow(rng)
		key, body, err := row.Encode(r)
		if err != nil {
			t.Fatalf("seed %d, row %d: %v", seed, i, err)
		}
		back, err := d.Decode(body)
		if err != nil {
			t.Fatalf("seed %d, row %d: %v\n%s", seed, i, err, body)
		}
		if diff := cmp.Diff(r, back, equal); diff != "" {
			t.Fatalf("seed %d, row %d (-encoded +decoded):\n%s\n%s", seed, i, diff, body)
		}
		if key == nil {
			continue
		}
		names, values, err := row.DecodeKey(key)
		if err != nil {
			t.Fatalf("seed %d, row %d: key %s: %v", seed, i, key, err)
		}
		wantNames, wantValues := r.Key()
		want := make(map[string]any)
		for i, name := range wantNames {
			want[name] = wantValues[i]
		}
		got := make(map[string]any)
		for i, name := range names {
			got[name] = values[i]
		}
		if diff := cmp.Diff(want, got, equal); diff != "" {
			t.Fatalf("seed %d, row %d: key %s (-want +got):\n%s", seed, i, key, diff)
		}
	}
}

var allTypes = []row.Type{
	row.TypeAny, row.TypeInt64, row.TypeFloat64, row.TypeDecimal, row.TypeBoolean, row.TypeText, row.TypeBytes,
	row.TypeDate, row.TypeTime, row.TypeTimestamp, row.TypeTimestampTZ,
}

func randomRow(rng *rand.Rand) row.Row {
	var r row.Row
	if rng.IntN(4) > 0 {
		r.Table = randomText(rng, true)
	}
	for i := range 1 + rng.IntN(8) {
		name := fmt.Sprintf("%d%s", i, randomText(rng, true))
		c := row.Column{Name: name, Type: allTypes[rng.IntN(len(allTypes))], Key: rng.IntN(3) == 0}
		t := c.Type
		if rng.IntN(4) == 0 || t == row.TypeAny {
			t = allTypes[1+rng.IntN(len(allTypes)-1)]
		}
		r.Columns, r.Values = append(r.Columns, c), append(r.Values, randomValue(rng, t))
	}
	return r
}

func randomValue(rng *rand.Rand, t row.Type) any {
	if rng.IntN(8) == 0 {
		return nil
	}
	date := fmt.Sprintf("%04d-%02d-%02d", rng.IntN(10000), 1+rng.IntN(12), 1+rng.IntN(28))
	clock := fmt.Sprintf("%02d:%02d:%02d", rng.IntN(24), rng.IntN(60), rng.IntN(60))
	if n := rng.IntN(10); n > 0 {
		clock += "." + fmt.Sprintf("%09d", rng.IntN(1e9))[:n]
	}
	switch t {
	case row.TypeInt64:
		return []int64{int64(rng.Uint64()), 1<<53 + int64(rng.IntN(3)) - 1, -1<<53 + int64(rng.IntN(3)) - 1, int64(rng.IntN(10))}[rng.IntN(4)]
	case row.TypeFloat64:
		return []float64{math.Float64frombits(rng.Uint64()), 0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), float64(rng.IntN(100))}[rng.IntN(7)]
	case row.TypeDecimal:
		return []row.Decimal{"0", "-0", "1.10", "-12345678901234567890.12345678901234567890", "000.000"}[rng.IntN(5)]
	case row.TypeBoolean:
		return rng.IntN(2) == 0
	case row.TypeBytes:
		return []byte(randomText(rng, false))
	case row.TypeDate:
		return row.Date(date)
	case row.TypeTime:
		return row.Time(clock)
	case row.TypeTimestamp:
		return row.Timestamp(date + "T" + clock)
	case row.TypeTimestampTZ:
		return row.TimestampTZ(date + "T" + clock + []string{"Z", "+00:00", "-23:59"}[rng.IntN(3)])
	default:
		return randomText(rng, false)
	}
}

func randomText(rng *rand.Rand, utf8 bool) string {
	parts := []string{"a", "\"", "\\", "\\u0041", "\x00", "\n", "é", "𝄞", "\u2028", "<&>", "{", "'", "`", "]", "\x7f", "\ufffd", "\ufeff", "null"}
	if !utf8 {
		parts = append(parts, "\xff", "\xc3", "\xed\xa0\x80")
	}
	var b strings.Builder
	for range rng.IntN(6) {
		b.WriteString(parts[rng.IntN(len(parts))])
	}
	if utf8 {
		b.WriteString("x") // names are not empty
	}
	return b.String()
}

func TestDecoderFollowsAChangeOfSchema(t *testing.T) {
	var d row.Decoder
	for i := range 6 {
		r := orders()
		if i%2 == 1 {
			r.Columns, r.Values = r.Columns[:3], r.Values[:3]
		}
		_, body, err := row.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := d.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back, equal); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestEncodingRefusesWhatIsNoRow(t *testing.T) {
	c := func(name string, typ row.Type) []row.Column { return []row.Column{{Name: name, Type: typ}} }
	for _, tc := range []struct {
		row  row.Row
		want string
	}{
		{row.Row{}, "no columns"},
		{row.Row{Columns: c("", row.TypeAny), Values: []any{1}}, "column 1 has no name"},
		{row.Row{Columns: append(c("a", row.TypeAny), c("a", row.TypeText)...), Values: []any{nil, nil}}, `"a" stands there twice`},
		{row.Row{Columns: c("a", "blob"), Values: []any{nil}}, `type "blob"`},
		{row.Row{Columns: c("a\xff", row.TypeAny), Values: []any{nil}}, "not UTF-8"},
		{row.Row{Table: "\xff", Columns: c("a", row.TypeAny), Values: []any{nil}}, "table: the name"},
		{row.Row{Columns: c("a", row.TypeAny)}, "0 values for 1 columns"},
		{row.Row{Columns: c("price", row.TypeDecimal), Values: []any{row.Decimal("1,5")}}, `column "price": the text is no decimal`},
		{row.Row{Columns: c("day", row.TypeDate), Values: []any{row.Date("2024-02-30")}}, `column "day": the text is no date`},
		{row.Row{Columns: c("n", row.TypeInt64), Values: []any{7}}, `column "n": a int is not a value`},
	} {
		_, _, err := row.Encode(tc.row)
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(fmt.Sprint(err), tc.want) {
			t.Errorf("%v: error %v, want ErrFormat with %q", tc.row, err, tc.want)
		}
	}
}
