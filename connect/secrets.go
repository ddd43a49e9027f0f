package connect

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/omconnect/omconnect/oms"
)

// secrets are the values of a connector's configuration that nobody may see.
// Causes of failures are made by connectors and client libraries, which quote
// what they were given; what is shown of them goes through hide.
type secrets []string // the longest first: one may be part of another

// hidden stands in the place of a secret.
const hidden = "xxxxx"

var (
	// urlPassword is the user part of a URL or access point, whoever it is
	// about: those of the gateway's brokers are no part of a configuration.
	urlPassword = regexp.MustCompile(`(://[^\s/?#@:]*):\S*@`)
	// urlOption is an option of a URL whose name says that it is secret.
	urlOption = regexp.MustCompile(`(?i)([?&;][\w.%-]*(?:password|secret|token|credential|passphrase|private)[\w.%-]*=)[^\s&"']+`)
)

// secretsOf returns the secrets in configurations of a plugin: the values of
// its secret keys, and the passwords in URLs and in the access point of the
// broker.
func secretsOf(p Plugin, configs ...oms.KeyValue) secrets {
	var s secrets
	for _, config := range configs {
		for _, k := range definition(p).Keys {
			value := config[k.Name]
			switch {
			case k.Secret:
				s.add(value)
			case k.Type == URL, k.Name == "broker":
				s.addURL(value)
			}
		}
	}
	slices.SortFunc(s, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(s)
}

// add adds a secret, in the forms in which errors show text.
func (s *secrets) add(value string) {
	for _, v := range []string{value, strings.TrimSpace(value)} {
		if strings.TrimSpace(v) == "" {
			continue
		}
		quoted := strconv.Quote(v)
		*s = append(*s, v, quoted[1:len(quoted)-1], url.QueryEscape(v), url.PathEscape(v))
	}
}

// addURL adds the password of a URL, as it is written and as it is meant, and
// those of its options.
func (s *secrets) addURL(text string) {
	if m := urlPassword.FindStringIndex(text); m != nil {
		_, password, _ := strings.Cut(strings.TrimSuffix(text[m[0]+len("://"):m[1]], "@"), ":")
		s.add(password)
		if meant, err := url.PathUnescape(password); err == nil {
			s.add(meant)
		}
	}
	for _, m := range urlOption.FindAllString(text, -1) {
		_, value, _ := strings.Cut(m, "=")
		s.add(value)
		if meant, err := url.QueryUnescape(value); err == nil {
			s.add(meant)
		}
	}
}

// hide takes the secrets out of a text.
func (s secrets) hide(text string) string {
	for _, secret := range s {
		text = replaceSecret(text, secret)
	}
	text = urlPassword.ReplaceAllString(text, "${1}:"+hidden+"@")
	return urlOption.ReplaceAllString(text, "${1}"+hidden)
}

// replaceSecret replaces a secret in a text: a short one only where it stands
// alone. Within other words it would be found by chance, and its place in them
// would tell what it is.
func replaceSecret(text, secret string) string {
	const short = 4
	if len(secret) >= short {
		return strings.ReplaceAll(text, secret, hidden)
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
			b.WriteString(hidden)
		}
		from = end
	}
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}
