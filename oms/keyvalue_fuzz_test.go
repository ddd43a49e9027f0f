package oms_test

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// FuzzKeyValue holds that whatever a reader takes comes back the same when it
// is written again, and that what it does not take is a problem of that very
// key.
func FuzzKeyValue(f *testing.F) {
	for _, seed := range []string{"", "0", "-7", "9223372036854775807", "1e3", "NaN", "-Inf", "TRUE", "a, b,,c ", "\xff,", "9223372036854775"} {
		f.Add("key", seed)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		kv := oms.KeyValue{key: value}
		for name, read := range map[string]func(*oms.KeyValueReader) string{
			"Int64": func(r *oms.KeyValueReader) string { return strconv.FormatInt(r.Int64(key), 10) },
			"Int":   func(r *oms.KeyValueReader) string { return strconv.Itoa(r.Int(key)) },
			"Float": func(r *oms.KeyValueReader) string { return strconv.FormatFloat(r.Float(key), 'g', -1, 64) },
			"Bool":  func(r *oms.KeyValueReader) string { return strconv.FormatBool(r.Bool(key)) },
			"Millis": func(r *oms.KeyValueReader) string {
				d := r.Millis(key)
				if d%time.Millisecond != 0 {
					t.Errorf("%q became %v", value, d)
				}
				return strconv.FormatInt(d.Milliseconds(), 10)
			},
			"String": func(r *oms.KeyValueReader) string { return r.String(key) },
			"List":   func(r *oms.KeyValueReader) string { return strings.Join(r.List(key), ",") },
		} {
			r := kv.Reader()
			first := read(r)
			if err := r.Err(); err != nil {
				wrong, ok := errors.AsType[oms.KeyErrors](err)
				if !ok || len(wrong) != 1 || wrong[0].Key != key || wrong[0].Problem == "" {
					t.Errorf("%s of %q: %#v is not one problem of %q", name, value, err, key)
				}
				continue
			}
			again := oms.KeyValue{key: first}.Reader()
			if second := read(again); again.Err() != nil || second != first {
				t.Errorf("%s of %q is %q, and that %q, %v", name, value, first, second, again.Err())
			}
		}
		if n := kv.Reader().Float(key); math.IsNaN(n) {
			t.Errorf("%q is read as a number and is none", value)
		}
		r := kv.Reader()
		if err := r.Err(); err == nil {
			t.Errorf("the key %q was never read, and nobody says so", key)
		}
		if list := oms.SplitList(value); slices.Contains(list, "") || !slices.Equal(oms.SplitList(strings.Join(list, ",")), list) {
			t.Errorf("the list %q is split into %q", value, list)
		}
	})
}
