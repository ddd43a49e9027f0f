package rabbitmq_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// sized returns messages with bodies of some size that begin with their number.
func sized(topic string, from, to, size int) []*oms.Message {
	msgs := numbered(topic, from, to)
	for i, m := range msgs {
		body := make([]byte, size)
		copy(body, fmt.Sprintf("%04d", from+i))
		m.Body = body
	}
	return msgs
}

// inOrder receives so many messages and fails unless each comes once and in its
// turn. All are acknowledged.
func inOrder(t *testing.T, r oms.Receiver, from, to int) {
	t.Helper()
	for i := from; i < to; {
		msgs, err := r.Receive(within(t), to-i)
		must(t, err)
		for _, m := range msgs {
			if got, want := string(m.Body[:4]), fmt.Sprintf("%04d", i); got != want {
				t.Fatalf("message %s comes where %s is due", got, want)
			}
			i++
		}
		must(t, r.Ack(within(t), msgs))
	}
}

// The prefetch of a bound of 1 MiB while messages are small.
const smallMessages = 32

func TestThePrefetchFollowsTheSizeOfMessagesBothWays(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, queue, n = "sizes", "following", "following:sizes:0", 1500
	ensure(t, c, group, topic)
	s := sender(t, c)
	must(t, outcome(t, start(t, s, sized(topic, 0, 2, 700<<10)...)))
	must(t, outcome(t, start(t, s, sized(topic, 2, n, 10)...)))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnackedBytes: 1 << 20})
	until(t, "giving back all but one", func() bool { return ready(t, ch, queue) == n-1 })
	const got = 1200 // more than twice what it takes to learn
	inOrder(t, r, 0, got)
	until(t, "taking as many as before", func() bool { return ready(t, ch, queue) == n-got-smallMessages })
	inOrder(t, r, got, n)
}

// Large messages come while many are delivered ahead: those that have no room
// come again, in their turn.
func TestLargeMessagesBehindSmallOnesComeOnceAndInOrder(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := b.open(t, "")
	const topic, group = "burst", "surprised"
	ensure(t, c, group, topic)
	s := sender(t, c)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnackedBytes: 1 << 20})
	must(t, outcome(t, start(t, s, sized(topic, 0, 20, 10)...)))
	must(t, outcome(t, start(t, s, sized(topic, 20, 60, 300<<10)...)))
	must(t, outcome(t, start(t, s, sized(topic, 60, 100, 10)...)))
	inOrder(t, r, 0, 100)
}

// Whoever keeps a small message until a large one comes that had no room is not
// left waiting: what is out goes back behind a hand-over.
func TestWhoeverWaitsForMoreWithMessagesInHandGetsIt(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, queue, n = "kept", "keeping", "keeping:kept:0", 3
	ensure(t, c, group, topic)
	s := sender(t, c)
	must(t, outcome(t, start(t, s, append(sized(topic, 0, 1, 10), sized(topic, 1, n, 600<<10)...)...)))
	var r oms.Receiver
	var kept []*oms.Message
	revoked := make(chan error, 1)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{
		Topics: []string{topic}, Group: group, MaxUnackedBytes: 1 << 20,
		OnRevoked: func(ctx context.Context, _ []oms.Partition) {
			select {
			case revoked <- r.Ack(ctx, kept):
			default: // when the test ends
			}
		},
	})
	must(t, err)
	msgs := receive(t, r, n-1)
	until(t, "having all messages in hand", func() bool {
		lag, err := c.(oms.LagReporter).Lag(within(t), group, []string{topic})
		must(t, err)
		return lag[oms.Partition{Topic: topic}] == n && ready(t, ch, queue) == 0
	})
	kept = msgs[:1]
	must(t, r.Ack(within(t), msgs[1:]))
	inOrder(t, r, n-1, n)
	select {
	case err := <-revoked:
		must(t, err)
	default:
		t.Error("it came without a hand-over")
	}
}

// The broker is not told of each acknowledgement at once, but soon.
func TestTheBrokerSoonKnowsOfFewAcknowledgements(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, queue, n, most, few = "few", "soon", "soon:few:0", 100, 40, 3
	ensure(t, c, group, topic)
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, n)...)))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnacked: most})
	msgs := receive(t, r, most)
	for i := range 3 {
		must(t, r.Ack(within(t), msgs[i*few:(i+1)*few]))
		until(t, "delivering as many more", func() bool { return ready(t, ch, queue) == n-most-(i+1)*few })
	}
}
