package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/scaffold"
)

func TestWhatCannotBeWrittenIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.org/other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*scaffold.Connector)
		want   string
	}{
		"no name":         {func(c *scaffold.Connector) { c.Name = "" }, "needs a name"},
		"upper case":      {func(c *scaffold.Connector) { c.Name = "Orders" }, "lower-case"},
		"path":            {func(c *scaffold.Connector) { c.Name = "../orders" }, "lower-case"},
		"digit first":     {func(c *scaffold.Connector) { c.Name = "1st" }, "lower-case"},
		"hyphen last":     {func(c *scaffold.Connector) { c.Name = "orders-" }, "lower-case"},
		"two hyphens":     {func(c *scaffold.Connector) { c.Name = "or--ders" }, "lower-case"},
		"underscore":      {func(c *scaffold.Connector) { c.Name = "my_orders" }, "lower-case"},
		"newline":         {func(c *scaffold.Connector) { c.Name = "orders\n" }, "lower-case"},
		"long":            {func(c *scaffold.Connector) { c.Name = strings.Repeat("o", 51) }, "at most 50"},
		"kind in it":      {func(c *scaffold.Connector) { c.Name = "orders-sink" }, "leave that out"},
		"only a kind":     {func(c *scaffold.Connector) { c.Name = "source" }, "leave that out"},
		"no kind":         {func(c *scaffold.Connector) { c.Source, c.Sink = false, false }, "neither a source nor a sink"},
		"bad module":      {func(c *scaffold.Connector) { c.Module = "a b" }, "no path of a module"},
		"injected module": {func(c *scaffold.Connector) { c.Module = "a\nreplace x => y" }, "no path of a module"},
		"our module":      {func(c *scaffold.Connector) { c.Module = scaffold.Gateway + "/x" }, "belongs to the gateway"},
		"no clone":        {func(c *scaffold.Connector) { c.Replace = c.Dir }, "there is no go.mod"},
		"another clone":   {func(c *scaffold.Connector) { c.Replace = other }, "is not that of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := scaffold.Connector{Name: "orders", Dir: t.TempDir(), Source: true, Sink: true}
			tc.change(&c)
			if _, err := scaffold.Write(c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
			if left := names(t, c.Dir); len(left) > 0 {
				t.Errorf("%q was left behind", left)
			}
		})
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := scaffold.Write(scaffold.Connector{Name: "Orders", Module: "a b", Dir: t.TempDir()})
	for _, want := range []string{"Orders", "a b", "neither"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

func TestWhatIsThereIsNotTouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine := filepath.Join(dir, "orders", "mine.txt")
	if err := os.Mkdir(filepath.Dir(mine), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{mine, filepath.Join(dir, "items")} {
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"orders": "is not empty", "items": "is no folder"} {
		if _, err := scaffold.Write(scaffold.Connector{Name: name, Dir: dir, Source: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, want)
		}
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("the folder has %q now", got)
	}
	if got := names(t, filepath.Dir(mine)); len(got) != 1 {
		t.Errorf("orders has %q now", got)
	}
}

func TestAMissingFolderIsNotMade(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "missing")
	if _, err := scaffold.Write(scaffold.Connector{Name: "orders", Dir: dir, Source: true}); err == nil || !strings.Contains(err.Error(), "there is no folder "+dir) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
}
