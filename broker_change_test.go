package omconnect

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// Another broker under the same state: nothing is moved before its user has
// said what the positions are worth there.
func TestABrokerThatWasSwappedIsNoticed(t *testing.T) {
	c := newCopying(t, 10)
	if code, _, stderr := run(t, "run", "-c", c.file, "--until-idle"); code != exitGood {
		t.Fatalf("exit %d:\n%s", code, stderr)
	}
	c.check(t)
	c.append(t, 10, 5)
	other := func(name string) string {
		return "oms:embedded:///?dir=" + url.QueryEscape(filepath.Join(c.data, name))
	}
	code, _, stderr := run(t, "run", "-c", c.file, "--until-idle", "--broker", other("second"))
	if code != exitFailed {
		t.Fatalf("on another broker: exit %d:\n%s", code, stderr)
	}
	for _, want := range []string{"belongs to another broker", "--broker-changed=continue", "--broker-changed=restart"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, stderr)
		}
	}
	if got := strings.Count(read(t, c.to), "\n"); got != 10 {
		t.Errorf("%d lines are there, want the 10 of before", got)
	}
	if code, _, stderr = run(t, "run", "-c", c.file, "--until-idle", "--broker", other("second"), "--broker-changed", "continue"); code != exitGood {
		t.Fatalf("continue: exit %d:\n%s", code, stderr)
	}
	c.check(t) // the five new ones
	if code, _, stderr = run(t, "run", "-c", c.file, "--until-idle", "--broker", other("third"), "--broker-changed", "restart"); code != exitGood {
		t.Fatalf("restart: exit %d:\n%s", code, stderr)
	}
	if from, to := read(t, c.from), read(t, c.to); to != from+from {
		t.Errorf("%d bytes arrived, want all %d again", len(to), len(from))
	}
	if code, _, stderr = run(t, "run", "-c", c.file, "--broker-changed", "perhaps"); code != exitUsage || !strings.Contains(stderr, "broker-changed") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}
