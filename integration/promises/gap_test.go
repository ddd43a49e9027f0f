package promises

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// atGaps is what becomes of records that were removed before they were read.
var atGaps = []promise{{"nothing is skipped in silence", gaps}}

// A reader is a connector that has come to a gap.
type reader struct {
	name, policy string
	config       keys
	out          *tray
}

// gaps has bridges and sinks read one topic, of each kind one for each policy.
// They come to the same gap: what has a broker remove records may remove those
// of other topics, too.
func gaps(t *testing.T, b *broker) {
	t.Helper()
	if !tellsOffsets(t, b) {
		return
	}
	g := start(t, b.gapPoint(t))
	topic := fresh("topic")
	var readers []reader
	for _, policy := range []string{"fail", "earliest", "latest"} {
		copied := topic + "-" + policy
		config := bridged(b.same(t), topic, "topic", copied, "consumer.offset.out.of.range", policy)
		bridge := reader{fresh("bridge-" + policy), policy, config, newTray(t, fresh("tray"))}
		g.create(bridge.out.name, bridge.out.config(copied))
		g.create(bridge.name, bridge.config)

		out := newTray(t, fresh("sink-"+policy))
		mode := map[bool]string{false: "pull", true: "push"}[policy == "earliest"]
		sink := reader{out.name, policy, out.config(topic).with("consumer.offset.out.of.range", policy, "consumer.mode", mode), out}
		g.create(sink.name, sink.config)
		readers = append(readers, bridge, sink)
	}
	throughAGap(t, b, g, topic, readers)
}

// tellsOffsets tells whether the broker has offsets that could be missing. A
// queue has none: of one that has no Seek, it is enough that the policy which
// needs it is refused, with the reason.
func tellsOffsets(t *testing.T, b *broker) bool {
	t.Helper()
	caps := b.capabilities(t)
	if caps.Has(oms.Seek) {
		return true
	}
	if caps.Has(oms.Partitioned) || caps.Has(oms.Replay) {
		t.Errorf("the broker has offsets, and nothing to go to them with")
	}
	g := start(t, b.away())
	g.refuses(fresh("bridge"), bridged(b.away(), fresh("topic"), "topic", fresh("copy"), "consumer.offset.out.of.range", "latest"),
		string(oms.Seek), "consumer.offset.out.of.range", caps.Claims[oms.Seek].Note)
	g.refuses(fresh("sink"), newTray(t, fresh("tray")).config(fresh("topic")).with("consumer.offset.out.of.range", "latest"),
		string(oms.OffsetForTime), "consumer.offset.out.of.range")
	return false
}

// throughAGap has readers read ten records, removes the next ten behind their
// backs, and looks at what they do.
func throughAGap(t *testing.T, b *broker, g *gateway, topic string, readers []reader) {
	t.Helper()
	c := g.client(b)
	c.makes(topic, 1)
	c.sends(topic, numbered(0, 10)...)
	for _, r := range readers {
		g.gets(r.out, numbered(0, 10))
		g.halt(r.name)
	}
	from := c.end(topic)
	c.sends(topic, numbered(10, 10)...)
	to := c.end(topic)
	b.roll(t, c)
	c.sends(topic, numbered(20, 5)...)
	b.remove(t, g, topic, to)
	g.until("the records to be gone", func() bool { return c.begin(topic) >= to })

	for _, r := range readers {
		g.resume(r.name)
		switch r.policy {
		case "fail":
			g.fails(r.name, "FAILED", topic, "partition 0", "offset "+number(from), number(to), "consumer.offset.out.of.range")
		case "earliest":
			g.gets(r.out, append(numbered(0, 10), numbered(20, 5)...))
			g.told(r.name, "from="+number(from), "to=")
		case "latest":
			g.is(r.name, "RUNNING")
			g.told(r.name, "from="+number(from), "to=", "consumer.offset.out.of.range=latest")
		}
	}
	c.sends(topic, numbered(25, 5)...)
	for _, r := range readers {
		switch r.policy {
		case "fail":
			if n := len(r.out.all()); n != 10 {
				t.Errorf("%s has moved %d records, want the 10 of before", r.name, n)
			}
			// Its user has read what it says, and decides.
			g.change(r.name, r.config.with("consumer.offset.out.of.range", "earliest"))
			g.gets(r.out, append(numbered(0, 10), numbered(20, 10)...))
		case "earliest":
			g.gets(r.out, append(numbered(0, 10), numbered(20, 10)...))
		case "latest":
			g.gets(r.out, append(numbered(0, 10), numbered(25, 5)...))
		}
	}
}

// told waits until one line of the log has all of the texts.
func (g *gateway) told(texts ...string) {
	g.t.Helper()
	g.until("the log to have "+strings.Join(texts, " and "), func() bool {
		for line := range strings.Lines(g.said.String()) {
			has := true
			for _, text := range texts {
				has = has && strings.Contains(line, text)
			}
			if has {
				return true
			}
		}
		return false
	})
}
