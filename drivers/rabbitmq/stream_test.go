package rabbitmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

const asStream = "?queue.type=stream"

// begin makes a group that begins at the first message.
func begin(t *testing.T, c oms.Conn, group, topic string) {
	t.Helper()
	must(t, c.(oms.GroupAdmin).EnsureGroup(within(t), group, []string{topic}, oms.Start{From: oms.StartEarliest}))
}

// consume receives and acknowledges n messages as a member of its own.
func consume(t *testing.T, c oms.Conn, group, topic string, n int) []*oms.Message {
	t.Helper()
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	msgs := receive(t, r, n)
	must(t, r.Ack(within(t), msgs))
	must(t, r.Close(within(t)))
	return msgs
}

func TestAPartitionIsOneStreamForAllGroups(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream+"&retention.ms=3600000&retention.bytes=1000000000&segment.bytes=1000000"), b.native(t)
	const topic = "streams.shared"
	makeTopic(t, c, topic, 2)
	equal(t, "arguments of a stream", b.arguments(t, "oms.stream:"+topic+":1"), map[string]any{
		"x-queue-type": "stream", "x-max-age": "3600s", "x-max-length-bytes": float64(1e9), "x-stream-max-segment-size-bytes": float64(1e6),
	})
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 10)...))) // without a key: to one partition
	must(t, publish(within(t), ch, topic, "1", amqp.Publishing{Body: []byte("native"), Headers: amqp.Table{"a": "b"}}))
	for _, group := range []string{"streams.one", "streams.two"} {
		begin(t, c, group, topic)
		msgs := consume(t, c, group, topic, 11)
		native := 0
		for _, m := range msgs {
			if string(m.Body) == "native" {
				native++
				equal(t, "the headers of a native message", m.Headers, oms.Headers{{Name: "a", Value: []byte("b")}})
				equal(t, "its partition", m.Partition, 1)
			}
			if m.Deliveries != 0 {
				t.Errorf("message %s says that it is delivered %d times, which nobody counts", m.Body, m.Deliveries)
			}
		}
		equal(t, "how often the native message came", native, 1)
	}
	// A native program sees what the driver sent.
	must(t, ch.Qos(20, 0, false))
	in, err := ch.Consume("oms.stream:"+topic+":0", "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	must(t, err)
	d := <-in
	equal(t, "what a native program reads", string(d.Body), "0")
}

// Deliveries that retention removed before they were read are a gap, wherever
// the group stands.
func TestWhatRetentionRemovedIsAGap(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream+"&retention.bytes=40000&segment.bytes=20000")
	const topic, group = "streams.short", "of-short-streams"
	begin(t, c, group, topic)
	s := sender(t, c)
	must(t, outcome(t, start(t, s, numbered(topic, 0, 5)...)))
	read := consume(t, c, group, topic, 3)
	finder, at := c.(oms.OffsetFinder), oms.Partition{Topic: topic}
	sent, first := 5, int64(0)
	until(t, "removing what is old", func() bool {
		var msgs []*oms.Message
		for range 20 {
			msgs = append(msgs, &oms.Message{Topic: topic, Body: fmt.Appendf(nil, "%d %s", sent, bytes.Repeat([]byte("x"), 1000))})
			sent++
		}
		must(t, outcome(t, start(t, s, msgs...)))
		offsets, err := finder.Offsets(within(t), []string{topic}, oms.Start{})
		must(t, err)
		first = offsets[at]
		return first > 10
	})
	var mu sync.Mutex
	var gaps []oms.Gap
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, OnGap: func(g oms.Gap) {
		mu.Lock()
		defer mu.Unlock()
		gaps = append(gaps, g)
	}})
	m := receive(t, r, 1)[0]
	mu.Lock()
	defer mu.Unlock()
	// Retention may go on: there are two gaps then, one behind the other.
	due := read[2].Offset + 1
	for _, g := range gaps {
		if g.Partition != at || g.From != due || g.To <= due {
			t.Errorf("the gaps are %v, and begin at %d; one is from %d on", gaps, read[2].Offset+1, due)
		}
		due = g.To
	}
	if due < first || due > m.Offset || m.Offset > due+1 { // one may be the broker's own
		t.Errorf("the gaps are %v, the stream begins at %d or later, and the next message is at %d", gaps, first, m.Offset)
	}
}

// A stream that is deleted by hand is made again, and nobody is told but by
// that gap: the offsets of the new one begin at 0.
func TestAStreamThatWasDeletedIsAGap(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream), b.native(t)
	const topic, group = "streams.deleted", "of-deleted-streams"
	begin(t, c, group, topic)
	s := sender(t, c)
	must(t, outcome(t, start(t, s, numbered(topic, 0, 5)...)))
	gaps := make(chan oms.Gap, 5)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, OnGap: func(g oms.Gap) { gaps <- g }})
	must(t, r.Ack(within(t), receive(t, r, 5)))
	_, err := ch.QueueDelete("oms.stream:"+topic+":0", false, false, false)
	must(t, err)
	select {
	case g := <-gaps:
		equal(t, "the gap", g, oms.Gap{Partition: oms.Partition{Topic: topic}, From: 5, To: 0})
	case <-within(t).Done():
		t.Fatal("there is no gap")
	}
	must(t, outcome(t, start(t, s, numbered(topic, 5, 10)...)))
	got := receive(t, r, 5)
	equal(t, "what comes of the new stream", bodies(got), bodies(numbered(topic, 5, 10)))
	must(t, r.Ack(within(t), got))
	must(t, r.Flush(within(t)))
}

