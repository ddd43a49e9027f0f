package omconnect

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const referenceDir = "docs/reference"

func TestTheReferenceIsWhatTheDefinitionsSay(t *testing.T) {
	t.Parallel()
	pages, err := referencePages(&connect.DefaultPlugins, &oms.Default)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range pages {
		path := filepath.Join(referenceDir, filepath.FromSlash(p.path))
		want = append(want, path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v; make docs writes it", err)
			continue
		}
		if diff := cmp.Diff(string(text), p.text.String()); diff != "" {
			t.Errorf("%s is not what would be generated, make docs writes it (-there +generated):\n%s", path, diff)
		}
	}
	slices.Sort(want)
	got, err := generatedPages(referenceDir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pages in %s, make docs removes those left over (-want +there):\n%s", referenceDir, diff)
	}
}

// TestEveryKeyAndClassIsInTheReference looks at the pages as readers do, and
// not at how they were made.
func TestEveryKeyAndClassIsInTheReference(t *testing.T) {
	t.Parallel()
	runtime := read(t, referenceDir+"/runtime.md")
	index := read(t, referenceDir+"/README.md")
	for _, p := range connect.DefaultPlugins.All() {
		own := read(t, referenceDir+"/connectors/"+p.Class+".md")
		if !strings.Contains(index, "(connectors/"+p.Class+".md)") {
			t.Errorf("the index lacks %s", p.Class)
		}
		for _, k := range p.Definition().Keys {
			_, has := p.Def.Key(k.Name)
			where := runtime
			if has {
				where = own
			}
			row := rowOf(where, k.Name)
			if row == "" {
				t.Errorf("%s: the key %s is nowhere", p.Class, k.Name)
				continue
			}
			for _, value := range append(slices.Clone(k.Values), strings.TrimSpace(k.Default)) {
				if !strings.Contains(row, value) {
					t.Errorf("%s: what is said of %s lacks %q: %s", p.Class, k.Name, value, row)
				}
			}
			if k.Secret != strings.Contains(row, "Secret") {
				t.Errorf("%s: %s is secret: %v, and the page says %s", p.Class, k.Name, k.Secret, row)
			}
		}
	}
	transforms := read(t, referenceDir+"/transforms.md")
	for _, p := range allPlugins(&connect.DefaultPlugins) {
		if p.kind != "source" && p.kind != "sink" && !strings.Contains(transforms, "\n### "+p.name+"\n") {
			t.Errorf("the %s %s is nowhere", p.kind, p.name)
		}
	}
}

// rowOf returns the row of a table that begins with a name.
func rowOf(page, name string) string {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "| `"+name+"` |") {
			return line
		}
	}
	return ""
}

func TestEveryOptionAndCapabilityIsInTheReference(t *testing.T) {
	t.Parallel()
	for _, name := range oms.Default.Drivers() {
		page := read(t, referenceDir+"/drivers/"+name+".md")
		options, err := oms.Default.Options(name)
		if err != nil || len(options) == 0 {
			t.Errorf("%s documents the options %v, %v", name, options, err)
		}
		for _, o := range options {
			if row := rowOf(page, o.Name); !strings.Contains(row, o.Default) {
				t.Errorf("%s: what is said of %s lacks %q: %s", name, o.Name, o.Default, row)
			}
		}
		caps, err := oms.Default.Capabilities(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range caps.All() {
			row := rowOf(page, string(c))
			if claims := strings.Contains(row, "| yes |") || strings.Contains(row, "| emulated |"); row == "" || claims != caps.Has(c) {
				t.Errorf("%s: %s is claimed: %v, and the page says %q", name, c, caps.Has(c), row)
			}
		}
	}
}

func TestEveryRowOfTheReferenceHasItsCells(t *testing.T) {
	t.Parallel()
	separator := regexp.MustCompile(`[^\\]\|`)
	pages, err := generatedPages(referenceDir)
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, path := range pages {
		cells := 0
		for line := range strings.Lines(read(t, path)) {
			if !strings.HasPrefix(line, "| ") {
				cells = 0
				continue
			}
			n := len(separator.FindAllString(line, -1))
			if cells != 0 && n != cells {
				t.Errorf("%s: %d cells, the rows above have %d: %s", path, n, cells, line)
			}
			cells = n
		}
	}
}

// odd is a plugin whose documentation looks like markup.
var odd = connect.Plugin{
	Class: "odd-source", Kind: connect.KindSource, Doc: "Reads <all> of a_b*c | d.",
	Def: connect.ConfigDef{Keys: []connect.Key{
		{Name: "a.b", Type: connect.Int, Default: "3", Min: 1, Max: 9, Doc: "Either `x|y` or\nz."},
		{Name: "password", Secret: true, Required: true, Doc: "A password."},
		{Name: "sep", Default: " ", Values: []string{" ", ","}, Doc: "A separator."},
	}},
	New: func(connect.Env) (connect.Connector, error) { return connect.Hooks{}, nil },
}

func TestTextIsNotTakenForMarkup(t *testing.T) {
	t.Parallel()
	got := connectorPage(odd).text.String()
	for _, want := range []string{
		"A source. Reads &lt;all> of a\\_b\\*c \\| d.\n",
		"| `a.b` | int | `3` | Either `x\\|y` or z. From 1 to 9. |\n",
		"| `password` | string | required | A password. Secret: it is never shown. |\n",
		"| `sep` | string | `\" \"` | A separator. One of: ` `, `,`. |\n",
		"(../runtime.md#sources)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q:\n%s", want, got)
		}
	}
}

func TestPagesLeftOverAreRemovedAndOthersKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := write("connectors/gone-source.md", "# gone-source\n\n"+pageMark+"\n")
	mine := write("connectors/notes.md", "# Notes\n")
	out := newBuffer()
	for range 2 { // the second one changes nothing
		if code := Run(context.WithoutCancel(t.Context()), []string{"reference", dir}, strings.NewReader(""), out, out); code != exitGood {
			t.Fatalf("exit %d: %s", code, out)
		}
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("what was left over is still there: %v", err)
	}
	if text := read(t, mine); text != "# Notes\n" {
		t.Errorf("a page that was not generated is %q now", text)
	}
	if got, want := read(t, filepath.Join(dir, "runtime.md")), read(t, referenceDir+"/runtime.md"); got != want {
		t.Error("runtime.md is another one there")
	}
}
