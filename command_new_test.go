package omconnect

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/scaffold"
)

func TestNewConnectorWritesWhatIsAskedFor(t *testing.T) {
	for kind, want := range map[string][]string{
		"source": {"source.go"}, "sink": {"sink.go"}, "both": {"source.go", "sink.go"},
	} {
		dir := t.TempDir()
		code, stdout, stderr := run(t, "new", "connector", "orders", "--dir", dir, "--kind", kind, "--module", "example.org/x/orders", "--replace", ".")
		if code != exitGood || stderr != "" || !strings.HasPrefix(stdout, "wrote "+filepath.Join(dir, "orders")+";") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", kind, code, stdout, stderr)
		}
		for _, name := range []string{"source.go", "sink.go"} {
			_, err := os.Stat(filepath.Join(dir, "orders", name))
			if has := strings.Contains(strings.Join(want, " "), name); (err == nil) != has {
				t.Errorf("%s: %s is there: %v, want %v", kind, name, err == nil, has)
			}
		}
		if text := read(t, filepath.Join(dir, "orders", "go.mod")); !strings.HasPrefix(text, "module example.org/x/orders\n") {
			t.Errorf("%s: go.mod is\n%s", kind, text)
		}
	}
}

func TestNewConnectorSaysWhatABuildWithoutAVersionMeans(t *testing.T) {
	code, stdout, stderr := run(t, "new", "connector", "orders", "--dir", t.TempDir())
	if code != exitGood || !strings.Contains(stderr, "no released version") || !strings.Contains(stderr, "--replace") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestNewConnectorIsBadUsageWhereItCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"lower-case":       {"Orders"},
		"is not empty":     {"full"},
		"no clone":         {"orders", "--replace", dir},
		"--kind must be":   {"orders", "--kind", "neither"},
		`expected "<name>`: {},
	} {
		if err := os.MkdirAll(filepath.Join(dir, "full", "of"), 0o700); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := run(t, append([]string{"new", "connector", "--dir", dir}, args...)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit %d, stdout %q, stderr %q, want %q", args, code, stdout, stderr, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %d entries, want only what was there", err, len(left))
	}
}

func TestOnlyAVersionThatOthersCanGetIsRequired(t *testing.T) {
	gateway := func(version string) *debug.Module { return &debug.Module{Path: scaffold.Gateway, Version: version} }
	own := debug.Module{Path: "example.org/orders", Version: "v9.9.9"}
	for name, tc := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"released":       {debug.BuildInfo{Main: *gateway("v1.2.3")}, "v1.2.3"},
		"candidate":      {debug.BuildInfo{Main: *gateway("v1.2.3-rc.1")}, "v1.2.3-rc.1"},
		"clone":          {debug.BuildInfo{Main: *gateway("(devel)")}, ""},
		"changed clone":  {debug.BuildInfo{Main: *gateway("v0.0.0-20261122190000-0123456789ab+dirty")}, ""},
		"none":           {debug.BuildInfo{Main: *gateway("")}, ""},
		"main of others": {debug.BuildInfo{Main: own, Deps: []*debug.Module{{Path: "a.example", Version: "v3.0.0"}, gateway("v1.0.0")}}, "v1.0.0"},
		"replaced": {debug.BuildInfo{Main: own, Deps: []*debug.Module{
			{Path: scaffold.Gateway, Version: "v1.0.0", Replace: &debug.Module{Path: "../omconnect"}},
		}}, ""},
		"without it": {debug.BuildInfo{Main: own}, ""},
	} {
		if got := releasedVersion(&tc.info); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}
