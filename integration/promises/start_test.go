package promises

import (
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// atStart is what holds when connectors start.
var atStart = []promise{
	{"a sink that is paused or stopped misses nothing", groupsBeforeSources},
	{"positions belong to a cluster", positionsOfACluster},
}

// groupsBeforeSources defines two sinks that do not run, and then the source.
func groupsBeforeSources(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, source, in := fresh("topic"), fresh("source"), newFeed(t, fresh("feed"))
	paused, stopped, late := newTray(t, fresh("paused")), newTray(t, fresh("stopped")), newTray(t, fresh("late"))
	g.createAs("PAUSED", paused.name, paused.config(topic))
	g.createAs("STOPPED", stopped.name, stopped.config(topic))
	early, after := numbered(0, 20), numbered(20, 5)
	in.put(early...)
	g.create(source, in.config(topic).with("topic.creation.default.partitions", "2"))
	g.sent(source, 20)

	g.create(late.name, late.config(topic))
	g.is(late.name, "RUNNING")
	in.put(after...)
	g.sent(source, 25)
	for _, tr := range []*tray{paused, stopped} {
		if n := len(tr.all()); n > 0 {
			t.Errorf("%s has got %d records, and was to get none yet", tr.name, n)
		}
		g.resume(tr.name)
		g.gets(tr, append(early, after...))
	}
	if b.capabilities(t).Has(oms.Backlog) {
		after = append(early, after...)
	}
	g.gets(late, after)
}

// sent waits until a source has had n records confirmed in all, since the
// gateway started.
func (g *gateway) sent(source string, n int) {
	g.t.Helper()
	g.until("the source to have sent all", func() bool {
		total := 0
		for _, task := range g.Detail(source).Tasks {
			total += task.Records
		}
		return total >= n
	})
}

// positionsOfACluster has the same state meet another cluster.
func positionsOfACluster(t *testing.T, b *broker) {
	t.Helper()
	papers := papers(t)
	first, second := b.point(t), b.secondPoint(t, user+":"+password, papers)
	data, topic, source := t.TempDir(), fresh("topic"), fresh("source")
	in, out := newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	g := startIn(t, data, first)
	g.create(out.name, out.config(topic))
	in.put(numbered(0, 5)...)
	g.create(source, in.config(topic))
	g.gets(out, numbered(0, 5))
	g.end()

	in.put(numbered(5, 2)...)
	g = startIn(t, data, second)
	for _, name := range []string{source, out.name} {
		g.fails(name, "FAILED", name, "another broker", "--broker-changed=continue", "--broker-changed=restart")
	}
	g.end()
	if n := len(out.all()); n != 5 {
		t.Fatalf("%d records have arrived, want the 5 of before", n)
	}

	g = startIn(t, data, second, "--broker-changed=continue")
	g.gets(out, numbered(0, 7))
	g.end()

	g = startIn(t, data, first, "--broker-changed=restart")
	g.gets(out, append(numbered(0, 7), numbered(0, 7)...))
	g.end()
}
