package row

import "strings"

// Valid reports whether the decimal has its form.
func (d Decimal) Valid() bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(string(d), "-"), ".")
	return digits(whole) && (!point || digits(fraction))
}

// Valid reports whether the date has its form and exists.
func (d Date) Valid() bool { return isDate(string(d)) }

// Valid reports whether the time has its form and exists.
func (t Time) Valid() bool {
	clock, ok := cutFraction(string(t))
	return ok && isClock(clock)
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
	return Timestamp(s[:len(s)-zone]).Valid() && isClock(s[len(s)-zone+1:]+":00")
}

// isDate reports whether s is YYYY-MM-DD, and a day that there was.
func isDate(s string) bool {
	if len(s) != len("2006-01-02") || s[4] != '-' || s[7] != '-' || !digits(s[:4]) {
		return false
	}
	month, ok := twoDigits(s[5:7])
	day, ok2 := twoDigits(s[8:10])
	if !ok || !ok2 || month < 1 || month > 12 || day < 1 {
		return false
	}
	return day <= daysOf(s[:4], month)
}

// daysOf returns how many days a month has, by the Gregorian calendar for
// every year.
func daysOf(year string, month int) int {
	switch month {
	case 2:
		century, _ := twoDigits(year[:2])
		rest, _ := twoDigits(year[2:])
		if rest%4 == 0 && (rest != 0 || century%4 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// isClock reports whether s is hh:mm:ss, and a time of a day.
func isClock(s string) bool {
	if len(s) != len("15:04:05") || s[2] != ':' || s[5] != ':' {
		return false
	}
	hour, ok := twoDigits(s[:2])
	minute, ok2 := twoDigits(s[3:5])
	second, ok3 := twoDigits(s[6:8])
	return ok && ok2 && ok3 && hour < 24 && minute < 60 && second < 60
}

// twoDigits reads a number of exactly two digits.
func twoDigits(s string) (int, bool) {
	return int(s[0]-'0')*10 + int(s[1]-'0'), digits(s)
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
