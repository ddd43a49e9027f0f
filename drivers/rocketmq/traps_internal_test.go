package rocketmq

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

const patience = 30 * time.Second

// connTo opens a connection to the fake, with a topic of one partition.
func connTo(t *testing.T, f *fake, more ...string) *conn {
	t.Helper()
	ap, err := oms.ParseAccessPoint("oms:rocketmq://" + f.addr() + "/?topic.partitions=1&" + strings.Join(more, "&"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Driver{}.Open(t.Context(), ap)
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*conn)
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "t"}); err != nil && !errors.Is(err, oms.ErrExists) {
		t.Fatal(err)
	}
	return c
}

func (f *fake) refuseWith(refuse func(*command) *command) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

func open[T interface {
	Close(ctx context.Context) error
}](t *testing.T, what T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := what.Close(context.Background()); err != nil && !oms.IsTemporary(err) {
			t.Errorf("close: %v", err)
		}
	})
	return what
}

// sendOne returns what became of a message.
func sendOne(t *testing.T, s oms.Sender, topic string) error {
	t.Helper()
	done := make(chan error, 1)
	s.SendAsync(t.Context(), []*oms.Message{{Topic: topic, Body: []byte("x")}}, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("done is not called")
		return nil
	}
}

func TestATopicWhoseBrokersAreAwayIsNotMissing(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	s = open(t, s, err)
	if err := sendOne(t, s, "never-made"); oms.CodeOf(err) != oms.ErrNotFound {
		t.Errorf("a missing topic: %v, want ErrNotFound", err)
	}
	f.mu.Lock()
	f.away = true
	f.mu.Unlock()
	if err := sendOne(t, s, "never-made"); oms.CodeOf(err) != oms.ErrUnavailable {
		t.Errorf("with the broker away: %v, want ErrUnavailable", err)
	}
}

// Name servers learn of a broker and its topics at once, perhaps between two
// questions.
func TestATopicThatIsJustComingBackIsNotMissing(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	asked := 0
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqRoute && cmd.Fields["topic"] == "t" {
			asked++
			if asked == 1 {
				return refusal(resTopicNotFound, "No topic route info in name server for the topic: t")
			}
		}
		return nil
	})
	if r, err := c.routes.now(t.Context(), "t"); err != nil || len(r.queues) != 1 {
		t.Errorf("the route is %v, %v", r, err)
	}
}

// Brokers that make topics by themselves do so where a message asks for one
// like TBW102, which is what the client library writes by itself.
func TestAMissingTopicIsNotMadeByAccident(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	var seen []map[string]string
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == libSend || cmd.Code == libSendBatch {
			seen = append(seen, cmd.Fields)
		}
		return nil
	})
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	if err := sendOne(t, open(t, s, err), "t"); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(seen) != 1 || seen[0]["c"] != neverATopic || seen[0]["d"] != "1" {
		t.Errorf("the broker is told %v, want to make a missing topic like %s with 1 queue", seen, neverATopic)
	}
}

func TestStoredAndNotReplicatedIsAWarningUnlessStrict(t *testing.T) {
	t.Parallel()
	for _, code := range []int{10, 11, 12} {
		f := startFake(t)
		f.refuseWith(func(cmd *command) *command {
			if cmd.Code == libSendBatch {
				return refusal(code, "not in time")
			}
			return nil
		})
		c := connTo(t, f)
		s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
		if err := sendOne(t, open(t, s, err), "t"); err != nil {
			t.Errorf("answer %d: %v, want it confirmed", code, err)
		}
		if n := c.unreplicated.Load(); n != 1 {
			t.Errorf("answer %d: %d messages are counted, want 1", code, n)
		}
		strict := connTo(t, f, "durability=strict")
		strict.strictWait = time.Millisecond
		s, err = strict.OpenSender(t.Context(), oms.SenderConfig{})
		if err := sendOne(t, open(t, s, err), "t"); oms.CodeOf(err) != oms.ErrUnknown {
			t.Errorf("answer %d with durability=strict: %v, want ErrUnknown", code, err)
		}
	}
	if strictWait < 5*time.Second {
		t.Errorf("a strict send is tried again after %v", strictWait)
	}
}

func TestErrorsNameTheAdvertisedAddress(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	c.routes.by["t"] = &route{topic: "t", native: "t", asked: time.Now(), queues: []queue{{broker: "b"}}, masters: map[string]string{"b": "127.0.0.1:1"}}
	_, err := c.Offsets(t.Context(), []string{"t"}, oms.Start{})
	if oms.CodeOf(err) != oms.ErrUnavailable || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "brokerIP1") {
		t.Errorf("the error is %v, and does not say which address the name server gave", err)
	}
}

func TestWrongKeysAreDeniedUntilTheyAreRight(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqRoute || cmd.Code == reqClusterInfo {
			return nil // name servers know no keys
		}
		return refusal(resError, "AclException: Check signature failed for accessKey=ak")
	})
	if err := c.Check(t.Context()); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("check: %v, want ErrDenied", err)
	}
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}})
	r = open(t, r, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := r.Receive(ctx, 1); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("receive: %v, want ErrDenied", err)
	}
	f.refuseWith(nil)
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("check with the right keys: %v", err)
	}
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	if err := sendOne(t, open(t, s, err), "t"); err != nil {
		t.Fatal(err)
	}
	for {
		msgs, err := r.Receive(ctx, 1)
		if oms.CodeOf(err) == oms.ErrDenied {
			continue // of a round before
		}
		if err != nil || len(msgs) != 1 {
			t.Errorf("receive with the right keys: %v, %v", msgs, err)
		}
		return
	}
}

func TestAnOffsetBeyondTheEndIsAGap(t *testing.T) {
	t.Parallel()
	c := connTo(t, startFake(t))
	var mu sync.Mutex
	var gaps []oms.Gap
	told := make(chan struct{}, 1)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{
		Group: "g", Topics: []string{"t"},
		OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
			return map[oms.Partition]int64{ps[0]: 99}, nil
		},
		OnGap: func(g oms.Gap) {
			mu.Lock()
			defer mu.Unlock()
			gaps = append(gaps, g)
			told <- struct{}{}
		},
	})
	r = open(t, r, err)
	select {
	case <-told:
	case <-time.After(patience):
		t.Fatal("no gap is told of")
	}
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	if err := sendOne(t, open(t, s, err), "t"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if msgs, err := r.Receive(ctx, 1); err != nil || len(msgs) != 1 || msgs[0].Offset != 0 {
		t.Errorf("behind the gap: %v, %v", msgs, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]oms.Gap{{Partition: oms.Partition{Topic: "t"}, From: 99, To: 0}}, gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func TestRoutesKeepTheNumbersOfPartitions(t *testing.T) {
	t.Parallel()
	a0, a1, b0, b1 := queue{"a", 0}, queue{"a", 1}, queue{"b", 0}, queue{"b", 1}
	known := []queue{b0, b1}
	if diff := cmp.Diff([]queue{b0, b1, a0, a1}, merged(known, []queue{a0, a1, b0}), cmp.AllowUnexported(queue{})); diff != "" {
		t.Errorf("a broker that comes or goes moves others (-want +got):\n%s", diff)
	}
}
