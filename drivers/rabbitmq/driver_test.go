package rabbitmq_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// What follows needs a broker that does as it is told.

// A tag of an earlier channel means another message on the new one: to
// acknowledge it there would remove a message that nobody has seen.
func TestAnAcknowledgementOfAnEarlierSessionRemovesNothing(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	makeTopic(t, c, "t", 1)
	ensure(t, c, "g", "t")
	must(t, outcome(t, start(t, sender(t, c), numbered("t", 1, 7)...)))
	var revoked, assigned atomic.Int32
	r := receiver(t, c, oms.ReceiverConfig{
		Topics: []string{"t"}, Group: "g",
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			assigned.Add(1)
			return nil, nil
		},
		OnRevoked: func(context.Context, []oms.Partition) { revoked.Add(1) },
	})
	old := receive(t, r, 6)
	must(t, r.Ack(within(t), old[:2]))
	must(t, r.Flush(within(t)))
	f.killConnections()
	until(t, "OnRevoked", func() bool { return revoked.Load() == 1 })
	want(t, "ack of an earlier session", r.Ack(within(t), old[2:4]), oms.ErrStaleDelivery)
	again := receive(t, r, 4)
	equal(t, "what comes again", bodies(again), []string{"3", "4", "5", "6"})
	want(t, "ack of an earlier session beside a present one", r.Ack(within(t), []*oms.Message{old[5], again[0]}), oms.ErrStaleDelivery)
	must(t, r.Flush(within(t)))
	if assigned.Load() != 2 || again[0].Deliveries != 2 {
		t.Errorf("assigned %d times, delivered %d times; want 2 and 2", assigned.Load(), again[0].Deliveries)
	}
	must(t, r.Close(within(t)))
	until(t, "what is left comes back", func() bool { return f.depth("g:t:0") == 3 })
}

func TestTopicsAreListedWithTheirPartitions(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "topic.creation.default.partitions=2")
	admin := c.(oms.TopicAdmin)
	makeTopic(t, c, "b", 3)
	makeTopic(t, c, "a", 0)
	makeTopic(t, c, "c", 1)
	want(t, "make it again", admin.CreateTopic(within(t), oms.TopicSpec{Name: "b", Partitions: 5}), oms.ErrExists)
	infos, err := open(t, f, "").(oms.TopicAdmin).Topics(within(t))
	must(t, err)
	equal(t, "topics", infos, []oms.TopicInfo{{Name: "a", Partitions: 2}, {Name: "b", Partitions: 3}, {Name: "c", Partitions: 1}})
	must(t, admin.DeleteTopic(within(t), "b"))
	want(t, "delete it again", admin.DeleteTopic(within(t), "b"), oms.ErrNotFound)
	makeTopic(t, c, "b", 1)
	infos, err = admin.Topics(within(t))
	must(t, err)
	equal(t, "topics", infos, []oms.TopicInfo{{Name: "a", Partitions: 2}, {Name: "b", Partitions: 1}, {Name: "c", Partitions: 1}})
}

func TestQueuesAreDeclaredOnceAndAsTheVersionWants(t *testing.T) {
	t.Parallel()
	for version, limited := range map[string]bool{"3.10.8": false, "4.1.0": true} {
		f := startFake(t)
		f.with(func() { f.version = version })
		c := open(t, f, "")
		ensure(t, c, "g", "t")
		args := f.arguments("g:t:0")
		if !strings.Contains(args, "quorum") || !strings.Contains(args, "x-single-active-consumer") || strings.Contains(args, "x-delivery-limit") != limited {
			t.Errorf("%s: the queue is declared with %q", version, args)
		}
		ensure(t, open(t, f, "declare=minimal"), "g", "t") // other arguments would end the channel
		want(t, "declare=none", open(t, f, "declare=none").(oms.GroupAdmin).EnsureGroup(within(t), "h", []string{"t"}, oms.Start{}), oms.ErrNotFound)
	}
}

