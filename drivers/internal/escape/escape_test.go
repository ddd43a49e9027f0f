package escape_test

import (
	"testing"

	"github.com/omconnect/omconnect/drivers/internal/escape"
)

func TestNamesAreLettersDigitsAndTheMark(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "aZ09-_": "aZ09-_", "a.b": "a=2Eb", "=": "=3D", "é\x00": "=C3=A9=00", "a b": "a=20b",
	} {
		if got := escape.Mark('=').Encode(s); got != want {
			t.Errorf("%q becomes %s, want %s", s, got, want)
		}
	}
	if got := escape.Mark('|').Encode("a|b=c"); got != "a|7Cb|3Dc" {
		t.Errorf("with another mark: %s", got)
	}
}

func TestNamesOfOthersAreTold(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.b", "=", "=2", "=2e", "=zz", "=61", "a=2Eb ", "é"} {
		if s, ok := escape.Mark('=').Decode(name); ok {
			t.Errorf("%s is the name of %q", name, s)
		}
	}
}

// FuzzNames decodes what was encoded, and encodes what can be decoded.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "a.b", "=2E", "\xff|", "é世"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range []escape.Mark{'=', '|'} {
			if got, ok := m.Decode(m.Encode(s)); !ok || got != s {
				t.Errorf("%q becomes %s, and that %q, %v", s, m.Encode(s), got, ok)
			}
			if got, ok := m.Decode(s); ok && m.Encode(got) != s {
				t.Errorf("%s is the name of %q, which has the name %s", s, got, m.Encode(got))
			}
		}
	})
}
