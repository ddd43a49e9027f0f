package redact_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/internal/redact"
)

func TestPasswordsOfURLsAreRedacted(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                           "plain text",
		"http://127.0.0.1:8083/connectors":     "http://127.0.0.1:8083/connectors",
		"redis://host:6379/0":                  "redis://host:6379/0",
		"redis://:pw@host/0":                   "redis://:xxxxx@host/0",
		"dial redis://u:p@w@host:1: refused":   "dial redis://u:xxxxx@host:1: refused",
		"redis://u:p/w?#@host":                 "redis://u:xxxxx@host",
		"oms:nats://u:pw@a:1,b:2/?tls=true":    "oms:nats://u:xxxxx@a:1,b:2/?tls=true",
		"oms:x://h/?a=1&sasl.password=pw&b=2":  "oms:x://h/?a=1&sasl.password=xxxxx&b=2",
		"x?Token=pw":                           "x?Token=xxxxx",
		"two a://u:p@h and b://v:q@i":          "two a://u:xxxxx@h and b://v:xxxxx@i",
		"postgres://u:pw@db/x?sslpassword=abc": "postgres://u:xxxxx@db/x?sslpassword=xxxxx",
	} {
		if got := redact.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
		if again := redact.Text(want); again != want {
			t.Errorf("Text(%q) = %q, want it as it is", want, again)
		}
	}
}

func TestUsersOfURLsAreRedacted(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                      "plain text",
		"dial redis://t0ken@host:1: away": "dial redis://xxxxx@host:1: away",
		"'redis://u:p@w@host/0' is wrong": "'redis://xxxxx@host/0' is wrong",
		"http://h/?access_token=pw&a=b@c": "http://xxxxx@c",
		"http://h/?access_token=pw&a=b":   "http://h/?access_token=xxxxx&a=b",
	} {
		if got := redact.Users(in); got != want {
			t.Errorf("Users(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	for name, tc := range map[string]struct {
		secrets    []string
		text, want string
	}{
		"plain":               {[]string{"sword fish"}, "access denied (sword fish), again: sword fish", "access denied (xxxxx), again: xxxxx"},
		"part of a word":      {[]string{"fish"}, "swordfish", "swordxxxxx"},
		"quoted":              {[]string{`sw"or\d`}, `bad value "sw\"or\\d"`, `bad value "xxxxx"`},
		"percent-encoded":     {[]string{"sword fish/ü"}, "GET /?p=sword+fish%2F%C3%BC and /sword%20fish%2F%C3%BC", "GET /?p=xxxxx and /xxxxx"},
		"with spaces around":  {[]string{" swordfish\n"}, "denied: swordfish", "denied: xxxxx"},
		"only spaces":         {[]string{"  "}, "it  broke", "it  broke"},
		"none":                {nil, "it broke", "it broke"},
		"short":               {[]string{"a"}, "a cat, ab, aa: 'a'", "xxxxx cat, ab, aa: 'xxxxx'"},
		"one within another":  {[]string{"sword", "swordfish"}, "swordfish, sword", "xxxxx, xxxxx"},
		"somebody else's URL": {[]string{"other"}, "oms:nats://u:swordfish@h:1/: away", "oms:nats://u:xxxxx@h:1/: away"},
		"port and address":    {[]string{"other"}, "dial http://h:80/a b@c", "dial http://h:80/a b@c"},
		"twice the same":      {[]string{"fish", "fish"}, "fish", "xxxxx"},
	} {
		t.Run(name, func(t *testing.T) {
			var s redact.Secrets
			for _, secret := range tc.secrets {
				s.Add(secret)
			}
			if got := s.Hide(tc.text); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPasswordsOfAddedURLsAreHiddenWherever(t *testing.T) {
	for name, tc := range map[string]struct{ url, text, want string }{
		"password": {"mysql://u:sw%40rd@h/db", "access denied for 'u' (sw@rd), (sw%40rd)", "access denied for 'u' (xxxxx), (xxxxx)"},
		"option":   {"http://h/?a=1&api_token=sword%26&b=2", "api_token sword& is old", "api_token xxxxx is old"},
		"neither":  {"sqlite:///a/b.db", "open sqlite:///a/b.db: no such file", "open sqlite:///a/b.db: no such file"},
	} {
		var s redact.Secrets
		s.AddURL(tc.url)
		if got := s.Hide(tc.text); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func FuzzSecretsAreHidden(f *testing.F) {
	f.Add("swordfish", "it is ", " indeed")
	f.Add("a\"b\\", "", "")
	f.Add("%41%41", "http://u:", "@h")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(strings.TrimSpace(secret)) < 4 || strings.Contains(before+redact.Hidden+after, secret) {
			return // it is too short, or stands in the text by itself
		}
		var s redact.Secrets
		s.Add(secret)
		if got := s.Hide(before + secret + after); strings.Contains(got, secret) {
			t.Errorf("the secret %q is in %q", secret, got)
		}
	})
}