func TestMembersAreListedWhileTheyLive(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c, other := open(t, f, ""), open(t, f, "")
	ensure(t, c, "g", "t")
	cfg := oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"}
	first, second := receiver(t, c, cfg), receiver(t, c, cfg)
	receiver(t, other, cfg)
	members := func(n int) {
		t.Helper()
		until(t, fmt.Sprintf("a group of %d", n), func() bool {
			names, err := other.(oms.GroupAdmin).Members(within(t), "g", nil)
			must(t, err)
			return len(names) == n
		})
	}
	members(3)
	want(t, "delete a group with members", c.(oms.GroupAdmin).DeleteGroup(within(t), "g", []string{"t"}), oms.ErrBusy)
	must(t, first.Close(within(t)))
	members(2)
	must(t, second.Close(within(t)))
	members(1)
}

func TestLagCountsWhatIsInHand(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	must(t, outcome(t, start(t, sender(t, c), numbered("t", 0, 10)...)))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", MaxUnacked: 4})
	msgs := receive(t, r, 4)
	lag := func(n int64) {
		t.Helper()
		until(t, fmt.Sprintf("a lag of %d", n), func() bool {
			lag, err := c.(oms.LagReporter).Lag(within(t), "g", []string{"t", "missing"})
			must(t, err)
			return len(lag) == 1 && lag[oms.Partition{Topic: "t"}] == n
		})
	}
	lag(10)
	must(t, r.Ack(within(t), msgs))
	must(t, r.Flush(within(t)))
	lag(6)
}

func TestWrongCredentialsAreToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.with(func() { f.refusing = true })
	c := open(t, f, "")
	want(t, "check", c.Check(within(t)), oms.ErrDenied)
	s := sender(t, c)
	want(t, "send", outcome(t, start(t, s, numbered("t", 0, 1)...)), oms.ErrDenied)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	_, err := r.Receive(within(t), 1)
	want(t, "receive", err, oms.ErrDenied)
	f.with(func() { f.refusing = false })
	until(t, "making a group", func() bool {
		return c.(oms.GroupAdmin).EnsureGroup(within(t), "g", []string{"t"}, oms.Start{}) == nil
	})
	must(t, c.Check(within(t)))
	until(t, "sending", func() bool { return follow(t, s, numbered("t", 0, 1)...) == nil })
	var msgs []*oms.Message
	until(t, "receiving", func() bool {
		msgs, err = r.Receive(within(t), 1)
		return err == nil
	})
	equal(t, "what is received", bodies(msgs), []string{"0"})
	id, err := c.(oms.Identifier).Identity(within(t))
	must(t, err)
	equal(t, "the identity", id, "rabbit@fake")
}

func TestAMemberThatPausesGivesBackWhatItHasNotHandedOut(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	must(t, outcome(t, start(t, sender(t, c), numbered("t", 0, 10)...)))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	msgs := receive(t, r, 3)
	here := []oms.Partition{{Topic: "t"}}
	want(t, "pause what is not assigned", r.(oms.Pauser).Pause(within(t), []oms.Partition{{Topic: "u"}}), oms.ErrNotFound)
	must(t, r.(oms.Pauser).Pause(within(t), here))
	must(t, r.Ack(within(t), msgs[:2])) // the third one is its to settle, however long that takes
	must(t, r.Flush(within(t)))
	if n := f.depth("g:t:0"); n != 0 {
		t.Errorf("the broker has %d messages back while one is being handled", n)
	}
	must(t, r.Ack(within(t), msgs[2:]))
	until(t, "giving back", func() bool { return f.depth("g:t:0") == 7 })
	must(t, r.Ack(within(t), msgs))      // twice is no error, on another channel either
	until(t, "a lag of 7", func() bool { // what goes back is counted here and there for a moment
		lag, err := c.(oms.LagReporter).Lag(within(t), "g", []string{"t"})
		must(t, err)
		return lag[here[0]] == 7
	})
	must(t, r.(oms.Pauser).Resume(within(t), here))
	equal(t, "after the pause", bodies(receive(t, r, 7)), []string{"3", "4", "5", "6", "7", "8", "9"})
}

// Without a key messages of a call stay together, and in order; the next call's
// go to the next partition.
