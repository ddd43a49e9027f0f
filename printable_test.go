package omconnect

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
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
		if got := redact(in); got != want {
			t.Errorf("redact(%q) = %q, want %q", in, got, want)
		}
		if again := redact(want); again != want {
			t.Errorf("redact(%q) = %q, want it as it is", want, again)
		}
	}
}

func TestControlCharactersAreShownNotObeyed(t *testing.T) {
	for in, want := range map[string]string{
		"plain äöü 漢字 😀":       "plain äöü 漢字 😀",
		"\x1b[2J":              `\x1b[2J`,
		"a\nb\tc\rd":           `a\nb\tc\rd`,
		"\x00\x07\u007f\u0085": `\x00\a\x7f\u0085`,
		"right\u202eto left":   `right\u202eto left`,
		"bad \xff utf-8 \xc3":  `bad \xff utf-8 \xc3`,
		"\ufffd":               "\ufffd",
		"zero\u200bwidth":      `zero\u200bwidth`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[31m\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		if got := printable(s); printable(got) != got || strings.ContainsAny(got, "\x1b\n\r\x00\u202e") {
			t.Errorf("printable(%q) = %q", s, got)
		}
	})
}

func TestReportPrintsEachLineAsOurs(t *testing.T) {
	var b bytes.Buffer
	report(&b, errors.New("one redis://:s3cret@h\r\n\ntwo \x1b[0m"))
	if want := "omconnect: one redis://:xxxxx@h\nomconnect: two \\x1b[0m\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestTheLogHasNoPasswords(t *testing.T) {
	ap := oms.AccessPoint{Driver: "x", User: "u", Password: "s3cret", Hosts: []string{"h"}}
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		logger := logFlags{Format: format, Level: "debug"}.logger(&b)
		logger.With("url", "redis://:s3cret@with").WithGroup("g").Debug(
			"said", "url", "redis://:s3cret@h", "error", errors.New("dial redis://:s3cret@h"), "broker", ap,
			"config", slog.GroupValue(slog.String("connection.url", "x://u:s3cret@h")), "number", 7,
		)
		if strings.Contains(b.String(), "s3cret") || !strings.Contains(b.String(), "xxxxx@h") {
			t.Errorf("%s: %s", format, &b)
		}
		if format == "json" && !json.Valid(b.Bytes()) {
			t.Errorf("not JSON: %s", &b)
		}
	}
}

func TestTheLevelIsObeyed(t *testing.T) {
	var b bytes.Buffer
	logger := logFlags{Format: "text", Level: "warn"}.logger(&b)
	logger.Info("quiet")
	logger.Warn("loud")
	if got := b.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "loud") {
		t.Errorf("got %s", got)
	}
}

func TestATableIsAligned(t *testing.T) {
	var b bytes.Buffer
	writeTable(&b, []string{"NAME", "CAUSE"}, [][]string{{"äö", ""}, {"longer", "x\ty"}})
	if want := "NAME    CAUSE\näö\nlonger  x\\ty\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
