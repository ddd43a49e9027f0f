package promises

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// atRecords is bad input in the shape of records.
var atRecords = []promise{
	{"a body beyond the limit fails with its place", refusesBodies},
	{"a body that the broker refuses by itself fails with its place", refusesForItself},
	{"headers that a broker has no room for fail with their place", refusesHeaders},
	{"odd headers arrive as they were", keepsHeaders},
	{"a record that no sink takes is not lost", keepsPoison},
	{"many deliveries lose nothing", survivesDeliveries},
	{"messages of other programs arrive whatever is in them", takesForeign},
	{"a tombstone that a sink cannot take is told", tellsTombstones},
}

// limited sends records of which the fourth is bad, and looks at what becomes
// of it and of those behind it.
func limited(t *testing.T, b *broker, bad *oms.Message, options []string, says ...string) {
	t.Helper()
	g := start(t, b.point(t, options...))
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	g.create(out.name, out.config(topic))
	in.put(numbered(0, 3)...)
	in.add(bad)
	in.put(numbered(4, 3)...)
	g.create(source, in.config(topic))
	g.fails(source, "FAILED", append(says, b.name, topic, in.name, `{"next":4}`)...)
	// Whoever feeds it mends the record.
	mended := numbered(3, 1)[0]
	in.mend(3, &oms.Message{Body: []byte(mended)})
	g.restart(source)
	g.getsAll(out, numbered(0, 7))
	g.is(source, "RUNNING")
}

func refusesBodies(t *testing.T, b *broker) {
	t.Helper()
	large := &oms.Message{Body: []byte(strings.Repeat("x", 64<<10+1))}
	limited(t, b, large, []string{"max.message.bytes", "65536"}, "too large", "65537", "65536")
}

// refusesForItself has limits that are larger than those of the broker.
func refusesForItself(t *testing.T, b *broker) {
	t.Helper()
	size, option := 1<<20+256<<10, "2097152"
	switch b.name {
	case "rocketmq":
		size, option = 4<<20+256<<10, "6291456"
	case "embedded":
		size = 2<<20 + 1 // the option is all there is
	}
	large := &oms.Message{Body: []byte(strings.Repeat("x", size))}
	limited(t, b, large, []string{"max.message.bytes", option}, "too large")
}

func refusesHeaders(t *testing.T, b *broker) {
	t.Helper()
	// Kafka bounds body and headers together.
	size := map[bool]int{false: 200 << 10, true: 1<<20 + 128<<10}[b.name == "kafka"]
	large := &oms.Message{Body: []byte("b"), Headers: oms.Headers{{Name: "large", Value: []byte(strings.Repeat("x", size))}}}
	limited(t, b, large, nil, "too large")
}

// keepsHeaders has names and values that steer one of the brokers, or that it
// cannot write down.
func keepsHeaders(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	g.create(out.name, out.config(topic))
	sent := oms.Headers{
		{Name: "binary", Value: []byte{0, 0xff, '\n', 1}},
		{Name: "again", Value: []byte("first")},
		{Name: "again", Value: []byte("second")},
		{Name: "nil"},
		{Name: "empty", Value: []byte{}},
		{Name: "a name: with\r\nlines", Value: []byte("x")},
		{Name: "snow ☃", Value: []byte("snow ☃")},
	}
	for _, name := range []string{
		"CC", "BCC", "user_id", "x-death", "x-delivery-count", "Nats-Msg-Id", "Nats-TTL", "DELAY", "KEYS", "TAGS", "UNIQ_KEY",
		"RETRY_TOPIC", "oms-id", "oms-key", "oms-h-x", "traceparent", "Oms", "OMS", "__proto__", " ", "a=b", strings.Repeat("n", 300),
	} {
		sent = append(sent, oms.Header{Name: name, Value: []byte("3")})
	}
	in.add(&oms.Message{Body: []byte("odd"), Headers: sent})
	in.put("plain")
	g.create(source, in.config(topic))
	g.gets(out, []string{"odd", "plain"})
	for _, m := range out.all() {
		if string(m.Body) != "odd" {
			continue
		}
		if diff := cmp.Diff(sent, m.Headers); diff != "" {
			t.Errorf("-sent +got\n%s", diff)
		}
	}
}

// keepsPoison has a record that its sink refuses for good.
func keepsPoison(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	all := numbered(0, 7)
	out.refuses(poison(all[3], &oms.Error{Op: "put", Code: oms.ErrFormat, Err: errPoison}))
	g.create(out.name, out.config(topic))
	in.put(all...)
	g.create(source, in.config(topic).with("topic.creation.default.partitions", "1"))
	g.fails(out.name, "FAILED", "put of "+topic, "partition", "offset", errPoison.Error())
	if slices.Contains(out.bodies(), all[3]) {
		t.Error("the sink has taken the record that it refused")
	}
	g.restart(out.name) // in vain
	g.until("another try", func() bool { return out.refused() >= 2 })
	g.fails(out.name, "FAILED", errPoison.Error())
	out.refuses(nil)
	g.restart(out.name)
	g.getsAll(out, all)
	in.put(numbered(7, 3)...)
	g.getsAll(out, numbered(0, 10))
}

// survivesDeliveries has a record refused often: on RabbitMQ more often than it
// delivers one to queues that are not told otherwise.
func survivesDeliveries(t *testing.T, b *broker) {
	t.Helper()
	tries := map[bool]int{false: 5, true: 25}[b.name == "rabbitmq"]
	g := start(t, b.point(t))
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	all := numbered(0, 7)
	out.refuses(poison(all[3], errPoison))
	g.create(out.name, out.config(topic).with("restart.max.attempts", "-1", "restart.backoff.ms", "1", "restart.backoff.max.ms", "1"))
	in.put(all...)
	g.create(source, in.config(topic).with("topic.creation.default.partitions", "1"))
	g.until(fmt.Sprintf("%d tries", tries), func() bool { return out.refused() >= tries })
	if slices.Contains(out.bodies(), all[3]) || slices.Contains(out.bodies(), all[4]) {
		t.Errorf("the sink has got %q, with the record that it refused or one behind it", out.bodies())
	}
	out.refuses(nil)
	g.getsAll(out, all)
}

// tellsTombstones has a record without a body, and a sink that does not delete.
func tellsTombstones(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	in.put(numbered(0, 3)...)
	in.add(&oms.Message{Key: []byte("gone")})
	in.put(numbered(3, 3)...)
	g.create(out.name, out.config(topic))
	g.create(source, in.config(topic).with("topic.creation.default.partitions", "1"))
	g.fails(out.name, "FAILED", topic, "partition", "offset", `key "gone"`, "tombstone")
	// Its user drops such records.
	g.change(out.name, out.config(topic).with(
		"transforms", "live", "transforms.live.type", "Filter", "transforms.live.predicate", "dead",
		"predicates", "dead", "predicates.dead.type", "RecordIsTombstone"))
	g.getsAll(out, numbered(0, 6))
}
