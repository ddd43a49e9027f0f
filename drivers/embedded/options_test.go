package embedded_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

func TestEveryWrongOptionIsNamedAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		accessPoint string
		keys        []string
	}{
		"embedded": {
			"oms:embedded://host:1/?dir=" + t.TempDir() + "&durability=maybe&retention.ms=x&retention.bytes=-1&max.message.bytes=0&min.free.bytes=-5&colour=red",
			[]string{"durability", "retention.ms", "retention.bytes", "max.message.bytes", "min.free.bytes", "colour", "host"},
		},
		"nats":      {"oms:nats:///region?replication.factor=9&tls=perhaps&sync.interval.ms=-1&dir=x", []string{"replication.factor", "tls", "sync.interval.ms", "dir", "host", "region"}},
		"retention": {"oms:embedded:///?retention.ms=10&publish.timeout.ms=1", []string{"retention.ms", "publish.timeout.ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := oms.Open(t.Context(), test.accessPoint)
			if !errors.Is(err, oms.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
			for _, key := range test.keys {
				if !strings.Contains(err.Error(), key+": ") {
					t.Errorf("%v does not name %s", err, key)
				}
			}
		})
	}
}

func TestCapabilitiesComeFromTheOptionsAlone(t *testing.T) {
	for accessPoint, want := range map[string]time.Duration{
		"oms:embedded:///?dir=/nowhere":                   200 * time.Millisecond,
		"oms:embedded:///?dir=/nowhere&durability=strict": 0,
		"oms:nats://localhost/":                           2 * time.Minute,
		"oms:nats://localhost/?replication.factor=3":      0,
		"oms:nats://localhost/?sync.interval.ms=1000":     time.Second,
		"oms:nats://localhost/?sync.interval.ms=0":        0,
		"embedded": 200 * time.Millisecond,
	} {
		caps, err := oms.Default.Capabilities(accessPoint)
		if err != nil {
			t.Fatal(err)
		}
		if caps.DurableAfter != want {
			t.Errorf("%s: DurableAfter %v, want %v", accessPoint, caps.DurableAfter, want)
		}
		for _, name := range caps.All() {
			if s := caps.Claims[name]; !s.Claimed && s.Note == "" {
				t.Errorf("%s: %s is not claimed, and no reason given", accessPoint, name)
			}
		}
	}
	caps := embedded.Driver{}.Capabilities(oms.AccessPoint{Options: oms.KeyValue{"max.message.bytes": "1000"}})
	if caps.MaxBody != 1000 {
		t.Errorf("MaxBody %d, want what max.message.bytes says", caps.MaxBody)
	}
}
