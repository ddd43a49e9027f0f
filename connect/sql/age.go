package sql

import (
	"math"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect/row"
)

// readyAt returns when the clock has left a timestamp behind, to the digit
// that is stored: until then a row with the same timestamp may still come. It
// is false for a value that is no timestamp, and for a date, which it would
// hold back for a day.
func readyAt(v any, zone *time.Location) (time.Time, bool) {
	switch v := v.(type) {
	case int64:
		return readyInt(v), true
	case float64:
		return readyFloat(v)
	case row.Decimal:
		if n, ok := bindDecimal(v).(int64); ok {
			return readyInt(n), true
		}
		f, ok := bindDecimal(v).(float64)
		if !ok {
			return time.Time{}, false
		}
		return readyFloat(f)
	case row.Timestamp:
		return readyText(string(v), zone)
	case row.TimestampTZ:
		return readyText(string(v), zone)
	case string:
		return readyText(v, zone)
	}
	return time.Time{}, false
}

// readyInt takes a number for that of seconds, milliseconds, microseconds or
// nanoseconds since 1970 that is nearest to our time.
func readyInt(n int64) time.Time {
	switch abs := math.Abs(float64(n)); {
	case abs < 1e11:
		return time.Unix(n, 0).Add(time.Second)
	case abs < 1e14:
		return time.UnixMilli(n).Add(time.Millisecond)
	case abs < 1e17:
		return time.UnixMicro(n).Add(time.Microsecond)
	}
	return time.Unix(0, n).Add(1)
}

// readyFloat takes a number below the year 9999 in julian days for one, and a
// larger one for seconds since 1970. Neither has digits to speak of.
func readyFloat(f float64) (time.Time, bool) {
	const julianEpoch, lastJulian, lastUnix = 2440587.5, 5373484.5, 1e11
	if f < lastJulian {
		f = (f - julianEpoch) * (24 * time.Hour).Seconds()
	}
	if math.IsNaN(f) || math.Abs(f) > lastUnix {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))).Add(time.Millisecond), true
}

func readyText(s string, zone *time.Location) (time.Time, bool) {
	s = strings.Replace(s, " ", "T", 1)
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04"} {
		t, err := time.ParseInLocation(layout, s, zone)
		if err != nil {
			continue
		}
		digit := time.Second
		if layout == "2006-01-02T15:04" {
			digit = time.Minute
		}
		_, fraction, _ := strings.Cut(s, ".")
		for i := 0; i < len(fraction) && '0' <= fraction[i] && fraction[i] <= '9' && digit > 1; i++ {
			digit /= 10
		}
		return t.Add(digit), true
	}
	return time.Time{}, false
}