// Its offsets begin anew, and so do its groups.
func TestATopicThatIsMadeAnewHasNoPositions(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.anew", "of-new-streams"
	begin(t, c, group, topic)
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 5)...)))
	consume(t, c, group, topic, 5)
	at := oms.Partition{Topic: topic}
	positions, err := c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
	must(t, err)
	equal(t, "positions behind all", positions, map[oms.Partition]int64{at: 5})
	must(t, c.(oms.TopicAdmin).DeleteTopic(within(t), topic))
	remake(t, c, topic, 1)
	positions, err = c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
	must(t, err)
	equal(t, "positions in the new topic", positions, map[oms.Partition]int64{})
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 10, 20)...)))
	got := consume(t, c, group, topic, 10)
	equal(t, "what the group gets of the new topic", bodies(got), bodies(numbered(topic, 10, 20)))
	must(t, c.(oms.GroupAdmin).DeleteGroup(within(t), group, []string{topic}))
	lag, err := c.(oms.LagReporter).Lag(within(t), group, []string{topic})
	must(t, err)
	equal(t, "the lag of a group that was deleted", lag, map[oms.Partition]int64{at: 10})
}

func TestAcknowledgementsOutOfOrderKeepTheConsumer(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group, n = "streams.shuffled", "of-shuffled-streams", 40
	begin(t, c, group, topic)
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, n)...)))
	revoked := make(chan []oms.Partition, 1)
	r := receiver(t, c, oms.ReceiverConfig{
		Topics: []string{topic}, Group: group, MaxUnacked: 8,
		OnRevoked: func(_ context.Context, ps []oms.Partition) { revoked <- ps },
	})
	for range n / 8 {
		msgs := receive(t, r, 8)
		for _, i := range []int{5, 3, 4, 7, 1, 0, 2, 6} {
			must(t, r.Ack(within(t), msgs[i:i+1]))
		}
		must(t, r.Flush(within(t)))
		positions, err := c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
		must(t, err)
		equal(t, "positions", positions, map[oms.Partition]int64{{Topic: topic}: msgs[7].Offset + 1})
	}
	select {
	case ps := <-revoked:
		t.Errorf("%v went away", ps)
	default:
	}
}

// The prefetch is in messages, and fits those of 32 KiB until larger ones come.
func TestLargeMessagesOfStreamsStayUnderTheBound(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group, n, size = "streams.large", "of-large-streams", 24, 200 << 10
	begin(t, c, group, topic)
	s := sender(t, c)
	for i := range n {
		must(t, outcome(t, start(t, s, &oms.Message{Topic: topic, Body: append(fmt.Appendf(nil, "%d ", i), make([]byte, size)...)})))
	}
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnackedBytes: 3*size + size/2})
	for i := 0; i < n; {
		msgs, err := r.Receive(within(t), 100)
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		more, err := r.Receive(ctx, 100) // as much as comes
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if msgs = append(msgs, more...); len(msgs) > 3 {
			t.Fatalf("%d messages are out, the bound in bytes allows 3", len(msgs))
		}
		for _, m := range msgs {
			if !strings.HasPrefix(string(m.Body[:10]), fmt.Sprint(i, " ")) {
				t.Fatalf("message %.5q comes where %d is due", m.Body, i)
			}
			i++
		}
		must(t, r.Ack(within(t), msgs))
	}
}

// A reading is a member of a group of a stream that outlives its broker.
type reading struct {
	sender   oms.Sender
	receiver oms.Receiver
}

const readTopic = "streams.kept"

// startReading sends ten messages and has five of them done with, and one in
// hand.
func startReading(t *testing.T, b *broker) reading {
	t.Helper()
	c := openAt(t, parse(t, "oms:rabbitmq://"+b.AddrOf(servers.Plain)+"/"+asStream))
	begin(t, c, "of-kept-streams", readTopic)
	r := reading{sender(t, c), receiver(t, c, oms.ReceiverConfig{Topics: []string{readTopic}, Group: "of-kept-streams"})}
	must(t, outcome(t, start(t, r.sender, numbered(readTopic, 0, 10)...)))
	msgs := receive(t, r.receiver, 6)
	must(t, r.receiver.Ack(within(t), msgs[:5]))
	must(t, r.receiver.Flush(within(t)))
	return r
}

// goOn sends ten more, and fails unless all that was not done with comes.
func (r reading) goOn(t *testing.T) {
	t.Helper()
	until(t, "sending to the broker that is back", func() bool {
		return follow(t, r.sender, numbered(readTopic, 10, 20)...) == nil
	})
	var firsts []string // an attempt whose outcome is unknown may have stored some
	for seen := make(map[string]bool); !seen["19"]; {
		got := receive(t, r.receiver, 1)
		if err := r.receiver.Ack(within(t), got); !errors.Is(err, oms.ErrStaleDelivery) { // of a session that ended with the broker
			must(t, err)
		}
		if body := string(got[0].Body); !seen[body] {
			seen[body] = true
			firsts = append(firsts, body)
		}
	}
	equal(t, "what comes after a restart", firsts, bodies(numbered(readTopic, 5, 20)))
	must(t, r.receiver.Flush(within(t)))
}
