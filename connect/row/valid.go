package row

import (
	"strings"
	"time"
)

// Valid reports whether the decimal has its form.
func (d Decimal) Valid() bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(string(d), "-"), ".")
	return digits(whole) && (!point || digits(fraction))
}

// Valid reports whether the date has its form and exists.
func (d Date) Valid() bool { return parses(time.DateOnly, string(d)) }

// Valid reports whether the time has its form and exists.
func (t Time) Valid() bool {
	clock, ok := cutFraction(string(t))
	return ok && parses(time.TimeOnly, clock)
}

// Valid reports whether the timestamp has its form and exists.
func (t Timestamp) Valid() bool {
	date, clock, ok := strings.Cut(string(t), "T")
	return ok && Date(date).Valid() && Time(clock).Valid()
}

// Valid reports whether the timestamp has its form and exists.
func (t TimestampTZ) Valid() bool {
	s := string(t)
	if local, ok := strings.CutSuffix(s, "Z"); ok {
		return Timestamp(local).Valid()
	}
	const zone = len("+00:00")
	if len(s) < zone || (s[len(s)-zone] != '+' && s[len(s)-zone] != '-') {
		return false
	}
	return Timestamp(s[:len(s)-zone]).Valid() && parses("15:04", s[len(s)-zone+1:])
}

// parses insists on the length too: package time is lenient with fractions
// and with hours of one digit.
func parses(layout, s string) bool {
	_, err := time.Parse(layout, s)
	return err == nil && len(s) == len(layout)
}

func cutFraction(s string) (clock string, ok bool) {
	clock, fraction, point := strings.Cut(s, ".")
	return clock, !point || (digits(fraction) && len(fraction) <= 9)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
