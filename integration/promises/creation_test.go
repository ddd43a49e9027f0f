package promises

import (
	"net/http"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// atCreation is what is checked when a connector is created.
var atCreation = []promise{
	{"what a broker cannot do is refused while it is away", refusesCapabilities},
	{"an option that a broker has no means for is refused", refusesOptions},
	{"what is not built is refused and not ignored", refusesUnbuilt},
	{"a wrong access point is refused with its key", refusesAccessPoints},
	{"a wrong option of an access point is told by name", tellsOptions},
}

// away returns an access point where no broker is. An embedded one is never
// away, and has a folder of its own.
func (b *broker) away() string {
	if b.start == nil {
		return b.at("", "")
	}
	return b.at("", nobody)
}

func refusesCapabilities(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.away())
	end, topic := newFeed(t, fresh("feed")), fresh("topic")
	caps, missing, has := b.capabilities(t), 0, oms.Capability("")
	for _, c := range caps.All() {
		if caps.Has(c) {
			has = c
			continue
		}
		missing++
		note := caps.Claims[c].Note
		if note == "" {
			t.Errorf("nothing is said about why there is no %s", c)
		}
		for _, config := range []keys{end.config(topic), {"connector.class": trayClass, "end": "none", "topics": topic}} {
			g.refuses(fresh("needs"), config.with("need", string(c)), string(c), "asked for by need", note)
		}
	}
	if missing == 0 || has == "" {
		t.Fatalf("the broker has %d capabilities less than all, and at last %q: this asks nothing", missing, has)
	}
	if code, answer := g.call(http.MethodGet, "/connectors", nil); code != http.StatusOK || answer != "[]\n" && answer != "[]" {
		t.Errorf("after the refusals there are connectors: %d %s", code, answer)
	}
	g.create(fresh("needs"), end.config(topic).with("need", string(has)))
}

// bridged is the configuration of a bridge that reads from a broker.
func bridged(from, topic string, more ...string) keys {
	return keys{
		"connector.class": "broker-source", "source.broker": from, "source.topics": topic, "topic": topic + "-copy",
	}.with(more...)
}

// refusesOptions has one key with a value for each operation that it needs.
func refusesOptions(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, "oms:embedded:///?sync.interval.ms=1000&dir="+t.TempDir())
	caps, from := b.capabilities(t), b.away()
	if b.start == nil {
		from = b.at("", "", "dir", t.TempDir())
	}
	for key, c := range map[string]struct {
		value string
		needs oms.Capability
	}{
		"source.start":                 {"2024-05-01T12:00:00Z", oms.OffsetForTime},
		"consumer.offset.out.of.range": {"latest", oms.Seek},
		"source.topics.regex":          {"orders.*", oms.CreateTopic},
	} {
		config := bridged(from, "orders", "topic", "others", key, c.value)
		if key == "source.topics.regex" {
			delete(config, "source.topics")
		}
		if caps.Has(c.needs) {
			g.createAs("STOPPED", fresh("bridge"), config)
			continue
		}
		g.refuses(fresh("bridge"), config, string(c.needs), key, caps.Claims[c.needs].Note)
	}
}

func refusesUnbuilt(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.away())
	config := newTray(t, fresh("tray")).config(fresh("topic"))
	g.refuses(fresh("unbuilt"), config.with("exactly.once.support", "required"), "exactly.once.support", "at least once")
	g.refuses(fresh("unbuilt"), config.with("consumer.override.max.poll.records", "1"), "consumer.override.max.poll.records", "access point")
	g.refuses(fresh("unbuilt"), config.with("no.such.key", "1"), "no.such.key")
}

func refusesAccessPoints(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.away())
	for what, c := range map[string]struct{ point, says string }{
		"no such driver":    {"oms:" + b.name + "x://" + nobody + "/", b.name + "x"},
		"no such scheme":    {"amqp-" + b.name + "://" + nobody + "/", "access point"},
		"a port too high":   {"oms:" + b.name + "://127.0.0.1:99999/", "port"},
		"a port of letters": {"oms:" + b.name + "://127.0.0.1:abc/", "port"},
	} {
		t.Run(what, func(t *testing.T) {
			g := *g
			g.t = t
			config := newTray(t, fresh("tray")).config(fresh("topic"))
			g.refuses(fresh("wrong"), config.with("broker", c.point), "broker", c.says)
		})
	}
}

// tellsOptions has options that only a driver knows to be wrong.
func tellsOptions(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.away())
	in := newFeed(t, fresh("feed"))
	point := b.at("", nobody, "no.such.option", "1", "max.message.bytes", "many")
	if b.start == nil {
		point = b.at("", "", "no.such.option", "1", "max.message.bytes", "many", "dir", t.TempDir())
	}
	config := in.config(fresh("topic")).with("broker", point)
	g.refuses(fresh("wrong"), config, "broker", "no.such.option", "max.message.bytes")
}
