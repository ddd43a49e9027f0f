package rabbitmq_test

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/drivers/rabbitmq"
	"github.com/omconnect/omconnect/oms"
)

// crowd waits until a group has so many members, and returns the names of the
// foreign ones.
func crowd(t *testing.T, c oms.Conn, group, topic string, own, foreign int) (strangers []string) {
	t.Helper()
	until(t, fmt.Sprintf("a group of %d, and %d foreign ones", own, foreign), func() bool {
		members, err := c.(oms.GroupAdmin).Members(within(t), group, []string{topic})
		must(t, err)
		strangers = nil
		for _, m := range members {
			if m.Foreign {
				strangers = append(strangers, m.Name)
			}
		}
		return len(members) == own+foreign && len(strangers) == foreign
	})
	return strangers
}

// intrude has a program that knows nothing of this driver consume a queue.
func intrude(t *testing.T, b *broker, queue string) (leave func()) {
	t.Helper()
	ch, conn, err := b.dial()
	must(t, err)
	_, err = ch.Consume(queue, "", false, false, false, false, nil)
	must(t, err)
	return func() { must(t, conn.Close()) }
}

func TestConsumersThatAreMoreThanTheMembersAreForeign(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const topic, group, queue = "crowded.topic", "crowded", "crowded:crowded.topic:*"
	c, other := b.open(t, "?ordering=none"), b.open(t, "?ordering=none")
	ensure(t, c, group, topic)
	crowd(t, c, group, topic, 0, 0)
	leave, again := intrude(t, b, queue), intrude(t, b, queue)
	equal(t, "two strangers", crowd(t, c, group, topic, 0, 2), []string{"a consumer of queue " + queue, "a consumer of queue " + queue + " (2)"})
	cfg := oms.ReceiverConfig{Topics: []string{topic}, Group: group}
	first := receiver(t, c, cfg)
	crowd(t, c, group, topic, 1, 2)
	receiver(t, other, cfg)
	leave()
	equal(t, "one stranger", crowd(t, c, group, topic, 2, 1), []string{"a consumer of queue " + queue})
	must(t, first.Close(within(t)))
	crowd(t, c, group, topic, 1, 1)
	again()
	crowd(t, c, group, topic, 1, 0)
}

// A member may read two topics, and a stranger one of them.
func TestAStrangerIsForeignWhereItConsumes(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const group = "visited"
	c := b.open(t, "")
	for _, topic := range []string{"visited.one", "visited.two"} {
		makeTopic(t, c, topic, 2)
		ensure(t, c, group, topic)
	}
	leave := intrude(t, b, "visited:visited.two:1")
	crowd(t, c, group, "visited.one", 0, 0)
	equal(t, "the stranger", crowd(t, c, group, "visited.two", 0, 1), []string{"a consumer of queue visited:visited.two:1"})
	leave()
	crowd(t, c, group, "visited.two", 0, 0)
}

func TestWhoReadsAStreamIsNoMember(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const topic, group = "watched.stream", "watchers"
	c := b.open(t, "?queue.type=stream")
	ensure(t, c, group, topic)
	ch := b.native(t)
	must(t, ch.Qos(1, 0, false))
	_, err := ch.Consume("oms.stream:"+topic+":0", "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	must(t, err)
	crowd(t, c, group, topic, 0, 0)
	receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	crowd(t, c, group, topic, 1, 0)
}

func TestForeignMembersAreClaimedWhereTheyCanBeToldApart(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]bool{
		"": true, "?declare=minimal": true, "?ordering=none": true, "?declare=none": false, "?queue.type=stream": false,
	} {
		s := rabbitmq.Driver{}.Capabilities(parse(t, "oms:rabbitmq://one/"+options)).Claims[oms.ForeignMembers]
		if s.Claimed != want || s.Note == "" {
			t.Errorf("%q: %+v, want claimed %v with a note", options, s, want)
		}
	}
}
