package row_test

import (
	"sync"
	"testing"

	"github.com/omconnect/omconnect/connect/row"
)

func TestFormsAreExact(t *testing.T) {
	for _, c := range []struct {
		valid func(string) bool
		name  string
		good  []string
		bad   []string
	}{
		{
			name:  "decimal",
			valid: func(s string) bool { return row.Decimal(s).Valid() },
			good:  []string{"0", "-0", "00", "1.5", "-1.50", "123456789012345678901234567890.5"},
			bad:   []string{"", "-", ".5", "1.", "+1", "1e5", "1.5.5", "--1", "0x1", " 1", "1 ", "١", "NaN", "Infinity"},
		},
		{
			name:  "date",
			valid: func(s string) bool { return row.Date(s).Valid() },
			good:  []string{"2024-02-29", "0000-01-01", "9999-12-31"},
			bad:   []string{"", "2023-02-29", "2024-2-29", "2024-02-30", "24-02-29", "2024-02-29 ", "2024-02-29T", "10000-01-01", "-001-01-01"},
		},
		{
			name:  "time",
			valid: func(s string) bool { return row.Time(s).Valid() },
			good:  []string{"00:00:00", "23:59:59", "12:30:00.5", "12:30:00.000000000", "12:30:00.123456789"},
			bad:   []string{"", "24:00:00", "12:60:00", "12:00:60", "1:00:00", "12:30", "12:30:00.", "12:30:00.1234567890", "12:30:00,5", "12:30:00.5x"},
		},
		{
			name:  "timestamp",
			valid: func(s string) bool { return row.Timestamp(s).Valid() },
			good:  []string{"2024-02-29T12:30:00", "2024-02-29T12:30:00.25"},
			bad:   []string{"", "2024-02-29", "2024-02-29 12:30:00", "2024-02-29T12:30:00Z", "2024-02-29T24:00:00", "2023-02-29T00:00:00", "2024-02-29TT12:30:00"},
		},
		{
			name:  "timestamptz",
			valid: func(s string) bool { return row.TimestampTZ(s).Valid() },
			good:  []string{"2024-02-29T12:30:00Z", "2024-02-29T12:30:00.25+02:00", "2024-02-29T12:30:00-23:59"},
			bad:   []string{"", "Z", "2024-02-29T12:30:00", "2024-02-29T12:30:00+24:00", "2024-02-29T12:30:00+0200", "2024-02-29T12:30:00z", "2024-02-29T12:30:00Z+01:00"},
		},
	} {
		for _, s := range c.good {
			if !c.valid(s) {
				t.Errorf("%q is refused as a %s", s, c.name)
			}
		}
		for _, s := range c.bad {
			if c.valid(s) {
				t.Errorf("%q is taken as a %s", s, c.name)
			}
		}
	}
}

func TestEncoderIsSafeForConcurrentUse(t *testing.T) {
	r := orders()
	e, err := row.NewEncoder(r.Table, r.Columns)
	if err != nil {
		t.Fatal(err)
	}
	_, wanted, err := e.Encode(r.Values)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, body, err := e.Encode(r.Values); err != nil || string(body) != string(wanted) {
					t.Errorf("%s, %v", body, err)
				}
			}
		})
	}
	all.Wait()
}

func TestTypeOfWhatIsNoValueIsNone(t *testing.T) {
	for _, v := range []any{nil, 7, int32(7), float32(1), []any{}, map[string]any{}, struct{}{}, new(int64)} {
		if got := row.TypeOf(v); got != "" {
			t.Errorf("a %T has the type %s", v, got)
		}
	}
}
