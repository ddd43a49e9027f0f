package omconnect

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestGoodFilesAreRead(t *testing.T) {
	for _, path := range files(t, "testdata/config/*.good.yaml") {
		s, err := loadSettings(gatewayFlags{}, path, &connect.DefaultPlugins)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		golden(t, strings.TrimSuffix(path, ".yaml")+".txt", dump(s))
	}
}

func TestBadFilesAreRefusedWithEveryProblem(t *testing.T) {
	t.Setenv("OMCONNECT_BROKER", "") // the file's counts
	for _, path := range files(t, "testdata/config/*.bad.yaml") {
		code, stdout, stderr := run(t, "validate", path)
		if code != exitUsage || stdout != "" {
			t.Errorf("validate %s: exit %d with %q on stdout, want %d and nothing", path, code, stdout, exitUsage)
		}
		golden(t, strings.TrimSuffix(path, ".yaml")+".txt", stderr)
		if strings.Contains(stderr, "s3cret") {
			t.Errorf("%s: the errors have a secret", path)
		}
		code, _, again := run(t, "run", "-c", path, "--data", t.TempDir())
		if code != exitUsage {
			t.Errorf("run -c %s: exit %d, want %d", path, code, exitUsage)
		}
		for line := range strings.Lines(stderr) {
			if !strings.Contains(line, ": data: ") && !strings.Contains(again, line) {
				t.Errorf("run -c %s does not say %q as validate does", path, line)
			}
		}
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	return paths
}

// dump shows what a gateway is told, without shortening secrets.
func dump(s *settings) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.brokers)) {
		fmt.Fprintf(&b, "broker %q: %s\n", name, s.brokers[name])
	}
	fmt.Fprintf(&b, "opened: %q\nstate: %s\ncluster: %q\ndata: %s\nlisten: %s\ntokens: %q\n", s.opened, s.state, s.cluster, s.data, s.listen, s.tokens)
	for _, c := range s.connectors {
		fmt.Fprintf(&b, "connector %q from %s\n", c.Name, c.Origin)
		for _, key := range c.Config.Keys() {
			fmt.Fprintf(&b, "  %s = %q\n", key, c.Config[key])
		}
	}
	return b.String()
}

func TestFlagComesBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	const flag, env, file = "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"
	for _, tc := range []struct{ flag, env, file, want string }{
		{"", "", "", defaultListen},
		{"", "", file, file},
		{"", env, file, env},
		{"", env, "", env},
		{flag, env, file, flag},
		{flag, "", "", flag},
	} {
		s, err := settled(t, "listen", tc.flag, tc.env, "rest.listen: "+quoted(tc.file))
		if err != nil || s.listen != tc.want {
			t.Errorf("%+v: got %v, %v", tc, s, err)
		}
	}
	if s, err := settled(t, "data", "", "from-env", "data: from-file"); err != nil || s.data != "from-env" {
		t.Errorf("data: got %v, %v", s, err)
	}
	if s, err := settled(t, "state", "redis://flag", "redis://env", "state: redis://file"); err != nil || s.state != "redis://flag" {
		t.Errorf("state: got %v, %v", s, err)
	}
	if s, err := settled(t, "broker", "", "", "broker: oms:nats://file:1/"); err != nil || s.brokers[connect.DefaultBroker] != "oms:nats://file:1/" {
		t.Errorf("broker: got %v, %v", s, err)
	}
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// settled resolves one setting given as flag, variable and in a file, with the
// program's own parser.
func settled(t *testing.T, name, flag, env, file string) (*settings, error) {
	t.Helper()
	t.Setenv("OMCONNECT_"+strings.ToUpper(name), env)
	args := []string{"run", "-c", write(t, "gateway.yaml", file)}
	if flag != "" {
		args = append(args, "--"+name, flag)
	}
	var grammar commandLine
	parser, err := newParser(&grammar)
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse(args); err != nil {
		return nil, err
	}
	return loadSettings(grammar.Run.gatewayFlags, grammar.Run.Config, &connect.DefaultPlugins)
}

func TestAWrongFlagIsNotBlamedOnTheFile(t *testing.T) {
	path := write(t, "gateway.yaml", "broker: embedded\nstate: embedded\n")
	t.Setenv("OMCONNECT_STATE", "mysql://u:s3cret@h/")
	code, _, stderr := run(t, "run", "-c", path, "--broker", "oms:nosuch://u:s3cret@h/")
	if code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
	for _, want := range []string{"omconnect: --broker or OMCONNECT_BROKER: ", "omconnect: --state or OMCONNECT_STATE: "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is missing in:\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "s3cret") || strings.Contains(stderr, path) {
		t.Errorf("a secret, or the file, stands in:\n%s", stderr)
	}
}

func TestTheEmbeddedBrokerHasOnePlace(t *testing.T) {
	f := &configFile{brokers: map[string]string{"own": "oms:embedded:///?durability=strict", "moved": "oms:embedded:///?dir=/srv/b"}}
	s := &settings{data: "d"}
	ps := &problems{}
	s.readBrokers(f, "own", 1, "broker", ps)
	if err := ps.err(); err != nil {
		t.Fatal(err)
	}
	want := "oms:embedded:///?dir=d%2Fbroker&durability=strict"
	for _, name := range []string{connect.DefaultBroker, "own", "embedded", "oms:embedded:///"} {
		if s.brokers[name] != want {
			t.Errorf("%q is %s, want %s", name, s.brokers[name], want)
		}
	}
	if ap, err := oms.ParseAccessPoint(s.brokers["moved"]); err != nil || ap.Options["dir"] != "/srv/b" {
		t.Errorf("moved is %s, %v", s.brokers["moved"], err)
	}
}
