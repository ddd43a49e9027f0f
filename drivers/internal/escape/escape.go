// Package escape makes of any string a name that a broker takes.
package escape

import "strconv"

// A Mark is a character that a broker takes in names and that is put before
// what it does not: letters, digits, - and _ stay as they are, every other byte
// becomes the mark and two hexadecimal digits. It must be none of those that
// stay.
type Mark byte

// Encode returns the name of a string. No two strings have the same.
func (m Mark) Encode(s string) string {
	b := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		b = m.Append(b, s[i])
	}
	return string(b)
}

// Append writes what a byte becomes behind b.
func (m Mark) Append(b []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
		return append(b, c)
	}
	return append(b, byte(m), digits[c>>4], digits[c&15])
}

// Decode undoes Encode; ok is false for what Encode does not return.
func (m Mark) Decode(name string) (s string, ok bool) {
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] != byte(m) {
			b = append(b, name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		c, err := strconv.ParseUint(name[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b = append(b, byte(c))
		i += 2
	}
	s = string(b)
	return s, m.Encode(s) == name
}
