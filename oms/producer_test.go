package oms_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func producer(t *testing.T, b *back, opts ...oms.Option) *oms.Producer {
	t.Helper()
	p, err := b.open(t, opts...).NewProducer(context.Background(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// closing closes a producer, which must not take longer than ctx.
func closing(t *testing.T, p *oms.Producer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestTemporaryFailuresAreResentInOrder(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			var mu sync.Mutex
			b := newBack()
			b.onBatch = func([]*oms.Message) error {
				mu.Lock()
				defer mu.Unlock()
				if rng.IntN(4) == 0 {
					return &oms.Error{Op: "send", Code: oms.ErrUnavailable}
				}
				return nil
			}
			b.confirm = func(done func()) {
				mu.Lock()
				d := time.Duration(rng.IntN(3)) * time.Millisecond
				mu.Unlock()
				go func() { time.Sleep(d); done() }()
			}
			p := producer(t, b)
			const n = 40
			dones := make(map[int]int)
			for i := 0; i < n; {
				var batch []*oms.Message
				first := i
				for range 1 + rng.IntN(4) {
					batch = append(batch, message(fmt.Sprint("k", i%3), fmt.Sprint(i)))
					i++
				}
				p.SendAsync(t.Context(), batch, func(err error) {
					mu.Lock()
					defer mu.Unlock()
					dones[first]++
					if err != nil {
						t.Errorf("seed %d: batch at %d: %v", seed, first, err)
					}
				})
			}
			closing(t, p)
			last := map[int]int{}
			got := b.bodies()
			for _, body := range got {
				var i int
				_, _ = fmt.Sscan(body, &i)
				if before, ok := last[i%3]; ok && i <= before {
					t.Fatalf("seed %d: %d was stored behind %d of its key: %v", seed, i, before, got)
				}
				last[i%3] = i
			}
			if len(got) < n {
				t.Fatalf("seed %d: %d of %d were stored: %v", seed, len(got), n, got)
			}
			for first, count := range dones {
				if count != 1 {
					t.Errorf("seed %d: done of the batch at %d was called %d times", seed, first, count)
				}
			}
		})
	}
}

func TestPermanentFailureIsReportedAndNothingOvertakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBack()
		b.onBatch = func(msgs []*oms.Message) error {
			if string(msgs[0].Body) == "bad" {
				return &oms.Error{Op: "send", Code: oms.ErrTooLarge}
			}
			return nil
		}
		b.confirm = func(done func()) { go func() { time.Sleep(time.Second); done() }() }
		p := producer(t, b)
		outcomes := make([]error, 3)
		for i, body := range []string{"1", "bad", "3"} {
			p.SendAsync(t.Context(), []*oms.Message{message("k", body)}, func(err error) { outcomes[i] = err })
		}
		closing(t, p)
		if got := b.bodies(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("stored %v, want 1 only", got)
		}
		if outcomes[0] != nil || !errors.Is(outcomes[1], oms.ErrTooLarge) || !errors.Is(outcomes[2], oms.ErrAborted) {
			t.Errorf("outcomes = %v, want nil, too large, aborted", outcomes)
		}
	})
}

func TestStalledTellsWhyNothingMovesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBack()
		full := true
		b.onBatch = func([]*oms.Message) error {
			if full {
				return &oms.Error{Op: "send", Code: oms.ErrFull}
			}
			return nil
		}
		p := producer(t, b)
		sent := make(chan error, 1)
		p.SendAsync(t.Context(), []*oms.Message{message("k", "1")}, func(err error) { sent <- err })
		time.Sleep(time.Hour)
		if err := p.Stalled(); !errors.Is(err, oms.ErrFull) {
			t.Errorf("Stalled = %v, want out of space", err)
		}
		b.mu.Lock()
		full = false
		b.mu.Unlock()
		if err := <-sent; err != nil {
			t.Errorf("sent with %v, want nil", err)
		}
		synctest.Wait()
		if err := p.Stalled(); err != nil {
			t.Errorf("Stalled = %v after it recovered", err)
		}
		closing(t, p)
	})
}

func TestCloseGivesUpWhatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBack()
		b.onBatch = func([]*oms.Message) error { return &oms.Error{Op: "send", Code: oms.ErrUnavailable} }
		p := producer(t, b)
		var outcomes []error
		for i := range 3 {
			go p.SendAsync(t.Context(), []*oms.Message{message("k", fmt.Sprint(i))}, func(err error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				outcomes = append(outcomes, err)
			})
		}
		time.Sleep(time.Second)
		start := time.Now()
		closing(t, p)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("Close took %v, want the minute that it was given", took)
		}
		synctest.Wait()
		if len(outcomes) != 3 || slices.Contains(outcomes, nil) {
			t.Errorf("outcomes = %v, want three errors", outcomes)
		}
		closing(t, p) // a second time
	})
}

func TestAdmissionIsBoundByTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBack()
		b.window = make(chan struct{}) // always full
		p := producer(t, b)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.Send(ctx, message("k", "1"))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v, want the context's error", err)
		}
		synctest.Wait()
		closing(t, p)
		if got := b.bodies(); len(got) > 0 {
			t.Errorf("stored %v, want nothing", got)
		}
	})
}

// TestNothingSlipsInBehindAFailure has a batch wait for the window while one
// of the same key before it fails.
func TestNothingSlipsInBehindAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBack()
		b.window = make(chan struct{}, 1)
		b.window <- struct{}{}
		fail := true
		b.onBatch = func([]*oms.Message) error {
			if fail {
				fail = false
				return &oms.Error{Op: "send", Code: oms.ErrTimeout}
			}
			return nil
		}
		b.confirm = func(done func()) { go func() { time.Sleep(time.Second); done() }() }
		p := producer(t, b)
		p.SendAsync(t.Context(), []*oms.Message{message("k", "1")}, func(error) {})
		go p.SendAsync(t.Context(), []*oms.Message{message("k", "2")}, func(error) {})
		time.Sleep(time.Minute) // the first has failed, the second waits
		close(b.window)
		time.Sleep(time.Minute)
		closing(t, p)
		if got := b.bodies(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("stored %v, want 1 before 2", got)
		}
	})
}

func TestUnsendableMessagesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	past := time.Unix(1, 0)
	zero := 0
	for name, test := range map[string]struct {
		edit func(*oms.Message)
		want oms.Code
	}{
		"no topic":           {func(m *oms.Message) { m.Topic = "" }, oms.ErrInvalid},
		"space in the topic": {func(m *oms.Message) { m.Topic = "a b" }, oms.ErrInvalid},
		"long topic":         {func(m *oms.Message) { m.Topic = strings.Repeat("x", 250) }, oms.ErrInvalid},
		"large body":         {func(m *oms.Message) { m.Body = make([]byte, 11) }, oms.ErrTooLarge},
		"delay unclaimed":    {func(m *oms.Message) { m.Delay = 1 }, oms.ErrUnsupported},
		"binary header":      {func(m *oms.Message) { m.Headers = oms.Headers{{Name: "h", Value: []byte{0xff}}} }, oms.ErrUnsupported},
		"priority unclaimed": {func(m *oms.Message) { m.Priority = 1 }, oms.ErrUnsupported},
		"partition":          {func(m *oms.Message) { m.ToPartition = &zero }, oms.ErrUnsupported},
		"nameless header":    {func(m *oms.Message) { m.Headers = oms.Headers{{}} }, oms.ErrFormat},
		"negative delay":     {func(m *oms.Message) { m.Delay = -1 }, oms.ErrInvalid},
		"expiry is fine":     {func(m *oms.Message) { m.ExpiresAt = past }, ""},
		"tombstone is fine":  {func(m *oms.Message) { m.Body = nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBack()
			b.caps.MaxBody = 10
			p := producer(t, b)
			defer closing(t, p)
			good, other := message("k", "good"), message("k", "other")
			test.edit(other)
			err := p.Send(t.Context(), good, other)
			if got := oms.CodeOf(oms.FailureOf(err, 1)); got != test.want {
				t.Errorf("Send = %v, want code %q", err, test.want)
			}
			if test.want != "" && (len(b.bodies()) > 0 || !errors.Is(oms.FailureOf(err, 0), oms.ErrAborted)) {
				t.Errorf("the good message of the batch: stored %v, %v; want it aborted", b.bodies(), err)
			}
		})
	}
}

