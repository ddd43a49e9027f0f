package oms

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KeyValue is a set of named strings: the configuration of a connector, the
// options of an access point.
type KeyValue map[string]string

// Clone returns a copy.
func (kv KeyValue) Clone() KeyValue { return maps.Clone(kv) }

// Keys returns the keys, sorted.
func (kv KeyValue) Keys() []string { return slices.Sorted(maps.Keys(kv)) }

// Reader returns a strict reader of kv. Its methods do not fail one by one:
// the reader remembers every problem, and Err tells them all at once.
func (kv KeyValue) Reader() *KeyValueReader {
	return &KeyValueReader{kv: kv, seen: make(map[string]bool)}
}

// A KeyValueReader turns strings into typed values. Each method takes the key
// and, for an optional key, its default; without a default the key is
// required. A key that is missing or malformed yields the default or the zero
// value, and a problem. A reader belongs to one goroutine.
type KeyValueReader struct {
	kv       KeyValue
	seen     map[string]bool
	problems KeyErrors
}

// Has reports whether the key is there. It does not count as reading it.
func (r *KeyValueReader) Has(key string) bool {
	_, ok := r.kv[key]
	return ok
}

// String returns the value of the key as it is. A required one must not be
// empty.
func (r *KeyValueReader) String(key string, def ...string) string {
	return read(r, key, def, func(s string) (string, error) {
		if s == "" && len(def) == 0 {
			return "", fmt.Errorf("must not be empty")
		}
		return s, nil
	})
}

// Int returns the value of the key as a whole number.
func (r *KeyValueReader) Int(key string, def ...int) int {
	return read(r, key, def, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", s)
		}
		return n, nil
	})
}

// Int64 returns the value of the key as a whole number of 64 bits.
func (r *KeyValueReader) Int64(key string, def ...int64) int64 {
	return read(r, key, def, func(s string) (int64, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", s)
		}
		return n, nil
	})
}

// Float returns the value of the key as a number.
func (r *KeyValueReader) Float(key string, def ...float64) float64 {
	return read(r, key, def, func(s string) (float64, error) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f != f {
			return 0, fmt.Errorf("%q is not a number", s)
		}
		return f, nil
	})
}

// Bool returns the value of the key, which must be true or false.
func (r *KeyValueReader) Bool(key string, def ...bool) bool {
	return read(r, key, def, func(s string) (bool, error) {
		switch strings.ToLower(s) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, fmt.Errorf("%q is neither true nor false", s)
	})
}

// Millis returns the value of the key, a whole number of milliseconds, as a
// duration. Keys of this kind end in .ms by convention.
func (r *KeyValueReader) Millis(key string, def ...time.Duration) time.Duration {
	return read(r, key, def, func(s string) (time.Duration, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		d := time.Duration(n) * time.Millisecond
		if err != nil || d/time.Millisecond != time.Duration(n) {
			return 0, fmt.Errorf("%q is not a number of milliseconds", s)
		}
		return d, nil
	})
}

// List returns the comma-separated values of the key, trimmed, without empty
// ones. A required list has at least one value.
func (r *KeyValueReader) List(key string, def ...[]string) []string {
	return read(r, key, def, func(s string) ([]string, error) {
		list := SplitList(s)
		if len(list) == 0 && len(def) == 0 {
			return nil, fmt.Errorf("must name at least one value")
		}
		return list, nil
	})
}

// OneOf returns the value of the key, which must be one of the allowed ones.
// The first of them is the default.
func (r *KeyValueReader) OneOf(key string, allowed ...string) string {
	return read(r, key, allowed[:1], func(s string) (string, error) {
		if !slices.Contains(allowed, s) {
			return "", fmt.Errorf("%q is not one of %s", s, strings.Join(allowed, ", "))
		}
		return s, nil
	})
}

// Problems returns how many problems were found so far.
func (r *KeyValueReader) Problems() int { return len(r.problems) }

// Problem notes a problem with a key that the caller found itself.
func (r *KeyValueReader) Problem(key, format string, args ...any) {
	r.seen[key] = true
	r.problems = append(r.problems, KeyError{Key: key, Problem: fmt.Sprintf(format, args...)})
}

// Ignore marks a key as known without reading it.
func (r *KeyValueReader) Ignore(keys ...string) {
	for _, key := range keys {
		r.seen[key] = true
	}
}

// Err returns everything that was wrong, as KeyErrors sorted by key: what was
// missing, what was malformed, and every key that nobody asked for.
func (r *KeyValueReader) Err() error {
	problems := slices.Clone(r.problems)
	for _, key := range r.kv.Keys() {
		if !r.seen[key] {
			problems = append(problems, KeyError{Key: key, Problem: "unknown key" + r.suggest(key)})
		}
	}
	slices.SortStableFunc(problems, func(a, b KeyError) int { return strings.Compare(a.Key, b.Key) })
	return problems.OrNil()
}

// suggest names the known key that the reader of an error most likely meant.
func (r *KeyValueReader) suggest(key string) string {
	best, distance := "", 3
	for _, known := range slices.Sorted(maps.Keys(r.seen)) {
		if d := editDistance(key, known); d < distance {
			best, distance = known, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// SplitList splits a comma-separated list, trims its values and drops empty
// ones.
func SplitList(s string) []string {
	var list []string
	for v := range strings.SplitSeq(s, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

func read[T any](r *KeyValueReader, key string, def []T, parse func(string) (T, error)) T {
	var fallback T
	if len(def) > 0 {
		fallback = def[0]
	}
	r.seen[key] = true
	s, ok := r.kv[key]
	if !ok {
		if len(def) == 0 {
			r.Problem(key, "missing: this key is required")
		}
		return fallback
	}
	v, err := parse(s)
	if err != nil {
		r.Problem(key, "%v", err)
		return fallback
	}
	return v
}
