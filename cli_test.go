package omconnect

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsAnswerAsExpected runs the transcripts in testdata/cli: each line
// that begins with $ is a command, and below it stand its output, its errors
// behind "! ", and its exit code unless that is 0. URL stands for the address
// of a gateway, the same one for a whole transcript.
func TestCommandsAnswerAsExpected(t *testing.T) {
	for _, path := range files(t, "testdata/cli/*.txt") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Setenv("COLUMNS", "100")
			url := gatewayWithHistory(t)
			var got strings.Builder
			for line := range strings.Lines(read(t, path)) {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					got.WriteString(transcript(t, strings.TrimSpace(command), url))
				}
			}
			golden(t, path, got.String())
		})
	}
}

// transcript runs a command, and returns it with what it answers.
func transcript(t *testing.T, command, url string) string {
	t.Helper()
	args := words(strings.ReplaceAll(command, "URL", url))
	code, stdout, stderr := run(t, args[1:]...) // without omconnect
	var b strings.Builder
	fmt.Fprintf(&b, "$ %s\n%s", command, stdout)
	for line := range strings.Lines(stderr) {
		b.WriteString("! " + line)
	}
	if code != 0 {
		fmt.Fprintf(&b, "exit %d\n", code)
	}
	host := strings.TrimPrefix(url, "http://")
	return strings.ReplaceAll(b.String(), host, "HOST") + "\n"
}

// words splits a command at spaces outside of single quotes.
func words(command string) (args []string) {
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		args = append(args, strings.Fields(part)...)
	}
	return args
}

func TestHelpIsNoError(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "-h"}, {"connectors", "create", "--help"}} {
		if code, stdout, stderr := run(t, args...); code != exitGood || stderr != "" || !strings.Contains(stdout, "Usage: omconnect") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestEveryCommandAndFlagIsExplained(t *testing.T) {
	var grammar commandLine
	parser, err := newParser(&grammar)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Leaves(false) {
		if command.Help == "" {
			t.Errorf("%s has no help", command.Path())
		}
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				if flag.Help == "" {
					t.Errorf("%s: --%s has no help", command.Path(), flag.Name)
				}
			}
		}
		for _, arg := range command.Positional {
			if arg.Help == "" {
				t.Errorf("%s: <%s> has no help", command.Path(), arg.Name)
			}
		}
	}
}

func TestAConfigurationComesFromStdin(t *testing.T) {
	url := gatewayWithHistory(t)
	for _, tc := range []struct {
		args  []string
		stdin string
		code  int
		want  string
	}{
		{nil, "connector.class: log-sink\ntopics: [a, b]\n", exitGood, "topics           a,b\n"},
		{[]string{"-f", "-"}, `{"connector.class": "log-sink", "topics": "a"}`, exitGood, "topics           a\n"},
		{nil, "connector.class: log-sink\n topics: s3cret\n", exitUsage, "omconnect: stdin:1: this is not YAML: "},
	} {
		out := newBuffer()
		name := fmt.Sprintf("from-stdin-%d", len(tc.args))
		args := append([]string{"connectors", "--url", url, "create", name}, tc.args...)
		code := Run(t.Context(), args, strings.NewReader(tc.stdin), out, out)
		if code != tc.code || !strings.Contains(out.String(), tc.want) || strings.Contains(out.String(), "s3cret") {
			t.Errorf("%q: exit %d:\n%s", tc.stdin, code, out)
		}
	}
}
