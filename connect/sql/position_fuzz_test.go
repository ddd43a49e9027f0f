package sql_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

// FuzzPosition holds that a stored position is refused or understood, and that
// what was understood is written as a canonical position that says the same.
func FuzzPosition(f *testing.F) {
	for _, seed := range []string{
		`{"incrementing":{"id":7}}`, `{"incrementing":{"id":7},"schema":"1.2","timestamp":{"at":"2024-02-29T12:30:00"}}`,
		`{"done":true}`, `{}`, `{"incrementing":{"id":{"text":"x"}}}`, `{"incrementing":{"id":1,"id":2}}`, `null`, `{"schema":"<\u2028>"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, position string) {
		for _, places := range [][]sql.Place{
			{sql.PlaceOf("incrementing", "id")},
			{sql.PlaceOf("incrementing", "id"), sql.PlaceOf("timestamp", "at")},
		} {
			values, version, err := sql.ParsePosition(places, position)
			if err != nil || values == nil {
				continue
			}
			text, err := sql.FormatPosition(places, values, version)
			if err != nil {
				t.Errorf("%s was understood as %v and cannot be written: %v", position, values, err)
				continue
			}
			if canonical, err := oms.CanonicalObject(rawJSON(text)); err != nil || canonical != text {
				t.Errorf("%s is not canonical: %s, %v", text, canonical, err)
			}
			again, _, err := sql.ParsePosition(places, text)
			if err != nil {
				t.Errorf("%s became %s, and that: %v", position, text, err)
				continue
			}
			for i := range places {
				if diff := cmp.Diff(mustKey(t, values[i]), mustKey(t, again[i])); diff != "" {
					t.Errorf("%s became %s (-first +second):\n%s", position, text, diff)
				}
			}
		}
	})
}

// mustKey writes a value with its type: NaN equals NaN then.
func mustKey(t *testing.T, value any) string {
	t.Helper()
	key, err := row.EncodeKey([]string{"v"}, []any{value})
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}
