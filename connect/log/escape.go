package logsink

import (
	"strconv"
	"unicode/utf8"
)

// cut returns at most n first bytes of b, without the beginning of a character
// that does not fit.
func cut(b []byte, n int) []byte {
	for i := n; i > 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			return b[:i]
		}
	}
	return b[:n] // not UTF-8
}

// escape returns text in which only printable characters stand as they are.
func escape(b []byte) string {
	out := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'x', hex[b[0]>>4], hex[b[0]&15])
		case r == '\\':
			out = append(out, '\\', '\\')
		case strconv.IsPrint(r):
			out = utf8.AppendRune(out, r)
		default:
			quoted := strconv.QuoteRune(r)
			out = append(out, quoted[1:len(quoted)-1]...)
		}
		b = b[size:]
	}
	return string(out)
}
