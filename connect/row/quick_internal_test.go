package row

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// agree compares what quick reads with what the rest of the package reads.
// What quick refuses, decode may take or not.
func agree(t *testing.T, first, body []byte) (taken bool) {
	t.Helper()
	var d Decoder
	if _, err := d.decode(first); err != nil {
		return false
	}
	got, ok := d.quick(body)
	if !ok {
		return false
	}
	var slow Decoder
	want, err := slow.decode(body)
	if err != nil {
		t.Fatalf("%q is taken, and decode says %v", body, err)
	}
	if want.Table != d.table || !reflect.DeepEqual(want.Columns, d.columns) || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want.Values) {
		t.Fatalf("%q is read as %#v of %v, decode reads %#v of %v", body, got, d.columns, want.Values, want.Columns)
	}
	return true
}

const quickSchema = `{"form":1,"schema":{"table":"t","columns":[{"name":"i","type":"int64","key":true},{"name":"s","type":"text"},{"name":"a","type":"any"},{"name":"d","type":"decimal"}]},"row":{`

// FuzzQuick holds that what quick takes is what decode takes.
func FuzzQuick(f *testing.F) {
	for _, values := range []string{
		`"i":1,"s":"x","a":null,"d":"1.50"}}`, `"i":"9007199254740993","s":{"rawtext":"/w=="},"a":{"decimal":"1"},"d":{"text":"x"}}}`, `"i":-0,"s":"\ud800","a":1e400,"d":"."}}`,
		`"i":01,"s":"\u00e9\n","a":-0.0,"d":"-1"}}`, `"s":"x","i":1,"a":7,"d":null}}`, `"i":1,"s":"x","a":true,"d":null}} `, `"i":1,"s":"x","a":{"any":1},"d":null}}`, `"i":{"int64":1,"text":"x"},"s":"","a":[],"d":null}}`,
		"\"i\":1,\"s\":\"\xff\",\"a\":1,\"d\":null}}", `"i":1,"s":"x\"y","a":"\\ud800","d":null}}{}`, `"i":"+1","s":"x","a":{"float64":"NaN"},"d":{"boolean":true}}}`,
	} {
		f.Add(values)
	}
	f.Fuzz(func(t *testing.T, values string) {
		agree(t, []byte(quickSchema+`"i":1,"s":"","a":null,"d":null}}`), []byte(quickSchema+values))
	})
}

// TestQuickTakesWhatAnEncoderWrites: otherwise it would be of no use.
func TestQuickTakesWhatAnEncoderWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := []any{
		nil, int64(0), int64(-1 << 63), int64(1<<53 + 1), 0.1, math.Copysign(0, -1), math.NaN(), math.Inf(-1), 1e300, true, false, "", "x", "é\n\"\\\u2028", "\xff", strings.Repeat("long ", 99),
		[]byte{},
		[]byte{0, 255},
		Decimal("-0.50"), Decimal("12345678901234567890.1"), Date("2024-02-29"), Time("12:30:00.123456789"), Timestamp("2024-02-29T12:30:00"), TimestampTZ("2024-02-29T12:30:00-23:59"),
	}
	types := []Type{TypeAny, TypeInt64, TypeFloat64, TypeDecimal, TypeBoolean, TypeText, TypeBytes, TypeDate, TypeTime, TypeTimestamp, TypeTimestampTZ}
	for range 300 {
		var columns []Column
		for i := range 1 + r.IntN(8) {
			columns = append(columns, Column{Name: fmt.Sprintf("c%d\"é", i), Type: types[r.IntN(len(types))], Key: r.IntN(2) == 0})
		}
		e, err := NewEncoder("t", columns)
		if err != nil {
			t.Fatal(err)
		}
		var bodies [][]byte
		for range 2 {
			list := make([]any, len(columns))
			for i := range list {
				list[i] = values[r.IntN(len(values))]
			}
			body, err := e.Body(list)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, body)
		}
		if !agree(t, bodies[0], bodies[1]) {
			t.Fatalf("%s is not taken", bodies[1])
		}
		// Damaged, it is refused or taken for the same as ever.
		for range 50 {
			damaged := []byte(string(bodies[1]))
			at := r.IntN(len(damaged))
			switch r.IntN(3) {
			case 0:
				damaged[at] = `"\,:{}0-nt `[r.IntN(11)]
			case 1:
				damaged = append(damaged[:at], damaged[at+1:]...)
			case 2:
				damaged = append(damaged[:at:at], append([]byte{damaged[at]}, damaged[at:]...)...)
			}
			agree(t, bodies[0], damaged)
		}
	}
}

// TestDatesAndTimesAreThoseOfPackageTime compares with what package time
// parses, with each length and each digit.
func TestDatesAndTimesAreThoseOfPackageTime(t *testing.T) {
	parses := func(layout, s string) bool {
		_, err := time.Parse(layout, s)
		return err == nil && len(s) == len(layout)
	}
	for _, year := range []int{0, 1, 4, 100, 400, 1582, 1900, 2000, 2023, 2024, 2100, 9999} {
		for month := range 14 {
			for day := range 34 {
				if s := fmt.Sprintf("%04d-%02d-%02d", year, month, day); isDate(s) != parses(time.DateOnly, s) {
					t.Errorf("isDate(%s) = %v", s, isDate(s))
				}
			}
		}
	}
	for i := range 100 {
		for _, form := range []string{"%02d:30:15", "12:%02d:15", "12:30:%02d"} {
			if s := fmt.Sprintf(form, i); isClock(s) != parses(time.TimeOnly, s) {
				t.Errorf("isClock(%s) = %v", s, isClock(s))
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		for layout, is := range map[string]func(string) bool{time.DateOnly: isDate, time.TimeOnly: isClock} {
			s := []byte(time.Unix(r.Int64N(1<<37), 0).UTC().Format(layout))
			for range r.IntN(3) {
				s[r.IntN(len(s))] = "0123456789-:+ /T\xff"[r.IntN(17)]
			}
			s = s[:len(s)-r.IntN(8)/7]
			if is(string(s)) != parses(layout, string(s)) {
				t.Errorf("%q is a %s: %v", s, layout, is(string(s)))
			}
		}
	}
}
