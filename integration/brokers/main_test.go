package main

import (
	"strings"
	"testing"
)

func TestUpPrintsALineForTheShell(t *testing.T) {
	t.Chdir(t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), []string{"up"}, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "export OMCONNECT_TEST_REDIS=redis://127.0.0.1:") || !strings.HasSuffix(got, "/0\n") {
		t.Errorf("up prints %q, want an export line with a URL", got)
	}
	if err := run(t.Context(), []string{"down"}, &out); err != nil {
		t.Fatal(err)
	}
}

func TestWrongUseSaysWhatIsKnown(t *testing.T) {
	for _, args := range [][]string{nil, {"sideways"}, {"up", "down"}} {
		if err := run(t.Context(), args, nil); err == nil || !strings.Contains(err.Error(), "up") {
			t.Errorf("%q: got %v, want how it is used", args, err)
		}
	}
}
