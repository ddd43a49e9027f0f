package kafka_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestAStaticMemberThatWasKilledComesBackAtOnce(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	// A dead member would be waited for longer than the test has patience.
	session := b.point("&group.instance.id=here&session.timeout.ms=1000000&heartbeat.interval.ms=1000")
	topic, conn := b.topic(t, 2), openAt(t, session)
	send(t, conn, topic, "a", "b", "c", "d", "e", "f")
	const kills, acks = 2, 2
	start := omstest.MemberProcess(session)
	for range kills {
		c, err := start(t.Context(), topic, "static", acks)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err = c.Acked(ctx)
		cancel()
		if err := errors.Join(err, c.Kill()); err != nil {
			t.Fatal(err)
		}
	}
	r := receiver(t, conn, oms.ReceiverConfig{Group: "static", Topics: []string{topic}})
	if _, got := get(t, r, 2); len(got) != 2 {
		t.Errorf("received %q, want the 2 messages that nobody has acknowledged", got)
	}
	if names := b.members(t, "static"); len(names) != 1 {
		t.Errorf("the group has the members %q, want one", names)
	}
}

func (b *broker) members(t *testing.T, group string) []string {
	t.Helper()
	found, err := b.admin(t).DescribeConsumerGroups([]string{group})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for id := range found[0].Members {
		names = append(names, strconv.Quote(id))
	}
	return names
}
