package file_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestCSVRowsAreObjectsInTheOrderOfTheHeader(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"empty file", "", nil},
		{"header alone", "a,b", nil},
		{"rows", "z,a\n1,x\n2,y\n", []string{`{"z":"1","a":"x"}`, `{"z":"2","a":"y"}`}},
		{"no newline at the end", "a\n1", []string{`{"a":"1"}`}},
		{"carriage returns", "a,b\r\n1,2\r\n\r\n3,\r\n", []string{`{"a":"1","b":"2"}`, `{"a":"3","b":""}`}},
		{"blank lines", "\na\n\n\n1\n\n", []string{`{"a":"1"}`}},
		{"byte order mark", "\xef\xbb\xbfa,b\n1,2\n", []string{`{"a":"1","b":"2"}`}},
		{"byte order mark before a quote", "\xef\xbb\xbf\"a\"\n1\n", []string{`{"a":"1"}`}},
		{"quotes", "a,b\n\"x,\"\"y\"\"\",\"\"\n", []string{`{"a":"x,\"y\"","b":""}`}},
		{"line breaks in quotes", "a,b\n\"1\r\n\n2\",3\n4,5\n", []string{`{"a":"1\r\n\n2","b":"3"}`, `{"a":"4","b":"5"}`}},
		{"quoted header", "\"a\nb\",c\n1,2\n", []string{`{"a\nb":"1","c":"2"}`}},
		{"an unnamed field", ",a\n1,2\n", []string{`{"":"1","a":"2"}`}},
		{"escapes", "a\n\"\\\t\x01é\u2028\"\n", []string{"{\"a\":\"\\\\\\t\\u0001é\u2028\"}"}},
		{"spaces stay", "a,b\n 1 ,\t2\n", []string{`{"a":" 1 ","b":"\t2"}`}},
		{"only quotes", "a\n\"\"\n\"\"\"\"\n", []string{`{"a":""}`, `{"a":"\""}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs := read(t, oms.KeyValue{"file": file(t, tt.content), "format": "csv"}, "").all()
			wantBodies(t, msgs, tt.want...)
		})
	}
}

func TestMalformedCSVNamesFileAndLine(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		texts         []string
	}{
		{"too few fields", "a,b\n1,2\n\n3\n", []string{"line 4", "1 fields", "the header 2"}},
		{"too many fields", "a,b\n1,2\n3,4,5\n", []string{"line 3", "3 fields"}},
		{"behind several lines", "a,b\n\"1\n\n\",2\n3\n", []string{"line 5"}},
		{"quote in a field", "a\n1\nx\"y\n", []string{"line 3", "quote"}},
		{"text behind a quote", "a\n\"x\"y\n", []string{"line 2", "closing quote"}},
		{"open quote", "a\n1\n\"x\ny\n", []string{"line 3", "never closed"}},
		{"not UTF-8", "a\n\xe9\n", []string{"line 2", `field "a"`, "UTF-8"}},
		{"header not UTF-8", "\xe9\n1\n", []string{"line 1", "UTF-8"}},
		{"name twice", "a,b,a\n1,2,3\n", []string{"line 1", `"a" twice`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := file(t, tt.content)
			_, err := read(t, oms.KeyValue{"file": path, "format": "csv"}, "").untilError()
			wantError(t, err, oms.ErrFormat, append(tt.texts, path)...)
		})
	}
	path := file(t, "a,b\n1,2\n")
	_, err := read(t, oms.KeyValue{"file": path, "format": "csv", "key.field": "id"}, "").untilError()
	wantError(t, err, oms.ErrInvalid, path, "key.field", `"id"`, "a, b")
}

// FuzzCSV compares with encoding/csv, which is as strict, but for what it
// changes: it drops carriage returns.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "a\n\"x\"\"\ny\"\n", "a\n\"", "a\nx\"y", "a,b\n1\n", "\n\na\n\n", "a\n\"\"\n,", "\"a\"x\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if strings.ContainsAny(content, "\r") || strings.HasPrefix(content, "\xef") {
			return
		}
		want, wantErr := stdCSV(content)
		msgs, err := read(t, oms.KeyValue{"file": file(t, content), "format": "csv"}, "").untilError()
		if (wantErr == nil) != errors.Is(err, io.EOF) {
			t.Fatalf("%q: error %v, encoding/csv has %v", content, err, wantErr)
		}
		if len(msgs) != len(want) {
			t.Fatalf("%q: %d rows, encoding/csv has %d", content, len(msgs), len(want))
		}
		for i, m := range msgs {
			var got map[string]string
			if err := json.Unmarshal(m.Body, &got); err != nil {
				t.Fatalf("%q: body %q: %v", content, m.Body, err)
			}
			if !maps.Equal(got, want[i]) {
				t.Errorf("%q: row %d is %q, encoding/csv has %q", content, i, got, want[i])
			}
		}
	})
}

// stdCSV reads with encoding/csv, and has the same rules for names and text.
func stdCSV(content string) (rows []map[string]string, err error) {
	r := csv.NewReader(strings.NewReader(content))
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, name := range header {
		if names[name] || strings.ToValidUTF8(name, "") != name {
			return nil, errors.New("bad name")
		}
		names[name] = true
	}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		row := make(map[string]string)
		for i, field := range fields {
			if strings.ToValidUTF8(field, "") != field {
				return rows, errors.New("not UTF-8")
			}
			row[header[i]] = field
		}
		rows = append(rows, row)
	}
}
