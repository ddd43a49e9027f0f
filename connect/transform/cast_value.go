package transform

import (
	"encoding/json"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
)

// castTo returns a value as another type, by Java's rules for narrowing. Bytes
// become text only; structures and lists nothing.
func castTo(v any, to connect.DataType) (any, bool) {
	switch v.(type) {
	case []any, *connect.Struct:
		return nil, false
	case []byte:
		return textOf(v), to == connect.DataText
	}
	if to == connect.DataText {
		if n, ok := v.(json.Number); ok && !isInteger(n) {
			f, _ := strconv.ParseFloat(string(n), 64)
			return javaFloat(f, 64), true // as Kafka Connect has read it
		}
		return textOf(v), true
	}
	if s, ok := v.(string); ok {
		return castText(s, to)
	}
	n := numberOf(v)
	switch to {
	case connect.DataBoolean:
		return n.integer(64) != 0, true
	case connect.DataFloat32:
		return float32(n.float()), true
	case connect.DataFloat64:
		return n.float(), true
	default:
		return n.integer(bitsOf(to)), true
	}
}

func bitsOf(t connect.DataType) int {
	switch t {
	case connect.DataInt8:
		return 8
	case connect.DataInt16:
		return 16
	case connect.DataInt32:
		return 32
	default:
		return 64
	}
}

// castText reads a text.
func castText(s string, to connect.DataType) (any, bool) {
	switch to {
	case connect.DataBoolean:
		return strings.EqualFold(s, "true"), true
	case connect.DataFloat32:
		f, ok := javaNumber(s, 32)
		return float32(f), ok
	case connect.DataFloat64:
		f, ok := javaNumber(s, 64)
		return f, ok
	default:
		n, err := strconv.ParseInt(s, 10, bitsOf(to))
		return n, err == nil
	}
}

// javaNumber reads a floating-point number as Java does: white space around it
// is let pass, and a d or f behind it.
func javaNumber(s string, bits int) (float64, bool) {
	s = strings.Trim(s, " \t\r\n")
	switch strings.TrimLeft(s, "+-") {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
	default:
		if strings.ContainsAny(s, "_iInN") {
			return 0, false // what Go takes beyond
		}
		if !strings.HasPrefix(strings.ToLower(strings.TrimLeft(s, "+-")), "0x") {
			if t := strings.TrimRight(s, "dDfF"); len(s)-len(t) <= 1 {
				s = t
			}
		}
	}
	f, err := strconv.ParseFloat(s, bits)
	return f, err == nil || math.IsInf(f, 0) && !strings.HasSuffix(s, "Infinity") // out of range is infinite
}

// A number is a value as a whole or a floating-point one.
type number struct {
	whole *big.Int // nil: it is f
	f     float64
}

// numberOf returns a value as a number: a boolean as 0 or 1, dates and times
// as Kafka Connect counts them.
func numberOf(v any) number {
	switch v := v.(type) {
	case bool:
		if v {
			return number{whole: big.NewInt(1)}
		}
		return number{whole: new(big.Int)}
	case int64:
		return number{whole: big.NewInt(v)}
	case float64:
		return number{f: v}
	case float32:
		return number{f: float64(v)}
	case json.Number:
		if n, ok := new(big.Int).SetString(string(v), 10); ok {
			return number{whole: n}
		}
		f, _ := strconv.ParseFloat(string(v), 64)
		return number{f: f}
	case row.Decimal:
		whole, _, _ := strings.Cut(string(v), ".")
		n, _ := new(big.Int).SetString(whole, 10)
		f, _ := strconv.ParseFloat(string(v), 64)
		return number{whole: n, f: f}
	}
	n, _ := logicalNumber(v)
	return number{whole: big.NewInt(n)}
}

// integer returns the number in so many bits: of a whole number the lowest
// ones, of a floating-point one the nearest that an int or long has, and of
// that the lowest ones.
func (n number) integer(bits int) int64 {
	var i int64
	switch {
	case n.whole != nil:
		var low big.Int
		low.And(n.whole, new(big.Int).SetUint64(math.MaxUint64))
		i = int64(low.Uint64()) //nolint:gosec // wrapping is what Java does
	case bits == 64:
		i = saturated(n.f, math.MinInt64, math.MaxInt64)
	default:
		i = saturated(n.f, math.MinInt32, math.MaxInt32)
	}
	shift := 64 - bits
	return i << shift >> shift
}

func saturated(f float64, low, high int64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f <= float64(low):
		return low
	case f >= float64(high):
		return high
	}
	return int64(f)
}

func (n number) float() float64 {
	if n.whole == nil || n.f != 0 {
		return n.f
	}
	f, _ := new(big.Float).SetInt(n.whole).Float64()
	return f
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
