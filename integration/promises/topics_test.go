package promises

import (
	"slices"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// atTopics is bad input in the shape of topics.
var atTopics = []promise{
	{"a topic that the broker keeps for itself is refused", refusesTopics},
	{"a topic with other settings is used as it is", keepsTopics},
	{"a topic that is missing and may not be made is told", tellsMissingTopics},
	{"a topic that comes later is read from its beginning", readsLaterTopics},
}

func refusesTopics(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	for _, topic := range b.refused {
		in, out := newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
		source := fresh("source")
		in.put(numbered(0, 3)...)
		g.refuses(source, in.config(topic), "topic: ", topic)
		g.refuses(out.name, out.config(topic), "topics: ", topic)
		// Its user takes another topic.
		good := fresh("topic")
		g.create(out.name, out.config(good))
		g.create(source, in.config(good))
		g.gets(out, numbered(0, 3))
	}
}

// keepsTopics has a topic with two partitions, and a source that asks for five.
func keepsTopics(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, out := fresh("topic"), newTray(t, fresh("sink"))
	for i, partitions := range []string{"2", "5"} {
		source, in := fresh("source"), newFeed(t, fresh("feed"))
		for _, body := range numbered(i*20, 20) {
			in.add(&oms.Message{Key: []byte(body), Body: []byte(body)})
		}
		g.createAs("STOPPED", source, in.config(topic).with("topic.creation.default.partitions", partitions))
		if i == 0 {
			g.create(out.name, out.config(topic)) // makes the topic as the source is told to
		}
		g.resume(source)
		g.gets(out, numbered(0, i*20+20))
	}
	infos, err := g.client(b).Topics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(infos, func(info oms.TopicInfo) bool { return info.Name == topic })
	if i < 0 || infos[i].Partitions != 2 {
		t.Errorf("the topics are %v, want %s with the 2 partitions that it had", infos, topic)
	}
}

// tellsMissingTopics has a source that may not make its topic, which is made later.
func tellsMissingTopics(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	in.put(numbered(0, 3)...)
	g.create(source, in.config(topic).with("topic.creation.enable", "false"))
	g.fails(source, "FAILED", topic, "not found")
	g.create(out.name, out.config(topic))
	g.client(b).makes(topic, 1)
	g.is(out.name, "RUNNING")
	g.restart(source)
	g.gets(out, numbered(0, 3))
}

// readsLaterTopics has a sink that begins at the end of what it finds, and a
// program that makes a topic and sends to it before the sink knows of that.
func readsLaterTopics(t *testing.T, b *broker) {
	t.Helper()
	if !b.capabilities(t).Has(oms.Backlog) {
		return // a group there has nothing from before it knows of a topic
	}
	g := start(t, b.point(t))
	prefix, out := fresh("many"), newTray(t, fresh("sink"))
	c := g.client(b)
	c.makes(prefix+".old", 2)
	c.sends(prefix+".old", numbered(0, 5)...) // not the sink's
	g.create(out.name, out.config(prefix).with(
		"topics", "", "topics.regex", prefix+`\..+`, "topics.regex.refresh.interval.ms", "5000",
		"consumer.auto.offset.reset", "latest", "tasks.max", "2"))
	c.sends(prefix+".old", numbered(5, 5)...)
	g.gets(out, numbered(5, 5)) // and so it has looked
	c.makes(prefix+".new", 4)
	c.sends(prefix+".new", numbered(10, 20)...)
	g.gets(out, numbered(5, 25))
	c.sends(prefix+".old", numbered(30, 5)...)
	c.sends(prefix+".new", numbered(35, 5)...)
	g.gets(out, numbered(5, 35))
}
