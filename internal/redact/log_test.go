package redact_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/internal/redact"
)

type pair struct{ User, Password string }

type resolved string

func (r resolved) LogValue() slog.Value { return slog.StringValue(string(r)) }

// Whatever carries a secret into a log, nothing of it comes out at the other
// end, and everything else does.
func TestALoggerHidesSecrets(t *testing.T) {
	t.Parallel()
	const secret = "sword-fish"
	u, err := url.Parse("mysql://u:" + secret + "@h/db")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var s redact.Secrets
	s.Add(secret)
	for _, next := range []slog.Handler{
		slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}),
		slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}),
	} {
		l := redact.Logger(slog.New(next), s.Hide)
		l.Info("signed in with "+secret,
			"string", secret, "error", errors.New("denied: "+secret), "url", u, "bytes", []byte(secret),
			"struct", pair{"u", secret}, "map", map[string]string{"p": secret}, "valuer", resolved(secret),
			slog.Group("group", "inner", secret, slog.Group("deeper", "p", secret)))
		l.With("with", secret).WithGroup("in").Info("again", "string", secret, "number", 42, "plain", pair{"u", "shown"})
		l.Debug("not said: " + secret)
		text := out.String()
		if strings.Contains(text, secret) {
			t.Errorf("the secret is in\n%s", text)
		}
		for _, want := range []string{"signed in with xxxxx", "denied: xxxxx", "inner", "deeper", "42", "shown"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
		if strings.Contains(text, "not said") {
			t.Errorf("a record below the level was written:\n%s", text)
		}
		out.Reset()
	}
}
