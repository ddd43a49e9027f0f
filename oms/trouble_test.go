package oms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// ailing is a back whose sends fail as long as it has a fault.
type ailing struct {
	*back
	mu    sync.Mutex
	fault error
}

func newAiling(fault error) *ailing {
	a := &ailing{back: newBack(), fault: fault}
	a.onBatch = func([]*oms.Message) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.fault
	}
	return a
}

// become changes the fault; nil heals.
func (a *ailing) become(fault error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = fault
}

func away(code oms.Code) error { return &oms.Error{Op: "send", Code: code} }

// A listener notes what it is told of trouble.
type listener struct {
	mu     sync.Mutex
	begun  time.Time
	busy   bool
	heard  []string
	closed bool
}

func listen(p *oms.Producer) *listener {
	l := &listener{begun: time.Now()}
	p.OnTrouble(l.hear)
	return l
}

func (l *listener) hear(t oms.Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Since(l.begun).Truncate(time.Second)
	text := fmt.Sprintf("%v for %v: %v", at, t.Lasted.Truncate(time.Second), oms.CodeOf(t.Cause))
	if t.Over {
		text += ", over"
	}
	if l.busy || l.closed {
		text += ", at the wrong time"
	}
	l.heard = append(l.heard, text)
}

func (l *listener) wants(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if diff := cmp.Diff(want, l.heard); diff != "" {
		t.Errorf("told of trouble (-want +got):\n%s", diff)
	}
}

// sending sends a message and returns where its outcome comes.
func sending(t *testing.T, p *oms.Producer, body string) <-chan error {
	t.Helper()
	sent := make(chan error, 1)
	p.SendAsync(t.Context(), []*oms.Message{message("k", body)}, func(err error) { sent <- err })
	return sent
}

func TestTroubleThatLastsIsToldAtGrowingIntervalsAndWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAiling(away(oms.ErrUnavailable))
		p := producer(t, b.back)
		l := listen(p)
		sent := sending(t, p, "1")
		time.Sleep(45 * time.Minute)
		b.become(nil)
		if err := <-sent; err != nil {
			t.Errorf("sent with %v, want nil", err)
		}
		time.Sleep(time.Hour)
		l.wants(t,
			"5s for 5s: unavailable", "10s for 10s: unavailable", "20s for 20s: unavailable", "40s for 40s: unavailable",
			"1m20s for 1m20s: unavailable", "2m40s for 2m40s: unavailable", "5m20s for 5m20s: unavailable",
			"10m40s for 10m40s: unavailable", "20m40s for 20m40s: unavailable", "30m40s for 30m40s: unavailable", "40m40s for 40m40s: unavailable",
			"45m1s for 45m1s: unavailable, over", // with the next attempt
		)
		closing(t, p)
	})
}

func TestShortTroubleIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAiling(nil)
		p := producer(t, b.back)
		l := listen(p)
		for i := range 20 { // each shorter than what counts, all together longer
			b.become(away(oms.ErrTimeout))
			sent := sending(t, p, fmt.Sprint(i))
			time.Sleep(oms.TroubleAfter - 3*time.Second)
			if trouble, lasting := p.Trouble(); lasting || trouble.Since.IsZero() {
				t.Errorf("Trouble = %+v, %v; want one that has not lasted long", trouble, lasting)
			}
			b.become(nil)
			<-sent
			synctest.Wait()
			if trouble, lasting := p.Trouble(); lasting || !trouble.Since.IsZero() {
				t.Errorf("Trouble = %+v, %v after it was over", trouble, lasting)
			}
		}
		time.Sleep(time.Hour)
		l.wants(t)
		closing(t, p)
	})
}

func TestTroubleShowsTheCauseAsItIsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAiling(away(oms.ErrUnavailable))
		p := producer(t, b.back)
		l := listen(p)
		began := time.Now()
		sent := sending(t, p, "1")
		for _, code := range []oms.Code{oms.ErrUnavailable, oms.ErrFull, oms.ErrBusy} {
			b.become(away(code))
			time.Sleep(30 * time.Second)
			trouble, lasting := p.Trouble()
			if !lasting || !errors.Is(trouble.Cause, code) || !trouble.Since.Equal(began) || trouble.Lasted != time.Since(began) || trouble.Over {
				t.Errorf("Trouble = %+v, %v; want %v since the start", trouble, lasting, code)
			}
		}
		b.become(nil)
		<-sent
		synctest.Wait()
		l.wants(t,
			"5s for 5s: unavailable", "10s for 10s: unavailable", "20s for 20s: unavailable", "40s for 40s: out of space",
			"1m20s for 1m20s: busy", "1m31s for 1m31s: busy, over",
		)
		closing(t, p)
	})
}

