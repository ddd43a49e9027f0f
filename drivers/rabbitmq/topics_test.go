package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/oms"
)

func TestTopicsThatManyMakeAtOnceAreMadeOnce(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const gateways, topics = 3, 4
	var made atomic.Int32
	var making sync.WaitGroup
	conns := make([]oms.Conn, gateways)
	for g := range conns {
		conns[g] = b.open(t, "")
		making.Go(func() {
			admin := conns[g].(oms.TopicAdmin)
			for i := range topics {
				own := oms.TopicSpec{Name: fmt.Sprintf("at.once.%d.%d", g, i), Partitions: g + 1}
				if err := admin.CreateTopic(within(t), own); err != nil {
					t.Errorf("make %s: %v", own.Name, err)
				}
				switch err := admin.CreateTopic(within(t), oms.TopicSpec{Name: fmt.Sprintf("at.once.shared.%d", i), Partitions: 2}); {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, oms.ErrExists):
					t.Errorf("make what others make: %v", err)
				}
			}
		})
	}
	making.Wait()
	equal(t, "how often shared topics were made", made.Load(), int32(topics))
	infos, err := conns[0].(oms.TopicAdmin).Topics(within(t))
	must(t, err)
	var got, expected []string
	for _, info := range infos {
		if strings.HasPrefix(info.Name, "at.once.") {
			got = append(got, fmt.Sprint(info.Name, " ", info.Partitions))
		}
	}
	for i := range topics {
		expected = append(expected, fmt.Sprintf("at.once.shared.%d 2", i))
		for g := range gateways {
			expected = append(expected, fmt.Sprintf("at.once.%d.%d %d", g, i, g+1))
		}
	}
	slices.Sort(expected)
	equal(t, "topics", got, expected)
}

func TestTopicsAreListedWhileOthersAreDeleted(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	for _, options := range []string{"", "?queue.type=stream"} {
		admin, other := b.open(t, options).(oms.TopicAdmin), b.open(t, options).(oms.TopicAdmin)
		name := "fleeting" + strings.ReplaceAll(options, "?", ".")
		over := make(chan struct{})
		var changing sync.WaitGroup
		changing.Go(func() {
			defer close(over)
			for range 30 {
				err := other.CreateTopic(within(t), oms.TopicSpec{Name: name, Partitions: 2})
				if err = errors.Join(err, other.DeleteTopic(within(t), name)); err != nil {
					t.Errorf("make and delete %s: %v", name, err)
				}
			}
		})
		for isOver := false; !isOver; {
			if _, err := admin.Topics(within(t)); err != nil {
				t.Errorf("list topics with %q while others are deleted: %v", options, err)
			}
			select {
			case <-over:
				isOver = true
			default:
			}
		}
		changing.Wait()
		infos, err := admin.Topics(within(t))
		must(t, err)
		if slices.ContainsFunc(infos, func(i oms.TopicInfo) bool { return i.Name == name }) {
			t.Errorf("%s is listed and was deleted", name)
		}
	}
}

// exists reports whether a queue is there.
func exists(t *testing.T, conn *amqp.Connection, queue string) bool {
	t.Helper()
	ch, err := conn.Channel()
	must(t, err)
	_, err = ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil && !strings.Contains(err.Error(), "NOT_FOUND") {
		t.Fatal(err)
	}
	return err == nil
}

func TestDeletingAGroupTakesAllItsQueuesAlong(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := b.open(t, "")
	_, conn, err := b.dial()
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // the broker ends it otherwise
	const topic, group = "shrinking", "deleted"
	makeTopic(t, c, topic, 3)
	ensure(t, c, group, topic)
	ensure(t, c, group, topic) // again changes nothing
	must(t, c.(oms.TopicAdmin).DeleteTopic(within(t), topic))
	for p := range 3 {
		if name := fmt.Sprintf("%s:%s:%d", group, topic, p); !exists(t, conn, name) {
			t.Errorf("queue %s went with the topic, and what it held", name)
		}
	}
	makeTopic(t, c, topic, 1)
	must(t, c.(oms.GroupAdmin).DeleteGroup(within(t), group, []string{topic}))
	for p := range 3 {
		if name := fmt.Sprintf("%s:%s:%d", group, topic, p); exists(t, conn, name) {
			t.Errorf("queue %s is left", name)
		}
	}
	must(t, c.(oms.GroupAdmin).DeleteGroup(within(t), group, []string{topic, "missing"})) // there is nothing left to delete
}

