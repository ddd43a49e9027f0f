package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// sendTo sends one batch with a message to each of the topics, and returns the
// codes of what became of them, once its done has returned.
func sendTo(t *testing.T, s *sender, topics ...string) []oms.Code {
	t.Helper()
	msgs := make([]*oms.Message, len(topics))
	for i, topic := range topics {
		msgs[i] = &oms.Message{Topic: topic, Body: []byte("b")}
	}
	told := make(chan error, 1)
	s.SendAsync(t.Context(), msgs, func(err error) { told <- err })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case err := <-told:
		awaitNoted(t, s)
		codes := make([]oms.Code, len(topics))
		for i := range codes {
			if failure := oms.FailureOf(err, i); failure != nil {
				codes[i] = oms.CodeOf(failure)
			}
		}
		return codes
	case <-ctx.Done():
		t.Fatal("nobody was told what became of the batch")
		return nil
	}
}

// awaitNoted waits until the sender knows that every done has returned: until
// then what comes behind a failure is aborted.
func awaitNoted(t *testing.T, s *sender) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%d batches whose done was called stay open", open)
		}
	}
}

func TestATopicThatIsMissingIsAskedForOnceABatchAndHurtsNoOther(t *testing.T) {
	t.Parallel()
	c, fake := openFake(t)
	if err := fake.CreateTopic("there", 2, nil); err != nil {
		t.Fatal(err)
	}
	opened, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*sender)
	client := &countingClient{Client: s.client}
	s.client = client
	var none oms.Code
	for range 3 { // and nothing of a failure is left when it was told
		before := client.asked.Load()
		got := sendTo(t, s, "there", "missing", "there", "missing", "__reserved", "missing", "there")
		want := []oms.Code{none, oms.ErrNotFound, none, oms.ErrAborted, oms.ErrInvalid, oms.ErrAborted, none}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what became of the batch (-want +got):\n%s", diff)
		}
		if n := client.asked.Load() - before; n != 2 {
			t.Errorf("the batch asked %d times for partitions, want 2", n)
		}
	}
	if len(s.targets) != 1 {
		t.Errorf("%d topics are kept, want the one that is there", len(s.targets))
	}
}

func TestMessagesWithoutAKeyTakeTurns(t *testing.T) {
	t.Parallel()
	s := &sender{conn: &conn{lookout: lookout{over: true}}}
	target := &target{topic: "t", partitions: 3}
	var got []int
	for _, m := range []*oms.Message{{}, {}, {Key: []byte("k")}, {}, {ToPartition: new(1)}, {}} {
		l, err := s.place(target, m)
		if err != nil {
			t.Fatal(err)
		}
		if again := target.lanes[l.id.Number]; again != l || l.id.Topic != "t" {
			t.Errorf("the lane of %v is not kept", l.id)
		}
		if m.Key == nil && m.ToPartition == nil {
			got = append(got, l.id.Number)
		}
	}
	if diff := cmp.Diff([]int{0, 1, 2, 0}, got); diff != "" {
		t.Errorf("partitions in turn (-want +got):\n%s", diff)
	}
	for _, n := range []int{-1, 3} {
		if l, err := s.place(target, &oms.Message{ToPartition: new(n)}); l != nil || !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("to partition %d: %v, want %v", n, err, oms.ErrInvalid)
		}
	}
}
