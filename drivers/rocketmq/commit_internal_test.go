package rocketmq

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// until polls until what is asked holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	over := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("%s did not come in %v", what, patience)
		}
	}
}

// pass sends a message, receives and acknowledges it.
func pass(t *testing.T, c *conn, r oms.Receiver, topic string) {
	t.Helper()
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	s = open(t, s, err)
	if err := sendOne(t, s, topic); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	msgs, err := r.Receive(ctx, 1)
	if err == nil {
		err = r.Ack(ctx, msgs)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// position returns that of the group g in a topic of one partition.
func (f *fake) position(topic string) (n int64, there bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, there = f.positions[positionKey(map[string]string{"consumerGroup": "g", "topic": topic, "queueId": "0"})]
	return n, there
}

func (f *fake) isAt(topic string, want int64) func() bool {
	return func() bool { n, there := f.position(topic); return there && n == want }
}

func TestAcknowledgementsAreCommittedWithoutFlush(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}})
	r = open(t, r, err)
	for n := range int64(2) {
		pass(t, c, r, "t")
		until(t, "a position behind what is acknowledged", f.isAt("t", n+1))
	}
}

func TestAPositionIsCommittedWhenItHasChanged(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	commits := make(map[string][]string) // offsets by topic; the fake's lock guards it
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqUpdateOffset {
			commits[cmd.Fields["topic"]] = append(commits[cmd.Fields["topic"]], cmd.Fields["commitOffset"])
		}
		return nil
	})
	c := connTo(t, f)
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "u", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t", "u"}})
	r = open(t, r, err)
	pass(t, c, r, "t")
	until(t, "the position of one partition", f.isAt("t", 1))
	for n := range int64(3) { // each in another round
		pass(t, c, r, "u")
		until(t, "the position of the other", f.isAt("u", n+1))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	want := map[string][]string{"t": {"0", "1"}, "u": {"0", "1", "2", "3"}} // from where the group begins
	if diff := cmp.Diff(want, commits); diff != "" {
		t.Errorf("what is committed, by topic (-want +got):\n%s", diff)
	}
}

func TestACommitThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	refused := 0
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqUpdateOffset && cmd.Fields["commitOffset"] == "1" && refused < 2 {
			refused++
			return refusal(resBusy, "[REJECTREQUEST]system busy")
		}
		return nil
	})
	c := connTo(t, f)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}})
	r = open(t, r, err)
	pass(t, c, r, "t")
	until(t, "a position after two refusals", f.isAt("t", 1))
}

func TestACommitThatHangsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	answer, asked := make(chan struct{}), make(chan struct{}, 1)
	locks := 0 // since the commit hangs
	hangs := false
	f.mu.Lock()
	f.delay = func(cmd *command) <-chan struct{} {
		switch {
		case cmd.Code == reqUpdateOffset && cmd.Fields["commitOffset"] == "1":
			hangs = true
			signal(asked)
			return answer
		case cmd.Code == reqLock && hangs:
			locks++
		}
		return nil
	}
	f.mu.Unlock()
	c := connTo(t, f, "send.timeout.ms=60000")
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}})
	r = open(t, r, err)
	t.Cleanup(func() { close(answer) }) // before the receiver closes
	pass(t, c, r, "t")
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("nothing is committed")
	}
	pass(t, c, r, "t")
	until(t, "a renewal of the locks", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return locks > 0
	})
	if n, _ := f.position("t"); n != 0 {
		t.Errorf("the position is %d, and its commit was to hang", n)
	}
}

// A crash between the commit and OnGap would hide what is missing for ever.
func TestAGapIsNotPassedBeforeItIsTold(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	told, passed := make(chan struct{}), make(chan struct{})
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{
		Group: "g", Topics: []string{"t"},
		OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
			return map[oms.Partition]int64{ps[0]: 99}, nil
		},
		OnGap: func(oms.Gap) { close(told); <-passed },
	})
	r = open(t, r, err)
	select {
	case <-told:
	case <-time.After(patience):
		t.Fatal("no gap is told of")
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if n, there := f.position("t"); !there || n != 99 {
		t.Errorf("while OnGap is told the position is %d (%v), want 99", n, there)
	}
	close(passed)
	until(t, "a position behind the gap", f.isAt("t", 0))
}
