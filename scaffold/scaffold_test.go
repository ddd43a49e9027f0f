package scaffold_test

import (
	"bytes"
	"context"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/scaffold"
)

// root is the clone that these tests belong to.
const root = ".."

func TestEachKindBuildsPassesItsTestsAndRuns(t *testing.T) {
	for name, tc := range map[string]struct {
		source, sink bool
		files        string
		classes      []string
	}{
		"source": {source: true, files: "README.md connector_test.go go.mod main.go source.go", classes: []string{"orders-source"}},
		"sink":   {sink: true, files: "README.md connector_test.go go.mod main.go sink.go", classes: []string{"orders-sink"}},
		"both": {
			source: true, sink: true, files: "README.md connector_test.go go.mod main.go sink.go source.go",
			classes: []string{"orders-source", "orders-sink"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := write(t, scaffold.Connector{Name: "orders", Dir: t.TempDir(), Source: tc.source, Sink: tc.sink, Replace: root})
			if got := strings.Join(names(t, folder), " "); got != tc.files {
				t.Errorf("the files are %s, want %s", got, tc.files)
			}
			formatted(t, folder)
			// The sums are the clone's own, so nothing has to be asked of the network.
			sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o600); err != nil {
				t.Fatal(err)
			}
			command(t, folder, "test", "-mod=mod", "./...")
			plugins := command(t, folder, "run", "-mod=mod", ".", "plugins")
			for _, class := range tc.classes {
				if !strings.Contains(plugins, class+" ") {
					t.Errorf("%s is not among the classes:\n%s", class, plugins)
				}
			}
			if got := strings.Count(plugins, "orders-"); got != len(tc.classes) {
				t.Errorf("%d classes of its own, want %d:\n%s", got, len(tc.classes), plugins)
			}
		})
	}
}

// command runs the go command without a network, and returns what it prints.
func command(t *testing.T, folder string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t *testing.T, c scaffold.Connector) (folder string) {
	t.Helper()
	folder, err := scaffold.Write(c)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// names returns what is in a folder, sorted.
func names(t *testing.T, folder string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// formatted fails unless the code in a folder is as gofmt would have it.
func formatted(t *testing.T, folder string) {
	t.Helper()
	for _, name := range names(t, folder) {
		if filepath.Ext(name) != ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if want, err := format.Source(text); err != nil || !bytes.Equal(text, want) {
			t.Errorf("%s is not formatted, %v:\n%s", name, err, text)
		}
	}
}

func TestTheModuleRequiresTheVersionThatIsKnown(t *testing.T) {
	t.Parallel()
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		module, version, replace string
		has, lacks               []string
	}{
		"released": {version: "v1.2.3", has: []string{"module example.org/orders\n", "require github.com/omconnect/omconnect v1.2.3\n"}, lacks: []string{"replace"}},
		"unknown":  {has: []string{"module example.org/orders\n"}, lacks: []string{"require", "replace"}},
		"clone": {replace: absolute, has: []string{
			"require github.com/omconnect/omconnect v0.0.0\n", "replace github.com/omconnect/omconnect => " + filepath.ToSlash(absolute) + "\n",
		}},
		"released and clone": {version: "v1.2.3", replace: absolute, has: []string{"omconnect v1.2.3\n", " => "}},
		"module":             {module: "gitlab.example/team/x", has: []string{"module gitlab.example/team/x\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := write(t, scaffold.Connector{
				Name: "orders", Dir: t.TempDir(), Source: true, Module: tc.module, Version: tc.version, Replace: tc.replace,
			})
			text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
			if err != nil {
				t.Fatal(err)
			}
			for _, has := range tc.has {
				if !strings.Contains(string(text), has) {
					t.Errorf("go.mod lacks %q:\n%s", has, text)
				}
			}
			for _, lacks := range tc.lacks {
				if strings.Contains(string(text), lacks) {
					t.Errorf("go.mod has %q:\n%s", lacks, text)
				}
			}
		})
	}
}

func TestTheLanguageVersionIsThatOfTheGateway(t *testing.T) {
	t.Parallel()
	folder := write(t, scaffold.Connector{Name: "orders", Dir: t.TempDir(), Sink: true})
	line := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(text)) {
			if strings.HasPrefix(l, "go ") {
				return l
			}
		}
		t.Fatalf("%s says no version of Go", path)
		return ""
	}
	if got, want := line(filepath.Join(folder, "go.mod")), line(filepath.Join(root, "go.mod")); got != want {
		t.Errorf("go.mod says %q, the gateway's %q", got, want)
	}
}

func TestAnEmptyFolderIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "orders"), 0o700); err != nil {
		t.Fatal(err)
	}
	folder := write(t, scaffold.Connector{Name: "orders", Dir: dir, Sink: true})
	if got := names(t, folder); len(got) != 5 {
		t.Errorf("the folder has %q", got)
	}
}
