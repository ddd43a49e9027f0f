package rocketmq

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestCheckIsAskedForTheMessageThatWasSent(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	var mu sync.Mutex
	var asked []*oms.Message
	s := openHalf(t, connTo(t, f), func(_ context.Context, m *oms.Message) oms.Verdict {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, m)
		if len(asked) < 3 {
			return oms.Undecided
		}
		return oms.Commit
	})
	sent := half("asked")
	if err := s.Send(t.Context(), sent, say(oms.Undecided)); err != nil {
		t.Fatal(err)
	}
	until(t, "a message that check commits", func() bool { return slices.Equal(f.stored(), []string{"asked"}) })
	mu.Lock()
	defer mu.Unlock()
	for _, m := range asked {
		if m.ID != sent.ID || m.Topic != "t" || string(m.Key) != "k" || string(m.Body) != "asked" || m.Receipt != nil {
			t.Errorf("check is asked for %+v", m)
		}
		if diff := cmp.Diff(sent.Headers, m.Headers); diff != "" {
			t.Errorf("headers (-sent +asked for):\n%s", diff)
		}
	}
}

// The library tells verdicts without waiting for an answer.
func TestAVerdictThatIsLostIsAskedFor(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	lost := 0
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == libEndHalf && lost == 0 {
			lost++
			return refusal(resError, "lost")
		}
		return nil
	})
	s := openHalf(t, connTo(t, f), answer(oms.Commit))
	if err := s.Send(t.Context(), half("lost"), say(oms.Commit)); err != nil {
		t.Fatal(err)
	}
	until(t, "a message whose verdict was lost", func() bool { return slices.Equal(f.stored(), []string{"lost"}) })
}

func TestAClosedSenderIsAskedNothing(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	begun, ended := make(chan struct{}), make(chan struct{})
	s := openHalf(t, c, func(ctx context.Context, _ *oms.Message) oms.Verdict {
		close(begun)
		<-ctx.Done()
		close(ended)
		return oms.Rollback // of one that was told to give up: it does not count
	})
	if err := s.Send(t.Context(), half("kept"), say(oms.Undecided)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-begun:
	case <-time.After(patience):
		t.Fatal("check is not asked")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	default:
		t.Error("Close has returned, and a check runs")
	}
	if err := s.Send(t.Context(), half("late"), say(oms.Commit)); oms.CodeOf(err) != oms.ErrClosed {
		t.Errorf("Send after Close: %v, want ErrClosed", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	before := f.asks()
	until(t, "the broker asking again", func() bool { return f.asks() > before+2 })
	if got := f.stored(); len(got) > 0 || f.undecided() != 1 {
		t.Errorf("nobody has decided, and %q are stored, %d undecided", got, f.undecided())
	}
	openHalf(t, c, answer(oms.Commit)) // the next of the group
	until(t, "the message of the one that closed", func() bool { return slices.Equal(f.stored(), []string{"kept"}) })
}

func (f *fake) asks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checks
}

// The library has one goroutine for all checks of a group.
func TestASlowCheckHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	decide := make(chan struct{})
	var mu sync.Mutex
	calls := 0
	s := openHalf(t, c, func(_ context.Context, m *oms.Message) oms.Verdict {
		if string(m.Body) == "slow" {
			mu.Lock()
			calls++
			mu.Unlock()
			<-decide
		}
		return oms.Commit
	})
	s.client.wait = 50 * time.Millisecond
	for _, body := range []string{"slow", "quick"} {
		if err := s.Send(t.Context(), half(body), say(oms.Undecided)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the message whose check is quick", func() bool { return slices.Equal(f.stored(), []string{"quick"}) })
	before := f.asks()
	until(t, "the broker asking again", func() bool { return f.asks() > before+2 })
	mu.Lock()
	if calls != 1 {
		t.Errorf("a check that had not ended was called %d times", calls)
	}
	mu.Unlock()
	close(decide)
	until(t, "the message whose check is slow", func() bool { return slices.Equal(f.stored(), []string{"quick", "slow"}) })
}

// A check that does not end is Close's error, not its end.
func TestCloseOfAHalfSenderIsBounded(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	begun, release := make(chan struct{}), make(chan struct{})
	s := openHalf(t, connTo(t, f), func(context.Context, *oms.Message) oms.Verdict {
		close(begun)
		<-release
		return oms.Commit
	})
	if err := s.Send(t.Context(), half("stuck"), say(oms.Undecided)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-begun:
	case <-time.After(patience):
		t.Fatal("check is not asked")
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(given); !errors.Is(err, context.Canceled) {
		t.Errorf("Close with a check that does not end: %v", err)
	}
	close(release)
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close when it has ended: %v", err)
	}
}

// Others may use the group, and topics that this connection cannot have.
func TestAHalfMessageThatCannotBeReadStaysUndecided(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	openHalf(t, c, func(_ context.Context, m *oms.Message) oms.Verdict {
		t.Errorf("check is asked about %+v", m)
		return oms.Commit
	})
	for topic, properties := range map[string]string{"other%t": "", "t": "OMS\x01v=1;key=%\x02"} {
		f.mu.Lock()
		f.holdHalf(topic, "0", fakeMessage{properties: properties + "PGROUP\x01half\x02UNIQ_KEY\x01" + topic + "\x02", body: []byte("x")})
		f.mu.Unlock()
	}
	before := f.asks()
	until(t, "the broker asking", func() bool { return f.asks() > before+4 })
	if n := f.undecided(); n != 2 {
		t.Errorf("%d are undecided, want 2", n)
	}
}
