package transform_test

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
)

// castOf returns what a text becomes by a cast of the whole value, "error" if
// it cannot be cast.
func castOf(t *testing.T, body string, specs ...string) string {
	t.Helper()
	var config, aliases []string
	for i, spec := range specs {
		alias := fmt.Sprintf("c%d", i)
		aliases = append(aliases, alias)
		config = append(config, "transforms."+alias+".type=Cast$Value", "transforms."+alias+".spec="+spec)
	}
	out, err := chain(t, connect.KindSource, append(config, "transforms="+strings.Join(aliases, ","))...).Apply(message("null", body))
	if err != nil {
		return "error"
	}
	return string(out.Body)
}

func TestTextsAreReadAsJavaReadsThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, to, want string }{
		{"127", "int8", "127"},
		{"128", "int8", "error"},
		{"-32768", "int16", "-32768"},
		{"+7", "int32", "7"},
		{"2147483648", "int32", "error"},
		{"9223372036854775807", "int64", "9223372036854775807"},
		{"9223372036854775808", "int64", "error"},
		{" 7", "int64", "error"},
		{"1_000", "int64", "error"},
		{"0x10", "int64", "error"},
		{"", "int64", "error"},
		{"1.5", "float64", "1.5"},
		{" 1.5\t", "float64", "1.5"},
		{"1.5f", "float64", "1.5"},
		{"1.5fd", "float64", "error"},
		{"1e400", "float64", "Infinity"},
		{"-Infinity", "float64", "-Infinity"},
		{"NaN", "float64", "NaN"},
		{"infinity", "float64", "error"},
		{"nan", "float64", "error"},
		{"1_0.5", "float64", "error"},
		{"0x1p3", "float64", "8.0"},
		{"", "float64", "error"},
		{"3.4e39", "float32", "Infinity"},
		{"0.1", "float32", "0.1"},
		{"tRuE", "boolean", "true"},
		{"1", "boolean", "false"},
	} {
		if got := castOf(t, c.text, c.to); got != c.want {
			t.Errorf("%q as %s is %s, want %s", c.text, c.to, got, c.want)
		}
	}
}

func TestNumbersAreWrittenAsJavaWritesThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0.0", "-0.0": "-0.0", "100": "100.0", "0.001": "0.001", "0.0009": "9.0E-4", "9999999": "9999999.0", "10000000": "1.0E7", "1.25e-10": "1.25E-10",
		"123456789012": "1.23456789012E11", "1e300": "1.0E300", "0.30000000000000004": "0.30000000000000004",
	} {
		if got := castOf(t, text, "float64"); got != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
	}
}

func TestNumbersAreNarrowedAsJavaNarrowsThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		specs []string
		want  string
	}{
		{"300", []string{"int64", "int8"}, "44"},
		{"-129", []string{"int64", "int8"}, "127"},
		{"4294967296", []string{"int64", "int32"}, "0"},
		{"1e10", []string{"float64", "int32"}, "2147483647"},
		{"1e10", []string{"float64", "int16"}, "-1"}, // by way of an int
		{"-1e10", []string{"float64", "int8"}, "0"},
		{"1e10", []string{"float64", "int64"}, "10000000000"},
		{"1e30", []string{"float64", "int64"}, "9223372036854775807"},
		{"NaN", []string{"float64", "int64"}, "0"},
		{"-1.9", []string{"float64", "int64"}, "-1"},
		{"0.9", []string{"float64", "boolean"}, "false"},
		{"1.1", []string{"float64", "boolean"}, "true"},
		{"true", []string{"boolean", "float32"}, "1.0"},
		{"9007199254740993", []string{"int64", "float64", "int64"}, "9007199254740992"},
		{"16777217", []string{"int64", "float32", "int64"}, "16777216"},
	} {
		if got := castOf(t, c.text, c.specs...); got != c.want {
			t.Errorf("%s by %v is %s, want %s", c.text, c.specs, got, c.want)
		}
	}
}

