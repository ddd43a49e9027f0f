package omconnect

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// password is the user part of a URL or access point, and an option whose name
// says that it is secret.
var (
	userPart     = regexp.MustCompile(`(://[^\s/?#@:]*):\S*@`)
	secretOption = regexp.MustCompile(`(?i)([?&;][\w.%-]*(?:password|secret|token|credential|passphrase|private)[\w.%-]*=)[^\s&"']+`)
)

// redact replaces the passwords of URLs and access points in a text.
func redact(s string) string {
	if !strings.Contains(s, "://") && !strings.ContainsAny(s, "?&") {
		return s
	}
	s = userPart.ReplaceAllString(s, "${1}:xxxxx@")
	return secretOption.ReplaceAllString(s, "${1}xxxxx")
}

// printable escapes what a terminal would obey instead of showing it: names,
// configurations and causes of failures come from elsewhere.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|1<<8, 16)[1:]) // a byte that is no UTF-8
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
