package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// split returns the records of data, and the error that ended it.
func split(t *testing.T, format string, data []byte) ([]*oms.Message, error) {
	t.Helper()
	s := newSplitter(format, "")
	var msgs []*oms.Message
	for len(data) > 0 {
		rec, n, err := s.next(data, true)
		if err != nil {
			return msgs, err
		}
		if n <= 0 || n > len(data) {
			t.Fatalf("the splitter took %d of %d bytes", n, len(data))
		}
		data = data[n:]
		if !rec.skip {
			msgs = append(msgs, &oms.Message{Body: rec.body})
		}
	}
	return msgs, nil
}

// FuzzLines holds that the source reads what the sink has written: the same
// records, in lines and in JSON, whatever stood in the first file.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"a\nb\n", "a\r\n\n", "{\"a\": 1}\n\n[1,\t2]\r\n\"x\"", "\x00\xff\n", "1 2\n", "{\"a\":\"\\u2028\"}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []string{formatLines, formatJSON} {
			msgs, err := split(t, format, data)
			if bad, ok := errors.AsType[*formatError](err); err != nil && (!ok || bad.code != oms.ErrFormat) {
				t.Errorf("%s: %v is no error about the format", format, err)
			}
			var written bytes.Buffer
			if err := encode(&written, format, msgs); err != nil {
				t.Fatalf("%s: what was read cannot be written: %v", format, err)
			}
			again, err := split(t, format, written.Bytes())
			if err != nil || len(again) != len(msgs) {
				t.Fatalf("%s: %d records became %d, %v", format, len(msgs), len(again), err)
			}
			for i, m := range msgs {
				want := m.Body
				if format == formatJSON {
					var compact bytes.Buffer
					if err := json.Compact(&compact, want); err != nil {
						t.Fatal(err)
					}
					want = compact.Bytes()
				}
				if !bytes.Equal(again[i].Body, want) {
					t.Errorf("%s: record %d: %q became %q", format, i, want, again[i].Body)
				}
			}
		}
	})
}

// FuzzSinkLines holds that each body becomes one line or is refused by its
// index, and that the lines are those that a source reads.
func FuzzSinkLines(f *testing.F) {
	f.Add([]byte("a"), []byte("b\nc"))
	f.Add([]byte("{\n}"), []byte("{"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		bodies := [][]byte{one, two}
		for _, format := range []string{formatLines, formatJSON} {
			var written bytes.Buffer
			err := encode(&written, format, []*oms.Message{{Body: one}, {Body: two}})
			want := bodies
			if partial, ok := errors.AsType[*connect.PartialError](err); ok {
				want = bodies[:partial.Index]
			} else if err != nil {
				t.Fatalf("%s: %v does not say which one", format, err)
			}
			read, err := split(t, format, written.Bytes())
			if err != nil || len(read) != len(want) {
				t.Fatalf("%s: %q became %d records, %v, want %d", format, want, len(read), err, len(want))
			}
			for i := range want {
				if format == formatLines && !bytes.Equal(read[i].Body, want[i]) {
					t.Errorf("%q became %q", want[i], read[i].Body)
				}
			}
		}
	})
}
