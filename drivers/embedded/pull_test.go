package embedded_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// TestABusyReceiverAsksForMuchAtATime listens to a receiver's requests, which
// must not stay as small as they begin.
func TestABusyReceiverAsksForMuchAtATime(t *testing.T) {
	c, topic := setup(t, 1)
	sendAll(t, c, numbered(topic, 0, 5000))
	nc := native(t, dirOf(t, c))
	requests, err := nc.SubscribeSync("$JS.API.CONSUMER.MSG.NEXT.t-0.g")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	m := openMember(t, c, group("g")) // 1,000 unacknowledged at most
	ctx := testContext(t)
	for got := 0; got < 5000; {
		msgs, err := m.Receive(ctx, 100)
		if err != nil {
			t.Fatalf("after %d messages: %v", got, err)
		}
		got += len(msgs)
		if err := m.Ack(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	// The requests that were met came before the messages.
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	n, _, err := requests.Pending()
	if err != nil {
		t.Fatal(err)
	}
	largest := 0
	for range n {
		request, err := requests.NextMsg(bound)
		if err != nil {
			t.Fatal(err)
		}
		var asked struct {
			Batch int `json:"batch"`
		}
		if err := json.Unmarshal(request.Data, &asked); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, asked.Batch)
	}
	if largest < 250 { // a quarter of what may be unacknowledged
		t.Errorf("the largest of %d requests was for %d messages", n, largest)
	}
}

// TestAReceiverGoesOnWhereItsBytesAreUsedUp has requests end by their bytes all
// the time, to the byte as well: messages of NATS programs have no headers, and
// most of them are of one size. Nothing looks after requests in between.
func TestAReceiverGoesOnWhereItsBytesAreUsedUp(t *testing.T) {
	const partitions, each = 3, 1500
	c, _ := setup(t, partitions)
	embedded.Hurry(c, 0, time.Hour, 0)
	nc := native(t, dirOf(t, c))
	js, err := nc.JetStream(nats.PublishAsyncMaxPending(200))
	if err != nil {
		t.Fatal(err)
	}
	for range each {
		for _, subject := range []string{"t.0", "t.1", "t.2"} {
			if _, err := js.PublishAsync(subject, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-js.PublishAsyncComplete()
	g := group("g")
	g.MaxUnackedBytes = 40_000
	m := openMember(t, c, g)
	next := [partitions]int64{1, 1, 1}
	ctx := testContext(t)
	for got := 0; got < partitions*each; {
		msgs, err := m.Receive(ctx, 50)
		if err != nil {
			t.Fatalf("after %d messages: %v", got, err)
		}
		for _, msg := range msgs {
			if msg.Offset != next[msg.Partition] {
				t.Fatalf("partition %d: %d comes, want %d", msg.Partition, msg.Offset, next[msg.Partition])
			}
			next[msg.Partition]++
		}
		got += len(msgs)
		if err := m.Ack(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAReceiverThatKeepsItsDistanceComesToTheEnd reads much at once, and then
// what is sent meanwhile: wherever a trail begins and ends, everything comes.
func TestAReceiverThatKeepsItsDistanceComesToTheEnd(t *testing.T) {
	c, topic := setup(t, 1)
	const before, meanwhile = 400, 200
	batch := func(from, n int) []*oms.Message {
		msgs := numbered(topic, from, n)
		for _, m := range msgs {
			m.Body = append(m.Body, make([]byte, 64<<10)...)
		}
		return msgs
	}
	sendAll(t, c, batch(0, before))
	m := openMember(t, c, group("g"))
	ctx := testContext(t)
	next := int64(1)
	read := func(last int64) { // or some more
		for next <= last {
			msgs, err := m.Receive(ctx, 20)
			if err != nil {
				t.Fatalf("before %d: %v", next, err)
			}
			for _, msg := range msgs {
				if msg.Offset != next {
					t.Fatalf("%d comes, want %d", msg.Offset, next)
				}
				next++
			}
			if err := m.Ack(ctx, msgs); err != nil {
				t.Fatal(err)
			}
		}
	}
	read(before / 2)
	s := openSender(t, c, oms.SenderConfig{})
	outcome := make(chan error, 1)
	s.SendAsync(ctx, batch(before, meanwhile), func(err error) { outcome <- err })
	read(before + meanwhile)
	if err := <-outcome; err != nil {
		t.Error(err)
	}
	m.none(t, 50*time.Millisecond)
}

func TestEverythingThatMayBeHeldIsAskedFor(t *testing.T) {
	t.Parallel()
	c := openConn(t, pointOf(t.TempDir()))
	// Nothing but receiving asks for more: requests were once forgotten until
	// held messages were extended.
	embedded.Hurry(c, 0, time.Hour, 0)
	if err := c.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered("t", 0, oms.DefaultMaxUnacked))
	m := openMember(t, c, group("g"))
	if got := m.get(t, oms.DefaultMaxUnacked); len(got) != oms.DefaultMaxUnacked {
		t.Errorf("%d messages came without an acknowledgement, want %d", len(got), oms.DefaultMaxUnacked)
	}
}