func TestSendFillsInIdAndBirth(t *testing.T) {
	b := newBack()
	p := producer(t, b)
	defer closing(t, p)
	m, other := message("k", "1"), message("k", "2")
	other.ID = "mine"
	if err := p.Send(t.Context(), m, other); err != nil {
		t.Fatal(err)
	}
	if m.ID == "" || m.BornAt.IsZero() || other.ID != "mine" {
		t.Errorf("id %q, born %v, other id %q", m.ID, m.BornAt, other.ID)
	}
}

func TestSendInterceptorsSeeMessagesOnceAndOutermostFirst(t *testing.T) {
	b := newBack()
	var calls []string
	tag := func(name string) oms.SendInterceptor {
		return func(next oms.SendFunc) oms.SendFunc {
			return func(ctx context.Context, msgs []*oms.Message, done func(error)) {
				calls = append(calls, name)
				next(ctx, msgs, done)
			}
		}
	}
	tries := 0
	b.onBatch = func([]*oms.Message) error {
		tries++
		if tries == 1 {
			return oms.ErrBusy
		}
		return nil
	}
	p := producer(t, b, oms.WithSendInterceptors(tag("outer"), tag("inner")))
	defer closing(t, p)
	if err := p.Send(t.Context(), message("k", "1")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"outer", "inner"}; !slices.Equal(calls, want) {
		t.Errorf("calls = %v, want %v", calls, want)
	}
}

func TestSendAfterCloseIsClosed(t *testing.T) {
	p := producer(t, newBack())
	closing(t, p)
	if err := p.Send(t.Context(), message("k", "1")); !errors.Is(err, oms.ErrClosed) {
		t.Errorf("Send = %v, want closed", err)
	}
	if err := p.Send(t.Context()); err != nil {
		t.Errorf("Send of nothing = %v", err)
	}
}

// TestACancelledSendIsNotLetIn sends with a context that is done, through a
// driver that does not look at it.
func TestACancelledSendIsNotLetIn(t *testing.T) {
	b := newBack()
	p := producer(t, b)
	defer closing(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // were it let in, it would be by chance
		outcome := make(chan error, 1)
		p.SendAsync(ctx, []*oms.Message{message("k", "1")}, func(err error) { outcome <- err })
		if err := <-outcome; !errors.Is(err, context.Canceled) {
			t.Fatalf("SendAsync = %v, want the context's error", err)
		}
	}
	if got := b.bodies(); len(got) > 0 {
		t.Errorf("stored %d messages, want none", len(got))
	}
}

func TestAnOutcomeThatIsToldTwiceCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBack()
		var mu sync.Mutex
		failures := 3
		b.onBatch = func([]*oms.Message) error {
			mu.Lock()
			defer mu.Unlock()
			failures--
			if failures >= 0 {
				return &oms.Error{Op: "send", Code: oms.ErrUnavailable}
			}
			return nil
		}
		b.twice = true
		p := producer(t, b)
		var dones atomic.Int64
		for i := range 20 {
			p.SendAsync(t.Context(), []*oms.Message{message("k", strconv.Itoa(i))}, func(err error) {
				dones.Add(1)
				if err != nil {
					t.Errorf("message %d: %v", i, err)
				}
			})
		}
		closing(t, p)
		if n := dones.Load(); n != 20 {
			t.Errorf("%d outcomes were told for 20 messages", n)
		}
		if got := b.bodies(); !slices.IsSortedFunc(got, func(a, b string) int { return cmp.Compare(len(a), len(b)) }) || len(got) != 20 {
			t.Errorf("stored %v, want 20 in order", got)
		}
	})
}
