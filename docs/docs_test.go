package docs_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests in this file hold the pages to what they speak of.

// TestTheConnectorsInThePageAreTheExample compares the code of the page with
// the files that it names; the next test runs those.
func TestTheConnectorsInThePageAreTheExample(t *testing.T) {
	t.Parallel()
	page := read(t, "connectors.md")
	for _, name := range []string{"source.go", "sink.go", "connector_test.go", "main.go"} {
		_, code, found := strings.Cut(page, "\n"+name+":\n\n```go\n")
		if !found {
			t.Errorf("the page has no block behind %q", name+":")
			continue
		}
		code, _, _ = strings.Cut(code, "```\n")
		if diff := cmp.Diff(read(t, "../examples/connector/"+name), code); diff != "" {
			t.Errorf("%s of the page is not that of examples/connector (-there +page):\n%s", name, diff)
		}
	}
}

// TestTheExampleModulePassesItsTests runs a module of its own, which go test
// leaves out in the root.
func TestTheExampleModulePassesItsTests(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{"test ./...": "ok", "run . plugins": "folder-source", "vet ./...": ""} {
		cmd := exec.CommandContext(t.Context(), "go", strings.Fields(args)...)
		cmd.Dir = "../examples/connector"
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("go %s: %v, want %q in\n%s", args, err, want, out)
		}
	}
}

var goBlock = regexp.MustCompile("(?s)\n```go\n(.*?)\n```")

// TestTheCodeInThePageOnDriversIsTheExample looks for each block, as it
// stands, in a driver that is tested.
func TestTheCodeInThePageOnDriversIsTheExample(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	paths, err := filepath.Glob("../examples/driver/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		all.WriteString(read(t, path))
	}
	blocks := goBlock.FindAllStringSubmatch(read(t, "drivers.md"), -1)
	for _, block := range blocks {
		if !strings.Contains(all.String(), block[1]) {
			t.Errorf("examples/driver has nowhere\n%s", block[1])
		}
	}
	if len(blocks) == 0 {
		t.Error("the page has no code")
	}
}

// TestTheRulesThatThePageNamesExist holds the list of mistakes to the kit.
func TestTheRulesThatThePageNamesExist(t *testing.T) {
	t.Parallel()
	var kit strings.Builder
	paths, err := filepath.Glob("../connect/connecttest/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		kit.WriteString(read(t, path))
	}
	named := 0
	for line := range strings.Lines(read(t, "connectors.md")) {
		if !strings.HasPrefix(line, "- [ ] ") {
			continue
		}
		for _, rule := range regexp.MustCompile("`([A-Z][A-Za-z]+)`").FindAllStringSubmatch(line, -1) {
			named++
			if !strings.Contains(kit.String(), "{\""+rule[1]+"\", \"") {
				t.Errorf("the kit has no rule %s: %s", rule[1], line)
			}
		}
	}
	if named < 20 {
		t.Errorf("the page names %d rules only", named)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksLeadSomewhere follows the links between files and to headings.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	followed := 0
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			target, err := url.Parse(match[1])
			if err != nil || target.Scheme != "" {
				continue
			}
			followed++
			path := page
			if target.Path != "" {
				path = filepath.Join(filepath.Dir(page), filepath.FromSlash(target.Path))
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if target.Fragment != "" && !hasHeading(read(t, path), target.Fragment) {
				t.Errorf("%s: %s has no heading for #%s", page, path, target.Fragment)
			}
		}
	}
	if followed < 20 {
		t.Errorf("%d links only: is the test looking in the right place?", followed)
	}
}

// pages returns the paths of all pages here and in the root.
func pages(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md", "*/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// hasHeading reports whether a page has a heading that is linked to by that
// name.
func hasHeading(page, name string) bool {
	for line := range strings.Lines(page) {
		text, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if ok && strings.HasPrefix(line, "#") && strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), " ", "-") == name {
			return true
		}
	}
	return false
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
