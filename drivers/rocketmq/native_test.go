package rocketmq_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// Programs that know nothing of this driver, on the other side of a broker
// that makes topics by itself.
func TestNativePrograms(t *testing.T) {
	b := startBroker(t, servers.Config("autoCreateTopicEnable", "true"))
	native := newBare(t, b)
	for name, test := range map[string]func(*testing.T, *broker, *bare){
		"see natural messages":              sendsNaturally,
		"have natural messages received":    receivesNaturally,
		"are not steered by headers":        steersNothing,
		"delay what the driver receives":    receivesDelayed,
		"compress what the driver receives": receivesCompressed,
		"find nothing in %DLQ%":             keepsOutOfDLQ,
		"find no topic made by accident":    makesNoTopic,
		"have namespaces":                   keepsToItsNamespace,
		"need few permissions":              needsFewPermissions,
		"filter by what the driver tags":    tagsForFilters,
		"have tags that become a header":    receivesTags,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, b, native) })
	}
}

func sendsNaturally(t *testing.T, b *broker, native *bare) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "orders.eu", 1)
	before := time.Now().Add(-time.Second)
	must(t, sendAll(t, c,
		&oms.Message{
			Topic: "orders.eu", ID: "my-id", Key: []byte("k1"), Body: []byte("text"),
			Headers: oms.Headers{{Name: "plain", Value: []byte("value")}, {Name: "binary", Value: []byte{0, 1, 255}}, {Name: "null"}},
		},
		&oms.Message{Topic: "orders.eu", Key: []byte{0xff, 0}, Body: nil},
	))
	got := native.all(t, "orders|2Eeu", 2)
	first, second := got[0], got[1]
	if string(first.Body) != "text" || first.GetKeys() != "k1" || first.GetProperty("plain") != "value" || first.GetTags() != "" {
		t.Errorf("a program sees body %q, keys %q, tags %q and plain=%q", first.Body, first.GetKeys(), first.GetTags(), first.GetProperty("plain"))
	}
	if at := time.UnixMilli(first.BornTimestamp); at.Before(before) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("it was born at %v, which is not now", at)
	}
	if id := first.GetProperty(primitive.PropertyUniqueClientMessageIdKeyIndex); id == "" || id == "my-id" || id == second.MsgId {
		t.Errorf("UNIQ_KEY is %q, want one for each sending", id)
	}
	for _, name := range []string{"binary", "null"} {
		if _, there := first.GetProperties()[name]; there {
			t.Errorf("header %s is a property, which cannot carry it", name)
		}
	}
	if string(second.Body) != "-" || second.GetKeys() != "" {
		t.Errorf("a tombstone with a binary key has body %q and keys %q, want - and none", second.Body, second.GetKeys())
	}
}

func receivesNaturally(t *testing.T, b *broker, native *bare) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "foreign", 1)
	before := time.Now().Add(-time.Second)
	m := primitive.NewMessage("foreign", []byte{0xff, 'x'}).WithTag("red").WithKeys([]string{"k1"})
	m.WithProperty("shop", "7")
	must(t, native.send(within(t), m))
	got := receiveAll(t, c, "natural", "foreign", 1)[0]
	want := oms.Headers{{Name: "TAGS", Value: []byte("red")}, {Name: "shop", Value: []byte("7")}}
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if string(got.Key) != "k1" || string(got.Body) != "\xffx" || got.BornAt.Before(before) || got.BornAt.After(time.Now().Add(time.Second)) {
		t.Errorf("key %q, body %q, born at %v", got.Key, got.Body, got.BornAt)
	}
}

func steersNothing(t *testing.T, b *broker, native *bare) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "steered", 1)
	var hs oms.Headers
	for name, value := range map[string]string{
		"DELAY": "18", "TIMER_DELIVER_MS": "99999999999999", "RETRY_TOPIC": "elsewhere", "REAL_TOPIC": "elsewhere", "REAL_QID": "5",
		"TRAN_MSG": "true", "TAGS": "blue", "KEYS": "forged", "UNIQ_KEY": "forged", "MSG_TYPE": "reply",
	} {
		hs = append(hs, oms.Header{Name: name, Value: []byte(value)})
	}
	slices.SortFunc(hs, func(a, b oms.Header) int { return strings.Compare(a.Name, b.Name) })
	must(t, sendAll(t, c, &oms.Message{Topic: "steered", Body: []byte("x"), Headers: hs}))
	stored := native.all(t, "steered", 1)[0]
	for _, h := range hs {
		if v := stored.GetProperty(h.Name); v == string(h.Value) {
			t.Errorf("the header %s is a command to the broker", h.Name)
		}
	}
	got := receiveAll(t, c, "steered", "steered", 1)[0]
	if diff := cmp.Diff(hs, got.Headers); diff != "" {
		t.Errorf("headers (-sent +received):\n%s", diff)
	}
}