func TestTroubleOfOnePartitionIsToldThoughOthersGoThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBack()
		b.onBatch = func(msgs []*oms.Message) error {
			if string(msgs[0].Key) == "k1" {
				return away(oms.ErrUnavailable)
			}
			return nil
		}
		p := producer(t, b)
		l := listen(p)
		p.SendAsync(t.Context(), []*oms.Message{message("k0", "a"), message("k1", "b"), message("k2", "c")}, func(error) {})
		time.Sleep(6 * time.Second)
		l.wants(t, "5s for 5s: unavailable")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// A failure that is for good ends what could not be sent because of it: nothing
// is tried any more.
func TestTroubleEndsWithAFailureForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAiling(away(oms.ErrUnavailable))
		p := producer(t, b.back)
		l := listen(p)
		sent := sending(t, p, "1")
		time.Sleep(8 * time.Second)
		b.become(away(oms.ErrTooLarge))
		if err := <-sent; !errors.Is(err, oms.ErrTooLarge) {
			t.Errorf("sent with %v, want too large", err)
		}
		time.Sleep(time.Hour)
		l.mu.Lock()
		n := len(l.heard)
		last := l.heard[n-1]
		l.mu.Unlock()
		if n < 2 || !strings.HasSuffix(last, ", over") {
			t.Errorf("told %d times of trouble, the last time %q; want it to be over", n, last)
		}
		closing(t, p)
	})
}

func TestNothingIsToldOfTroubleAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAiling(away(oms.ErrUnavailable))
		p := producer(t, b.back)
		l := listen(p)
		sent := sending(t, p, "1")
		time.Sleep(7 * time.Second)
		closing(t, p) // waits a minute, and is told meanwhile
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		if err := <-sent; !errors.Is(err, oms.ErrUnavailable) {
			t.Errorf("sent with %v, want unavailable", err)
		}
		time.Sleep(time.Hour)
		l.wants(t, "5s for 5s: unavailable", "10s for 10s: unavailable", "20s for 20s: unavailable", "40s for 40s: unavailable")
		if _, lasting := p.Trouble(); lasting {
			t.Error("a closed producer has trouble")
		}
	})
}

func TestCloseWaitsForWhoeverIsBeingToldOfTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAiling(away(oms.ErrUnavailable))
		p := producer(t, b.back)
		told, release := make(chan struct{}), make(chan struct{})
		p.OnTrouble(func(oms.Trouble) {
			close(told)
			<-release
		})
		sending(t, p, "1")
		<-told
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = p.Close(ctx)
		}()
		time.Sleep(time.Minute)
		select {
		case <-closed:
			t.Error("Close has returned while somebody is being told")
		default:
		}
		close(release)
		<-closed
	})
}

// The default logger is that of the process: this test runs alone.
func TestTroubleIsLoggedWhereNobodyListens(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(p)
	}), nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		b := newAiling(away(oms.ErrFull))
		var r oms.Registry
		r.Register("back", b.back)
		c, err := r.Open(t.Context(), "oms:back://me:hunter22@host/")
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.NewProducer(t.Context(), oms.SenderConfig{})
		if err != nil {
			t.Fatal(err)
		}
		sent := sending(t, p, "1")
		time.Sleep(6 * time.Second)
		b.become(nil)
		<-sent
		synctest.Wait()
		p.OnTrouble(nil) // from here on nobody is told
		b.become(away(oms.ErrFull))
		sent = sending(t, p, "2")
		time.Sleep(time.Minute)
		b.become(nil)
		<-sent
		closing(t, p)
	})
	mu.Lock()
	defer mu.Unlock()
	text := out.String()
	if n := strings.Count(text, "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, text)
	}
	if n := strings.Count(text, "level=INFO"); n != 1 {
		t.Errorf("%d lines that it is over, want one:\n%s", n, text)
	}
	for _, want := range []string{"driver=back", "host", "out of space", "for=5s", "after="} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter22") {
		t.Errorf("the log has the password:\n%s", text)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
