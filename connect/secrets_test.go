package connect

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

var secretPlugin = Plugin{Class: "db-source", Kind: KindSource, Def: ConfigDef{Keys: []Key{
	{Name: "password", Secret: true}, {Name: "token", Secret: true}, {Name: "url", Type: URL}, {Name: "table"},
}}}

func TestSecretsAreTakenOutOfCauses(t *testing.T) {
	for name, tc := range map[string]struct {
		config     oms.KeyValue
		text, want string
	}{
		"secret key":            {oms.KeyValue{"password": "sword fish"}, "access denied (sword fish), again: sword fish", "access denied (xxxxx), again: xxxxx"},
		"part of a word":        {oms.KeyValue{"password": "fish"}, "swordfish", "swordxxxxx"},
		"quoted":                {oms.KeyValue{"password": `sw"or\d`}, `bad value "sw\"or\\d"`, `bad value "xxxxx"`},
		"percent-encoded":       {oms.KeyValue{"password": "sword fish/ü"}, "GET /?p=sword+fish%2F%C3%BC and /sword%20fish%2F%C3%BC", "GET /?p=xxxxx and /xxxxx"},
		"with spaces around":    {oms.KeyValue{"password": " swordfish\n"}, "denied: swordfish", "denied: xxxxx"},
		"only spaces":           {oms.KeyValue{"password": "  "}, "it  broke", "it  broke"},
		"not given":             {oms.KeyValue{}, "it broke", "it broke"},
		"short":                 {oms.KeyValue{"password": "a"}, "a cat, ab, aa: 'a'", "xxxxx cat, ab, aa: 'xxxxx'"},
		"one within another":    {oms.KeyValue{"password": "sword", "token": "swordfish"}, "swordfish, sword", "xxxxx, xxxxx"},
		"other keys are shown":  {oms.KeyValue{"table": "swordfish"}, "no table swordfish", "no table swordfish"},
		"URL":                   {oms.KeyValue{"url": "mysql://u:sw%40rd@h:3306/db"}, "dial mysql://u:sw%40rd@h:3306/db: refused", "dial mysql://u:xxxxx@h:3306/db: refused"},
		"password of a URL":     {oms.KeyValue{"url": "mysql://u:sw%40rd@h/db"}, "access denied for 'u' (sw@rd), (sw%40rd)", "access denied for 'u' (xxxxx), (xxxxx)"},
		"option of a URL":       {oms.KeyValue{"url": "http://h/?a=1&api_token=sword%26&b=2"}, "api_token sword& is old: /?api_token=sword%26&b=2", "api_token xxxxx is old: /?api_token=xxxxx&b=2"},
		"URL without password":  {oms.KeyValue{"url": "sqlite:///a/b.db"}, "open sqlite:///a/b.db: no such file", "open sqlite:///a/b.db: no such file"},
		"access point":          {oms.KeyValue{"broker": "oms:nats://u:swordfish@h:1/"}, "auth swordfish", "auth xxxxx"},
		"somebody else's URL":   {oms.KeyValue{}, "oms:nats://u:swordfish@h:1/: away", "oms:nats://u:xxxxx@h:1/: away"},
		"somebody else's token": {oms.KeyValue{}, "GET http://h/?access_token=swordfish&x=1: 401", "GET http://h/?access_token=xxxxx&x=1: 401"},
		"port and address":      {oms.KeyValue{}, "dial http://h:80/a b@c", "dial http://h:80/a b@c"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := secretsOf(secretPlugin, tc.config).hide(tc.text); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSecretsOfSeveralConfigurationsAreHidden(t *testing.T) {
	s := secretsOf(secretPlugin, oms.KeyValue{"password": "whole-secret"}, oms.KeyValue{"password": "part-secret"})
	if got := s.hide("whole-secret part-secret"); got != "xxxxx xxxxx" {
		t.Errorf("got %q, want both hidden", got)
	}
}

func FuzzSecretsAreHidden(f *testing.F) {
	f.Add("swordfish", "it is ", " indeed")
	f.Add("a\"b\\", "", "")
	f.Add("%41%41", "http://u:", "@h")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(strings.TrimSpace(secret)) < 4 || strings.Contains(hidden, secret) || strings.Contains(before+hidden+after, secret) {
			return // it is too short, or stands in the text by itself
		}
		config := oms.KeyValue{"password": secret}
		if got := secretsOf(secretPlugin, config).hide(before + secret + after); strings.Contains(got, secret) {
			t.Errorf("the secret %q is in %q", secret, got)
		}
	})
}
