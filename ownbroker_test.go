package omconnect

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestEmbeddedAccessPointsMeanTheBrokersOfTheGateway(t *testing.T) {
	t.Parallel()
	named := map[string]string{
		"":           "oms:kafka://h/",
		"archive":    "oms:embedded:///?dir=%2Fsrv%2Farchive",
		embeddedName: "oms:embedded:///?dir=d%2Fbroker&durability=strict",
	}
	here, err := filepath.Abs("d/broker")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"oms:embedded:///?":                                 named[embeddedName],
		"oms:embedded:///?durability=strict":                named[embeddedName],
		"oms:embedded:///?retention.bytes=0":                named[embeddedName], // as it is anyway
		"oms:embedded:///?dir=d/broker":                     named[embeddedName],
		"oms:embedded:///?dir=./d/x/../broker":              named[embeddedName],
		"oms:embedded:///?dir=" + url.QueryEscape(here):     named[embeddedName],
		"oms:embedded:///?dir=/srv/archive":                 named["archive"],
		"oms:embedded:///?dir=/srv/archive/":                named["archive"],
		"oms:embedded:///?dir=/srv/other&durability=strict": "oms:embedded:///?dir=/srv/other&durability=strict",
		"oms:nats://h/?retention.bytes=7":                   "oms:nats://h/?retention.bytes=7",
		"oms:embedded://h/":                                 "oms:embedded://h/", // wrong: it is told by who opens it
		"oms:embedded:///?nosuch=1":                         "oms:embedded:///?nosuch=1",
		"not an access point":                               "not an access point",
	} {
		if got, err := ownBroker(named, text); err != nil || got != want {
			t.Errorf("%s means %s, %v; want %s", text, got, err, want)
		}
	}
	for text, says := range map[string][]string{
		"oms:embedded:///?durability=interval":                 {"durability", `"interval" here, strict there`},
		"oms:embedded:///?retention.ms=1000000":                {"retention.ms", "604800000 there"},
		"oms:embedded:///?min.free.bytes=7&retention.bytes=1":  {"min.free.bytes", "none there", "retention.bytes"},
		"oms:embedded:///?dir=/srv/archive&durability=strict":  {"durability", "interval there"},
		"oms:embedded:///?dir=d/broker&retention.bytes=100000": {"retention.bytes", "dir"},
	} {
		_, err := ownBroker(named, text)
		if oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("%s: %v, want it refused as invalid", text, err)
			continue
		}
		for _, part := range append(says, "leave them out") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", text, err, part)
			}
		}
	}
}

// Where no gateway is known, as for a single connector that is validated,
// nothing is known of its broker.
func TestEmbeddedAccessPointsAreLeftAloneWithoutAGateway(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"oms:embedded:///?retention.ms=1000000", "oms:embedded:///?dir=data/broker"} {
		if got, err := ownBroker(map[string]string{connect.DefaultBroker: embeddedName}, text); got != text || err != nil {
			t.Errorf("%s means %s, %v", text, got, err)
		}
	}
}

func TestOneFolderWithTwoSetsOfOptionsIsRefused(t *testing.T) {
	t.Parallel()
	f := &configFile{
		brokers: map[string]string{
			"a": "oms:embedded:///?durability=strict", "b": "oms:embedded:///?dir=d/broker", "c": "oms:embedded:///?dir=/srv/c",
		},
		lines: map[string]int{"brokers.b": 4},
	}
	s, ps := &settings{data: "d"}, &problems{file: "f.yaml"}
	s.readBrokers(f, "c", 1, "broker", ps)
	if err := ps.err(); err == nil || !strings.Contains(err.Error(), "f.yaml:4: brokers.b: it has the folder of brokers.a") {
		t.Errorf("%v, want brokers.b refused in its line", err)
	}
}

func TestAWrongOptionOfANamedBrokerIsToldWithItsLine(t *testing.T) {
	path := write(t, "gateway.yaml", "brokers:\n  far:\n    oms:kafka://u:s3cret@h/?max.mesage.bytes=1\n")
	code, _, stderr := run(t, "validate", path)
	if code != exitUsage || !strings.Contains(stderr, "gateway.yaml:2: brokers.far: the access point is wrong: max.mesage.bytes: unknown key (did you mean max.message.bytes?)") || strings.Contains(stderr, "s3cret") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestNoSecondEmbeddedBrokerIsOpenedByAccident(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	data := filepath.Join(t.TempDir(), "elsewhere")
	p := begin(t, "run", "--data", data, "--listen", "127.0.0.1:0") // its broker has sync.interval.ms=1000
	p.await("gateway started")
	create := func(name, broker string) (int, string) {
		code, _, stderr := run(t, "connectors", "--url", p.url(), "create", name, "connector.class=log-sink", "topics=t", "broker="+broker)
		return code, stderr
	}
	code, stderr := create("other", "oms:embedded:///?retention.ms=1000000")
	if code == exitGood || !strings.Contains(stderr, "broker: ") || !strings.Contains(stderr, "retention.ms") || !strings.Contains(stderr, "leave them out") {
		t.Errorf("create: exit %d: %s", code, stderr)
	}
	for name, broker := range map[string]string{
		"same": "oms:embedded:///?sync.interval.ms=1000", "place": "oms:embedded:///?dir=" + url.QueryEscape(filepath.Join(data, "broker")),
	} {
		if code, stderr := create(name, broker); code != exitGood {
			t.Errorf("create with %s: exit %d: %s", broker, code, stderr)
		}
		eventually(t, name+" runs", func() bool {
			_, stdout, _ := run(t, "connectors", "--url", p.url(), "status", name)
			return strings.Contains(stdout, "state       RUNNING")
		})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: there is another broker in the working directory", left, err)
	}
	p.stop()
	p.wait()
}
