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
