package transform_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// mixed are bodies whose schemas follow each other in any order: the same, one
// that begins like another, one with other white space or order, none.
func mixed() (rows, envelopes []string) {
	for _, c := range [][]string{
		{`*id:int64:%d`, `d:decimal:"%d.5"`},
		{`*id:int64:%d`, `d:decimal:"%d.25"`}, // another scale
		{`id:int64:%d`, `d:decimal:"%d.5"`},
		{`*id:int64:%d`, `d:decimal:"%d"`, `more:text:null`},
		{`*id:int64:%d`, `d:decimal:{"text":"%d"}`},
		{`*id:int64:%d`, `d:text:"%d"`},
		{`d:decimal:"%d.5"`, `*id:int64:%d`},
		{`*id:any:%d`, `d:any:"%d"`},
	} {
		rows = append(rows, row1(c...), strings.Replace(row1(c...), `"table":"t"`, `"table":"u"`, 1), strings.Replace(row1(c...), `"row":{`, `"row": {`, 1))
	}
	rows = append(rows, `{"a":%d,"b":"%d"}`, `[%d,%d]`, `%d%d`)
	for _, schemas := range [][]string{
		{`a:"type":"int64"`, `b:"type":"int64"`},
		{`a:"type":"int64"`, `b:"type":"int64","default":5`},
		{`a:"type":"int64"`, `b:"type":"int64","optional":true`},
		{`b:"type":"int64"`, `a:"type":"int64"`},
		{`a:"type":"double"`, `b:"type":"float"`},
		{`a:"type":"int64",` + logical + `Timestamp"`, `b:"type":"int32",` + logical + `Date"`},
	} {
		of := enveloped(`{"a":%d,"b":%d}`, schemas...)
		envelopes = append(envelopes, of, strings.Replace(of, `"payload":`, `"payload" : `, 1), strings.Replace(of, `"b":%d}`, `"b":null}%.0d`, 1), strings.TrimSuffix(of, "}")+`,"schema":null}`)
	}
	envelopes = append(envelopes, `{"schema":null,"payload":{"a":%d,"b":%d}}`, `{"payload":{"a":%d},"schema":{"type":"struct","fields":[{"type":"int64","field":"a"}]}%.0d}`, `{"schema":{"type":"int64"},"payload":%d%d}`, `{"a":%d,"b":%d}`)
	return rows, envelopes
}

// TestWhatIsRememberedChangesNothing holds that a chain that has seen many
// schemas says of each record what a new one says.
func TestWhatIsRememberedChangesNothing(t *testing.T) {
	t.Parallel()
	rows, envelopes := mixed()
	var many []string // more than are kept
	for i := range 20 {
		many = append(many, enveloped(`{"a":%d,"b":%d}`, fmt.Sprintf(`a:"type":"int64","doc":"%d"`, i), `b:"type":"int64"`))
	}
	insert := []string{"transforms.x.type=InsertField$Value", "transforms.x.static.field=s", "transforms.x.static.value=v", "transforms=x"}
	for _, c := range []struct {
		kind   connect.Kind
		bodies []string
		config []string
	}{
		{connect.KindSource, rows, []string{"value.converter=json"}},
		{connect.KindSource, rows, append([]string{"value.converter=json", "value.converter.decimal.format=NUMERIC"}, one("JQ", "program=.")...)},
		{connect.KindSource, rows[:24], insert},
		{connect.KindSink, envelopes, []string{"value.converter=json"}},
		{connect.KindSink, envelopes, append([]string{"value.converter=json", "value.converter.replace.null.with.default=false"}, one("Flatten$Value")...)},
		{connect.KindSink, many, []string{"value.converter=json"}},
	} {
		r := rand.New(rand.NewPCG(8, 9))
		kept := chain(t, c.kind, c.config...)
		failed := 0
		const records = 1500
		for i := range records {
			body := fmt.Sprintf(c.bodies[r.IntN(len(c.bodies))], r.IntN(100), r.IntN(100))
			if r.IntN(10) == 0 && i > 0 {
				at := r.IntN(len(body)) // damaged
				body = body[:at] + string(`"{},:0x`[r.IntN(7)]) + body[at+1:]
			}
			m := message("null", body)
			if c.kind == connect.KindSink {
				m = received("null", body)
			}
			got, gotErr := kept.Apply(m)
			fresh, err := tryChain(c.kind, c.config...)
			if err != nil {
				t.Fatal(err)
			}
			want, wantErr := fresh.Apply(m)
			fresh.Close()
			if shown(got) != shown(want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
				t.Fatalf("%q: record %d %s\n became %s, %v\n of a new chain %s, %v", c.config, i, body, shown(got), gotErr, shown(want), wantErr)
			}
			if wantErr != nil {
				failed++
				if oms.CodeOf(wantErr) != oms.ErrFormat {
					t.Fatalf("%s: error %v, want ErrFormat", body, wantErr)
				}
			}
		}
		if failed > records*2/3 {
			t.Errorf("%q: %d of %d records failed: little was compared", c.config, failed, records)
		}
	}
}
