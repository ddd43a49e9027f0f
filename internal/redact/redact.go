// Package redact takes secrets out of texts: causes of failures, logs and
// output quote what connectors and client libraries were given.
package redact

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hidden stands in the place of a secret.
const Hidden = "xxxxx"

var (
	// urlPassword is the user part of a URL or access point.
	urlPassword = regexp.MustCompile(`(://[^\s/?#@:]*):\S*@`)
	// urlUser is the whole user part.
	urlUser = regexp.MustCompile(`://[^\s"']*@`)
	// urlOption is an option of a URL whose name says that it is secret.
	urlOption = regexp.MustCompile(`(?i)([?&;][\w.%-]*(?:password|secret|token|credential|passphrase|private)[\w.%-]*=)[^\s&"']+`)
)

// Text takes the passwords of URLs and access points out of a text, whoever
// they belong to.
func Text(s string) string {
	if !strings.Contains(s, "://") && !strings.ContainsAny(s, "?&;") {
		return s
	}
	s = urlPassword.ReplaceAllString(s, "${1}:"+Hidden+"@")
	return urlOption.ReplaceAllString(s, "${1}"+Hidden)
}

// Users does what Text does, and takes the names of users out too: in some URLs
// the name is the secret.
func Users(s string) string {
	return Text(urlUser.ReplaceAllString(s, "://"+Hidden+"@"))
}

// Secrets are values that nobody may see. The zero value knows none, and still
// hides what Text does. It is ready to Hide after its last Add; from then on
// it may be used by several goroutines.
type Secrets struct {
	values []string // the longest first: one may be part of another
}

// Add adds a secret, in the forms in which errors show text.
func (s *Secrets) Add(value string) {
	for _, v := range []string{value, strings.TrimSpace(value)} {
		if strings.TrimSpace(v) == "" {
			continue
		}
		quoted := strconv.Quote(v)
		s.values = append(s.values, v, quoted[1:len(quoted)-1], url.QueryEscape(v), url.PathEscape(v))
	}
	slices.SortFunc(s.values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	s.values = slices.Compact(s.values)
}

// AddURL adds the password of a URL, as it is written and as it is meant, and
// those of its options.
func (s *Secrets) AddURL(text string) {
	if m := urlPassword.FindStringIndex(text); m != nil {
		_, password, _ := strings.Cut(strings.TrimSuffix(text[m[0]+len("://"):m[1]], "@"), ":")
		s.Add(password)
		if meant, err := url.PathUnescape(password); err == nil {
			s.Add(meant)
		}
	}
	for _, m := range urlOption.FindAllString(text, -1) {
		_, value, _ := strings.Cut(m, "=")
		s.Add(value)
		if meant, err := url.QueryUnescape(value); err == nil {
			s.Add(meant)
		}
	}
}

// Hide takes the secrets out of a text, and what Text does.
func (s *Secrets) Hide(text string) string {
	for _, secret := range s.values {
		text = replace(text, secret)
	}
	return Text(text)
}

// replace replaces a secret in a text: a short one only where it stands alone.
// Within other words it would be found by chance, and its place in them would
// tell what it is.
func replace(text, secret string) string {
	const short = 4
	if len(secret) >= short {
		return strings.ReplaceAll(text, secret, Hidden)
	}
	var b strings.Builder
	from := 0
	for {
		i := strings.Index(text[from:], secret)
		if i < 0 {
			return b.String() + text[from:]
		}
		begin, end := from+i, from+i+len(secret)
		last, _ := utf8.DecodeLastRuneInString(text[:begin])
		next, _ := utf8.DecodeRuneInString(text[end:])
		b.WriteString(text[from:begin])
		if wordRune(last) || wordRune(next) {
			b.WriteString(secret)
		} else {
			b.WriteString(Hidden)
		}
		from = end
	}
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}
