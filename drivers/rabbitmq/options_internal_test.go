package rabbitmq

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func readPoint(t *testing.T, text string) (options, error) {
	t.Helper()
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return readOptions(ap)
}

func TestDefaultsOfAnAccessPoint(t *testing.T) {
	t.Parallel()
	got, err := readPoint(t, "oms:rabbitmq://one,two:5673,[::1],[::2]:99/")
	if err != nil {
		t.Fatal(err)
	}
	want := options{
		hosts: []string{"one:5672", "two:5673", "[::1]:5672", "[::2]:99"}, user: "guest", password: "guest", vhost: "/",
		declare: declareFull, ordering: orderingKey, queueType: "quorum", retention: 7 * 24 * time.Hour, partitions: 1, maxMessage: 8 << 20,
		publishTimeout: time.Minute, rpcTimeout: 15 * time.Second, heartbeat: 10 * time.Second,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnAccessPointNamesUserAndVirtualHost(t *testing.T) {
	t.Parallel()
	got, err := readPoint(t, "oms:rabbitmq://me:p%3F%23w@h/a%2Fb?tls=true&declare=none&ordering=none")
	if err != nil {
		t.Fatal(err)
	}
	if got.user != "me" || got.password.Reveal() != "p?#w" || got.vhost != "a/b" || got.hosts[0] != "h:5671" || got.declare != declareNone || got.ordering != orderingNone {
		t.Errorf("the options are %+v", got)
	}
}

func TestEveryProblemOfAnAccessPointIsNamed(t *testing.T) {
	t.Parallel()
	for text, names := range map[string][]string{
		"oms:rabbitmq:///":                                        {"host"},
		"oms:rabbitmq://h/?declare=all&colour=blue":               {"declare", "colour"},
		"oms:rabbitmq://h/?topic.creation.default.partitions=0":   {"topic.creation.default.partitions"},
		"oms:rabbitmq://h/?max.message.bytes=0&heartbeat.ms=1":    {"max.message.bytes", "heartbeat.ms"},
		"oms:rabbitmq://h/?publish.timeout.ms=1&rpc.timeout.ms=1": {"publish.timeout.ms", "rpc.timeout.ms"},
		"oms:rabbitmq://h/?tls.ca.file=x":                         {"tls"},
		"oms:rabbitmq://h/?tls=true&tls.key.file=x":               {"tls.certificate.file"},
		"oms:rabbitmq://me@h/?sasl.mechanism=EXTERNAL&tls=true":   {"sasl.mechanism", "user"},
		"oms:rabbitmq://h/" + strings.Repeat("v", 300):            {"region"},
		"oms:rabbitmq://h/?management.url=h:15672":                {"management.url"},
		"oms:rabbitmq://h/?management.url=http://u:p@h":           {"management.url"},
		"oms:rabbitmq://h/?management.url=http://h?x":             {"management.url"},
		"oms:rabbitmq://h/?tls=true&tls.certificate.file=a&tls.key.file=b&sasl.mechanism=EXTERNAL&management.url=http://h": {"management.url"},
	} {
		_, err := readPoint(t, text)
		if !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%.60s: %v, want %v", text, err, oms.ErrInvalid)
			continue
		}
		for _, name := range names {
			if !strings.Contains(err.Error(), name+": ") {
				t.Errorf("%.60s: the error %q does not name %s", text, err, name)
			}
		}
	}
}

func TestEveryOptionIsDocumentedWithItsDefault(t *testing.T) {
	t.Parallel()
	ap := oms.AccessPoint{Driver: driverName, Hosts: []string{"h"}, Options: oms.KeyValue{}}
	plain, err := readOptions(ap)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range (Driver{}).Options() {
		if o.Doc == "" {
			t.Errorf("%s has no documentation", o.Name)
		}
		if o.Default != "" {
			ap.Options[o.Name] = o.Default
		}
	}
	said, err := readOptions(ap)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, said, cmp.AllowUnexported(options{})); diff != "" {
		t.Errorf("the defaults that are documented change something (-without +with):\n%s", diff)
	}
	source, err := os.ReadFile("options.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, o := range (Driver{}).Options() {
		documented[o.Name] = true
		if !strings.Contains(string(source), `("`+o.Name+`"`) {
			t.Errorf("%s is documented and not read", o.Name)
		}
	}
	for line := range strings.SplitSeq(string(source), "\n") {
		_, call, ok := strings.Cut(line, `r.`)
		method, rest, found := strings.Cut(call, `("`)
		name, _, _ := strings.Cut(rest, `"`)
		if ok && found && method != "Problem" && !documented[name] {
			t.Errorf("%s is read and not documented", name)
		}
	}
}

func TestFilesOfTLSAreReadWhenConnecting(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.pem")
	if _, err := (options{caFile: missing}).tlsConfig("h"); oms.CodeOf(fail("connect", "", err)) != oms.ErrDenied {
		t.Errorf("a missing file: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (options{caFile: empty}).tlsConfig("h"); err == nil || !strings.Contains(err.Error(), "tls.ca.file") {
		t.Errorf("a file without a certificate: %v", err)
	}
	cfg, err := (options{}).tlsConfig("h")
	if err != nil || cfg.ServerName != "h" || cfg.InsecureSkipVerify {
		t.Errorf("%+v, %v", cfg, err)
	}
	if cfg, err = (options{serverName: "n"}).tlsConfig("h"); err != nil || cfg.ServerName != "n" {
		t.Errorf("%+v, %v", cfg, err)
	}
}

func TestOrderIsClaimedOnlyOfQueuesOfItsOwn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"oms:rabbitmq://h/": true, "oms:rabbitmq://h/?ordering=none": false,
		"oms:rabbitmq://h/?declare=minimal": false, "oms:rabbitmq://h/?declare=none": false,
	} {
		ap, err := oms.ParseAccessPoint(text)
		if err != nil {
			t.Fatal(err)
		}
		caps := Driver{}.Capabilities(ap)
		if got := caps.Has(oms.OrderPerKey); got != want {
			t.Errorf("%s claims order: %v, want %v", text, got, want)
		}
		for _, name := range caps.All() {
			if s := caps.Claims[name]; (!s.Claimed || s.Emulated) && s.Note == "" {
				t.Errorf("%s: nothing says why or how about %s", text, name)
			}
		}
		if caps.Has(oms.Backlog) || caps.Has(oms.Replay) {
			t.Errorf("%s claims what queues do not have", text)
		}
	}
}