func TestNativeProgramsChooseAPartitionByRoutingKey(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, partitions = "partitioned", "partitioners", 4
	makeTopic(t, c, topic, partitions)
	queue := func(p int) string { return fmt.Sprintf("natively:%d", p) }
	for p := range partitions {
		_, err := ch.QueueDeclare(queue(p), true, false, false, false, nil)
		must(t, err)
		must(t, ch.QueueBind(queue(p), fmt.Sprint(p), topic, false, nil))
	}
	for _, key := range []string{"", "a", "customer-1", "customer-2", "\xff\x00"} {
		must(t, outcome(t, start(t, sender(t, c), &oms.Message{Topic: topic, Key: []byte(key), Body: []byte(key)})))
		d := get(t, ch, queue(murmur2.Partition([]byte(key), partitions)))
		equal(t, "body", string(d.Body), key)
	}
	ensure(t, c, group, topic)
	for p := range partitions {
		must(t, publish(within(t), ch, topic, fmt.Sprint(p), amqp.Publishing{Body: fmt.Append(nil, p)}))
		until(t, "a message in the partition", func() bool { return ready(t, ch, fmt.Sprintf("%s:%s:%d", group, topic, p)) == 1 })
	}
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	got := bodies(receive(t, r, partitions))
	slices.Sort(got)
	equal(t, "bodies", got, []string{"0", "1", "2", "3"})
}

// With one partition a second member waits until the first has left.
func TestAPartitionHasOneMemberAtATime(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const topic, group = "in.line", "standing"
	c := b.open(t, "")
	ensure(t, c, group, topic)
	cfg := oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnacked: 2}
	first := receiver(t, c, cfg)
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 6)...)))
	msgs := receive(t, first, 2)
	second := receiver(t, b.open(t, ""), cfg)
	until(t, "a second member", func() bool {
		members, err := c.(oms.GroupAdmin).Members(within(t), group, nil)
		must(t, err)
		return len(members) == 2
	})
	must(t, first.Ack(within(t), msgs))
	equal(t, "what the first one gets beside the second", bodies(receive(t, first, 2)), []string{"2", "3"})
	must(t, first.Close(within(t)))
	equal(t, "what the second one gets", bodies(receive(t, second, 2)), []string{"2", "3"})
}

func TestMembersCompeteWithoutOrdering(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const topic, group = "competing", "rivals"
	c := b.open(t, "?ordering=none&topic.creation.default.partitions=5")
	ensure(t, c, group, topic)
	cfg := oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnacked: 2}
	rivals := []oms.Receiver{receiver(t, c, cfg), receiver(t, b.open(t, "?ordering=none"), cfg)}
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 20)...)))
	var all []string
	for _, r := range rivals { // each holds two, so the other has to have the next
		all = append(all, bodies(receive(t, r, 2))...)
	}
	slices.Sort(all)
	equal(t, "bodies", len(slices.Compact(all)), 4)
}

func TestTheNextHostIsTried(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := openAt(t, parse(t, "oms:rabbitmq://127.0.0.1:1,[::1]:1,"+b.AddrOf(servers.Plain)+"/"))
	must(t, c.Check(within(t)))
	id, err := c.(oms.Identifier).Identity(within(t))
	must(t, err)
	text, err := b.ask(within(t), http.MethodGet, nil, "cluster-name")
	must(t, err)
	equal(t, "the identity", fmt.Sprintf(`{"name":%q}`, id), string(text))
}

// A queue that is full refuses, and what it refuses is no more lost than what
// has no queue.
func TestAQueueThatIsFullMakesItsSendersWait(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, queue = "overflowing", "slow", "slow:overflowing:0"
	makeTopic(t, c, topic, 1)
	_, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"})
	must(t, err)
	ensure(t, c, group, topic)
	s := sender(t, c)
	i := 0
	until(t, "a queue that is full", func() bool {
		err = outcome(t, start(t, s, numbered(topic, i, i+1)...))
		if err == nil {
			i++
		}
		return err != nil
	})
	want(t, "sending to it", err, oms.ErrBusy)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	must(t, r.Ack(within(t), receive(t, r, i)))
	until(t, "sending when there is room", func() bool { return follow(t, s, numbered(topic, i, i+1)...) == nil })
	equal(t, "what comes then", bodies(receive(t, r, 1)), []string{fmt.Sprint(i)})
}

func TestAQueueThatOthersDeleteIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group = "vanishing", "persistent"
	ensure(t, c, group, topic)
	var revoked atomic.Int32
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, OnRevoked: func(_ context.Context, ps []oms.Partition) { revoked.Add(int32(len(ps))) }})
	s := sender(t, c)
	must(t, outcome(t, start(t, s, numbered(topic, 0, 1)...)))
	old := receive(t, r, 1)
	_, err := ch.QueueDelete(group+":"+topic+":0", false, false, false)
	must(t, err)
	until(t, "sending to a new queue", func() bool { return follow(t, s, numbered(topic, 1, 2)...) == nil })
	equal(t, "what comes by it", bodies(receive(t, r, 1)), []string{"1"})
	equal(t, "partitions that went meanwhile", revoked.Load(), int32(1))
	want(t, "acknowledging what went with the queue", r.Ack(within(t), old), oms.ErrStaleDelivery)
}
