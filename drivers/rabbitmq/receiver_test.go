package rabbitmq_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestAFlushTellsOnceOfAcknowledgementsThatMayBeLost(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	must(t, outcome(t, start(t, sender(t, c), numbered("t", 0, 4)...)))
	var revoked, assigned atomic.Int32
	r := receiver(t, c, oms.ReceiverConfig{
		Topics: []string{"t"}, Group: "g",
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			assigned.Add(1)
			return nil, nil
		},
		OnRevoked: func(context.Context, []oms.Partition) { revoked.Add(1) },
	})
	lose := func() {
		t.Helper()
		before := revoked.Load()
		f.killConnections()
		until(t, "losing the connection", func() bool { return revoked.Load() == before+1 && assigned.Load() == before+2 })
	}
	must(t, r.Ack(within(t), receive(t, r, 4)[:1]))
	lose()
	want(t, "the flush behind an acknowledgement that may be lost", r.Flush(within(t)), oms.ErrUnknown)
	must(t, r.Flush(within(t)))
	lose() // with nothing to be lost
	must(t, r.Flush(within(t)))
	settled := receive(t, r, 3)[:2]
	must(t, r.Ack(within(t), settled))
	must(t, r.Flush(within(t)))
	lose() // with what was flushed before
	must(t, r.Flush(within(t)))
	if again := receive(t, r, 1)[0]; slices.Contains(bodies(settled), string(again.Body)) {
		t.Errorf("message %s comes again, and its acknowledgement was flushed", again.Body)
	}
}

func TestAReceiverWaitsForTopicsThatAreMissing(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	makeTopic(t, c, "there", 1)
	var assigned atomic.Int32
	r := receiver(t, c, oms.ReceiverConfig{
		Topics: []string{"later", "there"}, Group: "g",
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			assigned.Add(1)
			return nil, nil
		},
	})
	s := sender(t, c)
	until(t, "sending to the one that is there", func() bool { return follow(t, s, numbered("there", 0, 1)...) == nil })
	equal(t, "bodies", bodies(receive(t, r, 1)), []string{"0"})
	equal(t, "topics that were assigned", assigned.Load(), int32(1))
	makeTopic(t, c, "later", 2)
	until(t, "sending to the other", func() bool { return follow(t, s, numbered("later", 1, 2)...) == nil })
	equal(t, "bodies", bodies(receive(t, r, 1)), []string{"1"})
	equal(t, "topics that were assigned", assigned.Load(), int32(2))
}

func TestAMemberThatIsNotReadyIsAskedAgain(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	must(t, outcome(t, start(t, sender(t, c), numbered("t", 0, 1)...)))
	var asked atomic.Int32
	r := receiver(t, c, oms.ReceiverConfig{
		Topics: []string{"t"}, Group: "g",
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			if asked.Add(1) == 1 {
				return nil, &oms.Error{Code: oms.ErrBusy, Err: errors.New("not ready")}
			}
			return nil, nil
		},
	})
	equal(t, "bodies", bodies(receive(t, r, 1)), []string{"0"})
	equal(t, "how often it was asked", asked.Load(), int32(2))
}

func TestAPausedTopicDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "a", "b")
	s := sender(t, c)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{"a", "b"}, Group: "g"})
	must(t, outcome(t, start(t, s, append(numbered("a", 0, 1), numbered("b", 1, 2)...)...)))
	first := receive(t, r, 2)
	must(t, r.(oms.Pauser).Pause(within(t), []oms.Partition{{Topic: "a"}}))
	must(t, r.Ack(within(t), first))
	until(t, "the end of consuming what is paused", func() bool { return f.consumers("g:a:0") == 0 }) // while nothing is handed out
	must(t, outcome(t, start(t, s, append(numbered("a", 2, 4), numbered("b", 4, 6)...)...)))
	msgs := receive(t, r, 2)
	equal(t, "what comes beside the pause", bodies(msgs), []string{"4", "5"})
	equal(t, "what the broker keeps of what is paused", f.depth("g:a:0"), 2)
	f.killConnections() // which ends the pause, and takes back what is not settled
	got := bodies(receive(t, r, 4))
	slices.Sort(got)
	equal(t, "what comes in the next session", got, []string{"2", "3", "4", "5"})
}

func TestWhatIsNackedComesAgainBeforeWhatIsBehindIt(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	must(t, outcome(t, start(t, sender(t, c), numbered("t", 0, 6)...)))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	msgs := receive(t, r, 3)
	must(t, r.(oms.Nacker).Nack(within(t), msgs[1:]))
	want(t, "acknowledging what was given back", r.Ack(within(t), msgs[1:2]), oms.ErrStaleDelivery)
	again := receive(t, r, 5)
	equal(t, "bodies", bodies(again), []string{"1", "2", "3", "4", "5"})
	equal(t, "deliveries", []int{again[0].Deliveries, again[2].Deliveries}, []int{2, 1})
	must(t, r.Ack(within(t), append(again, msgs[0])))
	must(t, r.Close(within(t)))
	equal(t, "what is left", f.depth("g:t:0"), 0)
}

// The broker closes the channel over it, again and again.
func TestAQueueThatAnotherProgramHasForItselfIsToldOf(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, ""), b.native(t)
	const topic, group, queue = "exclusive", "excluded", "excluded:exclusive:0"
	makeTopic(t, c, topic, 1)
	_, err := ch.QueueDeclare(queue, true, false, false, false, nil) // quorum queues have no exclusive consumers
	must(t, err)
	ensure(t, c, group, topic)
	_, err = ch.Consume(queue, "alone", false, true, false, false, nil)
	must(t, err)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	_, err = r.Receive(within(t), 1)
	want(t, "receive", err, oms.ErrDenied)
	if err != nil && !strings.Contains(err.Error(), queue) {
		t.Errorf("%v: it does not name the queue", err)
	}
	must(t, ch.Cancel("alone", false))
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 1)...)))
	var msgs []*oms.Message
	until(t, "receiving when it is free", func() bool {
		msgs, err = r.Receive(within(t), 1)
		return err == nil
	})
	equal(t, "bodies", bodies(msgs), []string{"0"})
}
