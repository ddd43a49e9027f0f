package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheSessionInTheReadmeWorksAsWritten runs the README's session line by
// line and compares what it prints. Only the port differs.
func TestTheSessionInTheReadmeWorksAsWritten(t *testing.T) {
	g := newGateway(t)
	g.sh(block(t, "sh", "printf")[0])
	g.Start()
	steps := 0
	for _, step := range strings.Split(strings.Join(block(t, "console", "$ "), "\n"), "$ ")[1:] {
		command, want, _ := strings.Cut(step, "\n")
		want = strings.ReplaceAll(want, "127.0.0.1:8083", g.Addr)
		if got := g.sh(command); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("$ %s\nprints\n%s\nthe README has\n%s", command, got, want)
		}
		steps++
	}
	if steps < 10 {
		t.Errorf("the README has %d steps only", steps)
	}
	if code, _ := g.Call(http.MethodGet, "/connectors/words-out", ""); code != http.StatusOK {
		t.Errorf("words-out is gone: %d", code)
	}
	g.Term()
}

// TestTheConnectorInTheReadmeBuildsAndRuns makes a program of it, inside the
// module, and asks it for its classes.
func TestTheConnectorInTheReadmeBuildsAndRuns(t *testing.T) {
	code := block(t, "go", "package main")
	if n := len(code); n > 40 {
		t.Errorf("the connector in the README has %d lines, want at most 40", n)
	}
	dir, err := os.MkdirTemp("..", "readme-connector-") //nolint:usetesting // it must be inside the module
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(strings.Join(code, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", "./"+dir, "plugins").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "clock-source") {
		t.Errorf("plugins = %s, %v; want clock-source among them", out, err)
	}
}

// block returns the lines of the README's first fenced block of a language
// whose first line starts with the given text.
func block(t *testing.T, language, first string) []string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(readme), "\n```"+language+"\n")[1:] {
		text, _, _ := strings.Cut(part, "\n```")
		if strings.HasPrefix(text, first) {
			return strings.Split(text, "\n")
		}
	}
	t.Fatalf("the README has no block of %s that starts with %q", language, first)
	return nil
}

// sh runs a line of the README in the gateway's folder.
func (g *gateway) sh(line string) string {
	g.t.Helper()
	bin, err := program()
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.CommandContext(g.t.Context(), "sh", "-c", strings.ReplaceAll(line, "127.0.0.1:8083", g.Addr))
	cmd.Dir = g.Dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(bin)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("$ %s\n%s%v", line, out, err)
	}
	return string(out)
}