// TestDecimalsGoThroughKafkasFormAndBack holds that no digit and no sign is
// lost, and that the bytes are the fewest that two's complement takes.
func TestDecimalsGoThroughKafkasFormAndBack(t *testing.T) {
	t.Parallel()
	out, in := chain(t, connect.KindSource, "value.converter=json"), chain(t, connect.KindSink, "value.converter=json")
	r := rand.New(rand.NewPCG(3, 5))
	for i := range 2000 {
		unscaled := big.NewInt(int64(i - 1000))
		if i%2 == 0 {
			unscaled.SetUint64(r.Uint64())
			unscaled.Mul(unscaled, big.NewInt(r.Int64()-1<<62))
		}
		scale := r.IntN(30)
		digits := new(big.Int).Abs(unscaled).String()
		digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
		if scale > 0 {
			digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
		}
		if unscaled.Sign() < 0 {
			digits = "-" + digits
		}
		body := row1(`d:decimal:"` + digits + `"`)
		sent, err := out.Apply(message("k", body))
		if err != nil {
			t.Fatal(err)
		}
		_, payload, _ := strings.Cut(string(sent.Body), `"payload":{"d":"`)
		b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(payload, `"}}`))
		if err != nil || len(b) != unscaled.BitLen()/8+1 && unscaled.Sign() >= 0 {
			t.Fatalf("%s has the bytes %x, %v", digits, b, err)
		}
		back, err := in.Apply(sent)
		if err != nil || string(back.Body) != body {
			t.Fatalf("%s came back as %s, %v", body, shown(back), err)
		}
	}
}

// TestRandomRowsKeepWhatNoTransformTouches puts rows of every type through
// field transforms that work on other columns.
func TestRandomRowsKeepWhatNoTransformTouches(t *testing.T) {
	t.Parallel()
	values := map[string][]string{
		"int64": {"0", `"-9223372036854775808"`, `"9007199254740993"`}, "float64": {"0.1", "-0.0", `"NaN"`, "1e+300"}, "decimal": {`"-0"`, `"000.10"`, `"123456789012345678901234567890.5"`},
		"boolean": {"true"}, "text": {`""`, `"é\""`, `{"rawtext":"/w=="}`}, "bytes": {`""`, `"AP8="`}, "date": {`"2024-02-29"`, `"0000-01-01"`}, "time": {`"23:59:59.123456789"`},
		"timestamp": {`"2024-02-29T12:30:00.000000001"`}, "timestamptz": {`"2024-02-29T12:30:00-23:59"`}, "any": {"7", "7.0", `{"decimal":"1.50"}`, `"x"`},
	}
	c := chain(
		t, connect.KindSink, "transforms=i,m,r,f,c,h,e,j", "transforms.i.type=InsertField$Value", "transforms.i.static.field=new", "transforms.i.static.value=5",
		"transforms.m.type=MaskField$Value", "transforms.m.fields=new", "transforms.m.replacement=6", "transforms.r.type=ReplaceField$Value", "transforms.r.renames=new:other",
		"transforms.f.type=Flatten$Value", "transforms.c.type=Cast$Value", "transforms.c.spec=other:int8", "transforms.h.type=HeaderFrom$Value", "transforms.h.fields=gone", "transforms.h.headers=gone", "transforms.h.operation=move",
		"transforms.e.type=Expression", `transforms.e.value=merge(value, {"other": value.other + 1})`, "transforms.j.type=JQ", "transforms.j.program=.other += 1",
	)
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var columns []string
		for typ, list := range values {
			v := list[r.IntN(len(list))]
			if r.IntN(5) == 0 {
				v = "null"
			}
			columns = append(columns, typ+":"+typ+":"+v)
		}
		out, err := c.Apply(received("k", row1(append(columns, `gone:text:"x"`)...)))
		if want := row1(append(columns, `other:int64:8`)...); err != nil || shown(out) != "k "+want {
			t.Fatalf("became %s, %v\nwant   %s", shown(out), err, want)
		}
	}
}
