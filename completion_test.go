package omconnect

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// completions returns what the words may become, without the help.
func completions(t *testing.T, words ...string) []string {
	t.Helper()
	stdout, _ := must(t, "", append([]string{"complete", "--"}, words...)...)
	var all []string
	for line := range strings.Lines(stdout) {
		candidate, help, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || candidate == "" {
			t.Errorf("%q: %q %q is no candidate with its help", words, candidate, help)
		}
		all = append(all, candidate)
	}
	return all
}

func TestCompletionOffersWhatFits(t *testing.T) {
	url := gatewayWithHistory(t)
	stdout, _ := must(t, "", "connectors", "--url", url, "list", "-o", "json")
	var names []string
	for line := range strings.Lines(stdout) {
		if _, name, ok := strings.Cut(line, `"name": "`); ok {
			names = append(names, strings.TrimRight(name, "\",\n"))
		}
	}
	if len(names) == 0 {
		t.Fatalf("the gateway has no connectors: %s", stdout)
	}
	for _, tt := range []struct {
		words []string
		want  []string
	}{
		{[]string{"r"}, []string{"run", "receive"}},
		{[]string{"connectors", "re"}, []string{"resume", "restart"}},
		{[]string{"--log-format", "text", "connectors", "re"}, []string{"resume", "restart"}},
		{[]string{"--log-format", ""}, []string{"text", "json"}},
		{[]string{"send", "--format", "j"}, []string{"json"}},
		{[]string{"send", "--ke"}, []string{"--key", "--key-separator"}},
		{[]string{"run", "--log-l"}, []string{"--log-level"}},
		{[]string{"run", "--until-idle", "--li"}, []string{"--listen"}},
		{[]string{"plugins", "file-so"}, []string{"file-source"}},
		{[]string{"plugins", "file-source", ""}, nil},
		{[]string{"completion", ""}, []string{"bash", "zsh", "fish"}},
		{[]string{"validate", ""}, nil}, // a file, which is the shell's to offer
		{[]string{"nonsense", "x", ""}, []string{
			"run", "connectors", "validate", "test", "plugins", "new", "send", "receive", "state", "token", "health", "completion", "version",
		}},
		{[]string{"connectors", "--url", url, "pause", ""}, names},
		{[]string{"connectors", "--url=" + url, "status", names[0][:1]}, startingWith(names, names[0][:1])},
		{[]string{"connectors", "--url", url, "create", ""}, nil},
		{[]string{"connectors", "--url", "http://127.0.0.1:1", "pause", ""}, nil},
		{[]string{"connectors", "--url", "nonsense", "pause", ""}, nil},
	} {
		if diff := cmp.Diff(tt.want, completions(t, tt.words...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.words, diff)
		}
	}
}

func startingWith(names []string, prefix string) (some []string) {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			some = append(some, name)
		}
	}
	return some
}

func TestBashCompletesTheCommandLine(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\"\n", asProgram, program)
	if err := os.WriteFile(filepath.Join(bin, "omconnect"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	script, _ := must(t, "", "completion", "bash")
	for _, tt := range []struct{ line, words, want string }{
		{"omconnect plu", "(omconnect plu)", "plugins"},
		{"omconnect connectors ", "(omconnect connectors '')", "list create get status pause resume restart delete"},
		{"omconnect send --format=j", "(omconnect send --format = j)", ""},
		{"omconnect completion zs", "(omconnect completion zs)", "zsh"},
	} {
		test := script + fmt.Sprintf("\nCOMP_LINE=%q COMP_POINT=%d COMP_WORDS=%s\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_omconnect\necho \"${COMPREPLY[*]}\"\n",
			tt.line, len(tt.line), tt.words)
		cmd := exec.CommandContext(t.Context(), "bash", "-c", test)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("%q: %q, %v, want %q", tt.line, got, err, tt.want)
		}
	}
}

func TestEveryShellHasAScript(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if stdout, _ := must(t, "", "completion", shell); !strings.Contains(stdout, "omconnect completion "+shell) || !strings.Contains(stdout, "complete --") {
			t.Errorf("%s:\n%s", shell, stdout)
		}
	}
	if code, _, stderr := feed(t, "", "completion", "powershell"); code != exitUsage || !strings.Contains(stderr, "powershell") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}
