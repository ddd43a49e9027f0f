package omconnect_test

import (
	"bytes"
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tests in this file hold the repository itself to CONTRIBUTING.md.

const (
	maxGoLines  = 500
	maxADRLines = 70
)

func TestEveryPackageHasOneComment(t *testing.T) {
	comments, files := map[string][]string{}, map[string]int{}
	for _, f := range repoFiles(t) {
		if path.Ext(f.name) != ".go" || strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		folder := path.Dir(f.name)
		files[folder]++
		parsed, err := parser.ParseFile(token.NewFileSet(), f.name, f.text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		if parsed.Doc.Text() != "" {
			comments[folder] = append(comments[folder], f.name)
		}
	}
	for folder := range files {
		switch has := comments[folder]; len(has) {
		case 1:
		case 0:
			t.Errorf("%s: no file has a package comment: say in doc.go what the package is for", folder)
		default:
			t.Errorf("%s: %s all have a package comment: keep one", folder, strings.Join(has, ", "))
		}
	}
}

func TestNoFileIsTooLong(t *testing.T) {
	for _, f := range repoFiles(t) {
		if lines := bytes.Count(f.text, []byte("\n")); path.Ext(f.name) == ".go" && lines > maxGoLines {
			t.Errorf("%s has %d lines, over %d: a file is one concept, split it", f.name, lines, maxGoLines)
		}
	}
}

// rules are what no file may contain. The patterns are written so that they do
// not find themselves.
var rules = []struct {
	files *regexp.Regexp
	text  *regexp.Regexp
	why   string
}{
	{
		regexp.MustCompile(``),
		regexp.MustCompile(`(^|[^\w.}~-])/(root|home|work|Users)/\w`),
		"a path of one machine",
	},
	{
		regexp.MustCompile(``),
		regexp.MustCompile(`(proxy|sum)[.]golang[.]org|registry[.]npmjs|repo1?[.]maven|deb[.]debian[.]org`),
		"where packages come from is each machine's own setting",
	},
	{
		regexp.MustCompile(`\.go$`),
		regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b([^(]|\([^#]|$)`),
		"name the issue, as in (#12), or do it",
	},
	{
		regexp.MustCompile(`_test\.go$`),
		regexp.MustCompile(`\.(Skip|Skipf|SkipNow)\(|testing\.Short\(`),
		"a test that does not run proves nothing: fail and say what is missing",
	},
}

func TestNoForbiddenWords(t *testing.T) {
	for _, f := range repoFiles(t) {
		for _, problem := range forbidden(f) {
			t.Error(problem)
		}
	}
}

// TestForbiddenWordsAreFound keeps the patterns from going blind. Each word is
// put together here, or this file would be found.
func TestForbiddenWordsAreFound(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       int
	}{
		{"x.md", "see " + "/ho" + "me/ann/notes", 1},
		{"x.md", "`" + "/ro" + "ot/go`", 1},
		{"x.md", "docs" + "/wo" + "rk/flow.md and https://example.org" + "/ho" + "me/page", 0},
		{"x.yml", "GOPROXY=https://" + "proxy." + "golang.org", 1},
		{"x.go", "// TO" + "DO: later", 1},
		{"x.go", "// TO" + "DO (soon)", 1},
		{"x.go", "// FIX" + "ME", 1},
		{"x.go", "// TO" + "DO(#12): later", 0},
		{"x.md", "TO" + "DO: later", 0},
		{"x_test.go", "\tt.Sk" + "ip()\n\tt.Sk" + "ipf(\"no\")", 2},
		{"x.go", "\treader.Sk" + "ip(3)", 0},
	} {
		if got := forbidden(repoFile{tc.name, []byte(tc.text)}); len(got) != tc.want {
			t.Errorf("%s with %q: got %d problems %q, want %d", tc.name, tc.text, len(got), got, tc.want)
		}
	}
}

func forbidden(f repoFile) (problems []string) {
	for i, line := range bytes.Split(f.text, []byte("\n")) {
		for _, rule := range rules {
			if !rule.files.MatchString(f.name) {
				continue
			}
			if found := rule.text.Find(line); found != nil {
				problems = append(problems, fmt.Sprintf("%s:%d: %q: %s", f.name, i+1, found, rule.why))
			}
		}
	}
	return problems
}

func TestDecisionsAreNumberedAndShort(t *testing.T) {
	name := regexp.MustCompile(`^docs/adr/(\d{4})-[a-z0-9-]+\.md$`)
	next := 1
	for _, f := range repoFiles(t) {
		if path.Dir(f.name) != "docs/adr" {
			continue
		}
		switch match := name.FindStringSubmatch(f.name); {
		case match == nil:
			t.Errorf("%s: a decision's file is named as in 0001-front-and-back.md", f.name)
		case match[1] != fmt.Sprintf("%04d", next):
			t.Errorf("%s: want number %04d: numbers have no gaps and are used once", f.name, next)
		}
		next++
		if !bytes.HasPrefix(f.text, []byte("# ")) {
			t.Errorf("%s: begin with the title, as in \"# Front and back in one package\"", f.name)
		}
		if lines := bytes.Count(f.text, []byte("\n")); lines > maxADRLines {
			t.Errorf("%s has %d lines, over %d: a decision fits on a page", f.name, lines, maxADRLines)
		}
	}
	if next == 1 {
		t.Error("docs/adr has no decisions: is the test looking in the right place?")
	}
}

// A repoFile is one text file, with its path from the root, with slashes.
type repoFile struct {
	name string
	text []byte
}

// repoFiles returns the text files of the repository, sorted by name, without
// what .gitignore leaves out and without the lists of checksums.
func repoFiles(t *testing.T) []repoFile {
	t.Helper()
	var files []repoFile
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "bin", "data", ".test"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || path.Base(name) == "go.sum" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !bytes.ContainsRune(text, 0) {
			files = append(files, repoFile{name, text})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b repoFile) int { return cmp.Compare(a.name, b.name) })
	return files
}
