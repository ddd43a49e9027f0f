package jsontext_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/omconnect/omconnect/internal/jsontext"
)

func TestOnlyWhatHasToBeIsEscaped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": `""`, "plain é 世 <&>": `"plain é 世 <&>"`, `a"b\c`: `"a\"b\\c"`, "\n\r\t": `"\n\r\t"`, "\x00\x1f\x7f": "\"\\u0000\\u001f\x7f\"",
	} {
		if got := string(jsontext.AppendString([]byte("x"), text)); got != "x"+want {
			t.Errorf("%q becomes %s, want x%s", text, got, want)
		}
		if got := string(jsontext.AppendString(nil, []byte(text))); got != want {
			t.Errorf("the bytes %q become %s, want %s", text, got, want)
		}
	}
}

// FuzzAppendString has encoding/json read what was written.
func FuzzAppendString(f *testing.F) {
	for _, text := range []string{"", "a\"b\\", "\x00\n\u2028", "é世"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		var got string
		if err := json.Unmarshal(jsontext.AppendString(nil, text), &got); err != nil || got != text {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
	})
}