func receivesDelayed(t *testing.T, b *broker, native *bare) {
	t.Helper()
	c := b.open(t, "?delay=timer")
	makeTopic(t, c, "delayed", 1)
	due := time.Now().Add(2 * time.Second)
	must(t, native.send(within(t), primitive.NewMessage("delayed", []byte("level")).WithDelayTimeLevel(1)))
	must(t, native.send(within(t), primitive.NewMessage("delayed", []byte("time")).WithDelayTimestamp(due)))
	must(t, sendAll(t, c, &oms.Message{Topic: "delayed", Body: []byte("ours"), Delay: time.Second}))
	var bodies []string
	for _, m := range receiveAll(t, c, "delayed", "delayed", 3) {
		bodies = append(bodies, string(m.Body))
	}
	slices.Sort(bodies)
	if diff := cmp.Diff([]string{"level", "ours", "time"}, bodies); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func receivesCompressed(t *testing.T, b *broker, native *bare) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "compressed", 1)
	body := []byte(strings.Repeat("compress me ", 1000))
	m := primitive.NewMessage("compressed", body)
	m.Compress, m.CompressedBody = true, zlibbed(t, body)
	must(t, native.send(within(t), m))
	if got := receiveAll(t, c, "compressed", "compressed", 1)[0]; string(got.Body) != string(body) {
		t.Errorf("a compressed body of %d bytes arrives with %d", len(body), len(got.Body))
	}
}

func keepsOutOfDLQ(t *testing.T, b *broker, _ *bare) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "refused", 1)
	must(t, sendAll(t, c, &oms.Message{Topic: "refused", Body: []byte("x")}))
	r, err := c.OpenReceiver(within(t), oms.ReceiverConfig{Group: "refusing", Topics: []string{"refused"}})
	must(t, err)
	for range 20 { // a push consumer gives up after 16
		msgs, err := r.Receive(within(t), 1)
		must(t, err)
		must(t, r.(oms.Nacker).Nack(within(t), msgs))
	}
	must(t, r.Close(within(t)))
	if topics := topicsOf(t, b); slices.Contains(topics, "%DLQ%refusing") {
		t.Errorf("there is a %%DLQ%% topic among %q", topics)
	}
}

func makesNoTopic(t *testing.T, b *broker, _ *bare) {
	t.Helper()
	c := b.open(t, "")
	if err := sendAll(t, c, &oms.Message{Topic: "never-made", Body: []byte("x")}); oms.CodeOf(oms.FailureOf(err, 0)) != oms.ErrNotFound {
		t.Errorf("a missing topic: %v, want ErrNotFound", err)
	}
	// One that the driver has just sent to, and another deletes.
	makeTopic(t, c, "deleted", 1)
	must(t, sendAll(t, c, &oms.Message{Topic: "deleted", Body: []byte("x")}))
	other := b.open(t, "")
	must(t, other.(oms.TopicAdmin).DeleteTopic(within(t), "deleted"))
	if err := sendAll(t, c, &oms.Message{Topic: "deleted", Body: []byte("y")}); err == nil {
		t.Error("a message to a deleted topic is confirmed")
	}
	for _, name := range []string{"never-made", "deleted"} {
		if topics := topicsOf(t, b); slices.Contains(topics, name) {
			t.Errorf("sending has made the topic %s", name)
		}
	}
}

func keepsToItsNamespace(t *testing.T, b *broker, native *bare) {
	t.Helper()
	c := b.open(t, "space")
	makeTopic(t, c, "spaced", 1)
	must(t, sendAll(t, c, &oms.Message{Topic: "spaced", Body: []byte("x")}))
	if got := native.all(t, "space%spaced", 1)[0]; string(got.Body) != "x" {
		t.Errorf("in the namespace's topic is %q", got.Body)
	}
	if got := receiveAll(t, c, "spaced", "spaced", 1)[0]; string(got.Body) != "x" || got.Topic != "spaced" {
		t.Errorf("from topic %s comes %q", got.Topic, got.Body)
	}
	infos, err := c.(oms.TopicAdmin).Topics(within(t))
	must(t, err)
	if diff := cmp.Diff([]oms.TopicInfo{{Name: "spaced", Partitions: 1}}, infos); diff != "" {
		t.Errorf("the topics of the namespace (-want +got):\n%s", diff)
	}
}

// The permissions that docs/brokers/rocketmq.md names are enough.
func needsFewPermissions(t *testing.T, b *broker, _ *bare) {
	t.Helper()
	makeTopic(t, b.open(t, ""), "permitted", 1)
	must(t, b.admit("clerk-key", "clerk-secret", `    admin: false
    defaultTopicPerm: DENY
    defaultGroupPerm: DENY
    topicPerms:
      - permitted=PUB|SUB
    groupPerms:
      - connect-clerk=SUB
      - omconnect-reader=SUB
`))
	c := openAt(t, parse(t, b.point("clerk-key:clerk-secret", "")))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); c.Check(ctx) != nil; <-tick.C {
		must(t, ctx.Err())
	}
	must(t, sendAll(t, c, &oms.Message{Topic: "permitted", Body: []byte("x")}))
	receiveAll(t, c, "connect-clerk", "permitted", 1)
	s := openHalf(t, c, "clerks", newJury(map[string][]oms.Verdict{"half": {oms.Commit}}).check)
	sendHalf(t, s, &oms.Message{Topic: "permitted", Body: []byte("half")}, oms.Commit)
	receiveAll(t, c, "connect-clerk", "permitted", 1)
	if err := c.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: "forbidden"}); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("make a topic: %v, want ErrDenied", err)
	}
	r, err := c.OpenReceiver(within(t), oms.ReceiverConfig{Group: "connect-other", Topics: []string{"permitted"}})
	must(t, err)
	if _, err := r.Receive(within(t), 1); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("receive as another group: %v, want ErrDenied", err)
	}
	must(t, r.Close(within(t)))
}

// topicsOf asks the name server for all topics, those of groups too.
func topicsOf(t *testing.T, b *broker) []string {
	t.Helper()
	a, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver([]string{b.Addr()})))
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	list, err := a.FetchAllTopicList(ctx)
	must(t, err)
	return list.TopicList
}
