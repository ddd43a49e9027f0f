package transform

import (
	"math/big"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect/row"
)

// The layouts of what a row has as text.
const (
	timestampLayout = "2006-01-02T15:04:05"
	millisLayout    = timestampLayout + ".000"
	clockLayout     = "15:04:05.000"
)

const millisPerDay = 24 * 60 * 60 * 1000

// logicalNumber returns what Kafka Connect has for a date or time: days since
// 1970, milliseconds of the day, milliseconds since 1970. Finer digits are
// cut. A timestamp without a zone is taken for UTC.
func logicalNumber(v any) (int64, bool) {
	var t time.Time
	var err error
	switch v := v.(type) {
	case row.Date:
		t, err = time.Parse(time.DateOnly, string(v))
		return floorDiv(t.UnixMilli(), millisPerDay), err == nil
	case row.Time:
		t, err = time.Parse(time.TimeOnly, string(v))
		return int64(t.Sub(t.Truncate(24*time.Hour)) / time.Millisecond), err == nil
	case row.Timestamp:
		t, err = time.Parse(timestampLayout, string(v))
	case row.TimestampTZ:
		t, err = time.Parse(time.RFC3339Nano, string(v))
	default:
		return 0, false
	}
	return t.UnixMilli(), err == nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func dateOf(days int64) (row.Date, bool) {
	const most = 1 << 31 // days; the form ends long before
	if days < -most || days > most {
		return "", false
	}
	d := row.Date(time.UnixMilli(days * millisPerDay).UTC().Format(time.DateOnly))
	return d, d.Valid()
}

func timeOf(millis int64) (row.Time, bool) {
	if millis < 0 || millis >= millisPerDay {
		return "", false
	}
	return row.Time(time.UnixMilli(millis).UTC().Format(clockLayout)), true
}

// instantOf returns a point in time as a row has it.
func instantOf(t time.Time) (row.TimestampTZ, bool) {
	ts := row.TimestampTZ(t.UTC().Format(millisLayout) + "Z")
	return ts, ts.Valid()
}

// unscaledOf returns the digits of a decimal without its point.
func unscaledOf(d row.Decimal) *big.Int {
	whole, fraction, _ := strings.Cut(string(d), ".")
	n, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return new(big.Int) // a decimal that is none; rows are checked
	}
	return n
}

// scaleOf returns how many digits stand behind the point.
func scaleOf(d row.Decimal) int {
	_, fraction, _ := strings.Cut(string(d), ".")
	return len(fraction)
}

// decimalOf is the inverse of unscaledOf and scaleOf. A negative scale means zeros.
func decimalOf(n *big.Int, scale int) row.Decimal {
	digits := new(big.Int).Abs(n).String()
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	if scale <= 0 {
		if n.Sign() != 0 {
			digits += strings.Repeat("0", -scale)
		}
		return row.Decimal(sign + digits)
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	return row.Decimal(sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:])
}

// plainNumber returns a decimal as JSON has numbers: without leading zeros.
func plainNumber(d row.Decimal) string {
	s, negative := strings.CutPrefix(string(d), "-")
	s = strings.TrimLeft(s, "0")
	if s == "" || s[0] == '.' {
		s = "0" + s
	}
	if negative {
		s = "-" + s
	}
	return s
}

// twosComplement returns a number as the fewest bytes that have its sign in
// the first bit, most significant first.
func twosComplement(n *big.Int) []byte {
	if n.Sign() >= 0 {
		b := n.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	bits := new(big.Int).Not(n).BitLen() + 1
	size := (bits + 7) / 8
	b := new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size)*8))
	return b.FillBytes(make([]byte, size))
}

// fromTwosComplement is the inverse of twosComplement.
func fromTwosComplement(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return n
}
