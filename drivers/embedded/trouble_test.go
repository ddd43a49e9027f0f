package embedded_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

func TestADeliveryThatWentAstrayComesBackInOrder(t *testing.T) {
	c, topic := setup(t, 1)
	// Nothing comes behind the last messages that would show that they are
	// missing: those the broker has to offer again.
	embedded.Hurry(c, 2*time.Second, 0, 0)
	m := openMember(t, c, group("g"))
	m.await(t, 1)
	// A NATS program pulls from the group's consumer, and keeps what it gets.
	nc := native(t, dirOf(t, c))
	thief, err := nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered(topic, 0, 1))
	if err := m.Ack(t.Context(), m.get(t, 1)); err != nil {
		t.Fatal(err)
	}
	for range 40 { // the member's own request of 32 stands before
		if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.t-0.g", thief.Subject, []byte(`{"batch":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	sendAll(t, c, numbered(topic, 1, 100))
	ctx := testContext(t)
	next := 1
	for next <= 100 {
		msgs, err := m.Receive(ctx, 10)
		if err != nil {
			t.Fatalf("after %d: %v", next-1, err)
		}
		for _, msg := range msgs {
			n, _ := strconv.Atoi(string(msg.Body))
			if n > next {
				t.Fatalf("%d comes before %d", n, next)
			}
			if n == next {
				next++
			}
		}
		if err := m.Ack(ctx, msgs); err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
			t.Fatal(err)
		}
	}
}

func TestMessagesThatAgeAreAGapToWhoDidNotReadThem(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 1, "retention.ms", "600000")
	js, err := native(t, dirOf(t, c)).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	age := func(from, to time.Duration) { // once the test has what it needs, however slow it is
		t.Helper()
		info, err := js.StreamInfo("t-0")
		if err != nil {
			t.Fatal(err)
		}
		if info.Config.MaxAge != from {
			t.Errorf("messages are kept for %v, want %v", info.Config.MaxAge, from)
		}
		info.Config.MaxAge = to
		if _, err := js.UpdateStream(&info.Config); err != nil {
			t.Fatal(err)
		}
	}
	g := group("g")
	g.MaxUnacked = 1
	m := openMember(t, c, g)
	m.await(t, 1)
	sendAll(t, c, numbered(topic, 0, 5))
	first := m.get(t, 1)
	ctx := testContext(t)
	age(10*time.Minute, time.Second)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C { // until what was sent is gone
		lag, err := c.(oms.LagReporter).Lag(ctx, "fresh", []string{topic})
		if err != nil {
			t.Fatal(err)
		}
		if lag[oms.Partition{Topic: topic}] == 0 {
			break
		}
	}
	age(time.Second, 10*time.Minute)
	sendAll(t, c, numbered(topic, 5, 1))
	if err := m.Ack(ctx, first); err != nil {
		t.Fatal(err)
	}
	if got := m.get(t, 1)[0]; string(got.Body) != "5" || got.Offset != 6 {
		t.Errorf("got %s at %d", got.Body, got.Offset)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	want := []oms.Gap{{Partition: oms.Partition{Topic: topic}, From: 2, To: 6}}
	if diff := cmp.Diff(want, m.gaps); diff != "" {
		t.Errorf("gaps: %s", diff)
	}
}

func TestABrokerThatHoldsItsShareIsFull(t *testing.T) {
	c, topic := setup(t, 1, "retention.bytes", "1100000")
	s := openSender(t, c, oms.SenderConfig{})
	confirmed := 0
	err := fill(testContext(t), s, &confirmed)
	if !errors.Is(err, oms.ErrFull) || confirmed < 10 || confirmed > 40 {
		t.Errorf("after %d messages of 64 KiB: %v, want ErrFull", confirmed, err)
	}
	// Deleting makes room.
	admin := c.(oms.TopicAdmin)
	ctx := testContext(t)
	if err := admin.DeleteTopic(ctx, topic); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateTopic(ctx, oms.TopicSpec{Name: topic}); err != nil {
		t.Fatal(err)
	}
	for {
		outcome := make(chan error, 1)
		s.SendAsync(ctx, numbered(topic, 0, 1), func(err error) { outcome <- err })
		err := <-outcome
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
}

func TestAStrictBrokerConfirmsToo(t *testing.T) {
	c, topic := setup(t, 1, "durability", "strict")
	sendAll(t, c, numbered(topic, 0, 200))
	m := openMember(t, c, group("g"))
	msgs := m.get(t, 200)
	if err := m.Ack(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	if err := m.Flush(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestAPartitionThatCannotBeAssignedIsTriedAgain(t *testing.T) {
	c, topic := setup(t, 1)
	sendAll(t, c, numbered(topic, 0, 1))
	var calls atomic.Int64
	g := group("g")
	g.OnAssigned = func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
		if calls.Add(1) == 1 {
			return nil, &oms.Error{Op: "load", Code: oms.ErrUnavailable, Err: errors.New("the store is away")}
		}
		return nil, nil
	}
	m := openMember(t, c, g)
	if got := bodies(m.get(t, 1)); got[0] != "0" || calls.Load() != 2 {
		t.Errorf("got %v after %d calls", got, calls.Load())
	}
	// A failure that does not pass by itself is told.
	g.Group = "h"
	g.OnAssigned = func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
		return nil, &oms.Error{Op: "load", Code: oms.ErrFormat, Err: errors.New("the position is damaged")}
	}
	r, err := c.OpenReceiver(testContext(t), g)
	if err != nil {
		t.Fatal(err)
	}
	defer closeClient(t, r)
	if _, err := r.Receive(testContext(t), 1); !errors.Is(err, oms.ErrFormat) {
		t.Errorf("Receive: %v, want ErrFormat", err)
	}
}

func TestForeignStreamsAreLeftAlone(t *testing.T) {
	n := startNATS(t)
	nc, err := nats.Connect(n.server.ClientURL(), nats.UserInfo("user", n.password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	for name, subject := range map[string]string{"orders": "orders.>", "numbers-7": "numbers", "plain": "plain"} {
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t, n.point("right", ""))
	if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: "orders"}); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("a topic whose subject is taken: %v, want ErrInvalid", err)
	}
	createTopic(t, c, "mine", 2)
	infos, err := c.Topics(ctx)
	if diff := cmp.Diff([]oms.TopicInfo{{Name: "mine", Partitions: 2}}, infos); err != nil || diff != "" {
		t.Errorf("topics: %v %s", err, diff)
	}
	if err := c.DeleteTopic(ctx, "plain"); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("deleting a stream of somebody's: %v, want ErrNotFound", err)
	}
}
