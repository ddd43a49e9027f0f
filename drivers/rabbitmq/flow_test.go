package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// ready returns how many messages of a queue are with no consumer. A broker that
// is busy says none of a quorum queue that does not tell within a quarter of a
// second, so it is asked again.
func ready(t *testing.T, ch *amqp.Channel, queue string) (n int) {
	t.Helper()
	for range 10 {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		must(t, err)
		if n = q.Messages; n > 0 {
			break
		}
	}
	return n
}

// The broker bounds by count only, so the driver learns how large messages are.
func TestLargeMessagesAreTakenFewAtATime(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, queue, size, n, bound = "large", "bounded", "bounded:large:0", 200 << 10, 100, 4
	ensure(t, c, group, topic)
	msgs := numbered(topic, 0, n)
	for i, m := range msgs {
		m.Body = fmt.Appendf(make([]byte, 0, size), "%03d", i)[:size]
	}
	s := sender(t, c)
	must(t, outcome(t, start(t, s, msgs...)))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnackedBytes: (bound + 1) * size})
	until(t, "giving back what is too much", func() bool { return ready(t, ch, queue) == n-bound })
	for i := 0; i < n; {
		some, err := r.Receive(within(t), n)
		must(t, err)
		for _, m := range some {
			equal(t, "beginning of the body", string(m.Body[:3]), fmt.Sprintf("%03d", i))
			i++
		}
		if out := n - i + len(some) - ready(t, ch, queue); out > bound || len(some) > bound {
			t.Errorf("%d messages are out at once and %d were received, want at most %d", out, len(some), bound)
		}
		must(t, r.Ack(within(t), some))
		must(t, r.Flush(within(t)))
	}
}

// Queues of several topics share what may be out.
func TestTopicsOfAReceiverShareWhatMayBeOut(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const group, n, bound = "sharers", 50, 30
	topics := []string{"shared.a", "shared.b", "shared.c"}
	ensure(t, c, group, topics...)
	s := sender(t, c)
	for _, topic := range topics {
		must(t, outcome(t, start(t, s, numbered(topic, 0, n)...)))
	}
	left := func() (all int) {
		for _, topic := range topics {
			all += ready(t, ch, group+":"+topic+":0")
		}
		return all
	}
	r := receiver(t, c, oms.ReceiverConfig{Topics: topics, Group: group, MaxUnacked: bound})
	until(t, "taking what may be out", func() bool { return left() == 3*n-bound })
	for got := 0; got < 3*n; {
		msgs, err := r.Receive(within(t), 3*n)
		must(t, err)
		if got += len(msgs); len(msgs) > bound {
			t.Errorf("%d messages at once, want at most %d", len(msgs), bound)
		}
		must(t, r.Ack(within(t), msgs))
	}
}

// An alarm of one resource is cleared by itself; conformance has the other.
func TestABrokerWithoutDiskMakesSendersWait(t *testing.T) {
	t.Parallel()
	b := &broker{Server: servers.RabbitMQ(t)}
	c := b.open(t, "?publish.timeout.ms=4000")
	const topic, group = "full", "waiting"
	ensure(t, c, group, topic)
	s := sender(t, c)
	sent := 0
	next := func() <-chan error {
		sent++
		return start(t, s, numbered(topic, sent-1, sent)...)
	}
	must(t, outcome(t, next()))
	must(t, b.tool(within(t), "rabbitmqctl", "set_disk_free_limit", "900000GB"))
	mend := func() {
		must(t, b.tool(context.WithoutCancel(t.Context()), "rabbitmqctl", "set_disk_free_limit", "1MB"))
	}
	full := func() bool {
		spec := oms.TopicSpec{Name: fmt.Sprint("full.", sent), Partitions: 3}
		return errors.Is(c.(oms.TopicAdmin).CreateTopic(within(t), spec), oms.ErrFull)
	}
	var first <-chan error
	until(t, "making no topic with partitions any more", func() bool { // the broker says that it is full when it is published to
		if first == nil {
			first = next()
		}
		if full() {
			return true
		}
		select {
		case err := <-first:
			must(t, err)
			first = nil
		default:
		}
		return false
	})
	select {
	case err := <-first: // it came before
		must(t, err)
		first = next()
	case <-time.After(time.Second):
	}
	select {
	case err := <-first:
		t.Fatalf("a message is done with while the broker is full: %v", err)
	case <-time.After(9 * time.Second): // more than twice the timeout of publishing
	}
	second := next()
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	equal(t, "what is received meanwhile", bodies(receive(t, r, sent-2)), bodies(numbered(topic, 0, sent-2)))
	mend()
	must(t, outcome(t, first))
	must(t, outcome(t, second))
	equal(t, "what is received later", bodies(receive(t, r, 2)), bodies(numbered(topic, sent-2, sent)))
}

// A message that is given back by itself goes behind all others in a quorum
// queue; a pause must not do that.
func TestAPauseKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, queue, n = "paused", "pausing", "pausing:paused:0", 60
	here := []oms.Partition{{Topic: topic}}
	ensure(t, c, group, topic)
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, n)...)))
	cfg := oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnacked: 20}
	r := receiver(t, c, cfg)
	var got []*oms.Message
	for len(got) < n/2 {
		msgs := receive(t, r, 5)
		must(t, r.(oms.Pauser).Pause(within(t), here))
		must(t, r.Ack(within(t), msgs))
		got = append(got, msgs...)
		until(t, "giving back", func() bool { return ready(t, ch, queue) == n-len(got) })
		must(t, r.(oms.Pauser).Resume(within(t), here))
	}
	must(t, r.(oms.Pauser).Pause(within(t), here))
	until(t, "giving back", func() bool { return ready(t, ch, queue) == n-len(got) })
	other := receiver(t, b.open(t, ""), cfg) // goes on while the first one is paused
	for len(got) < n {
		msgs := receive(t, other, 5)
		must(t, other.Ack(within(t), msgs))
		got = append(got, msgs...)
	}
	equal(t, "bodies", bodies(got), bodies(numbered(topic, 0, n)))
}
