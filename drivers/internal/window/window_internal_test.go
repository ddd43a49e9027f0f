package window

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/omconnect/omconnect/oms"
)

func TestRoomIsGivenInTheOrderOfAsking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(oms.SenderConfig{MaxInFlight: 2, MaxInFlightBytes: 100})
		never := make(chan struct{})
		if err := w.Admit(t.Context(), never, 2, 20); err != nil {
			t.Fatal(err)
		}
		w.Next()
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if err := w.Admit(t.Context(), never, 1, 10); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				w.Next()
			})
			synctest.Wait() // it stands in line
		}
		for range 5 {
			w.Leave(1, 10)
			synctest.Wait()
		}
		wg.Wait()
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(order, want) {
			t.Errorf("room was given in the order %v, want %v", order, want)
		}
	})
}

func TestAWindowIsFullByCountAndByBytes(t *testing.T) {
	t.Parallel()
	w := New(oms.SenderConfig{MaxInFlight: 3, MaxInFlightBytes: 100})
	for _, step := range []struct {
		count, bytes int
		fits         bool
	}{
		{1, 40, true},
		{1, 70, false}, // bytes
		{3, 1, false},  // count
		{2, 60, true},
		{1, 1, false},
	} {
		if fits := w.enter(step.count, step.bytes); fits != step.fits {
			t.Errorf("%d messages of %d bytes fit: %v, want %v", step.count, step.bytes, fits, step.fits)
		}
	}
	w.Leave(3, 100)
	if !w.enter(50, 5000) {
		t.Error("what is larger than the window does not fit into an empty one")
	}
	if w.enter(0, 0) {
		t.Error("something fits beside what is larger than the window")
	}
}

func TestATurnThatWasGivenUpIsFree(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]oms.Code{"the caller gives up": oms.ErrAborted, "the sender closes": oms.ErrClosed} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := New(oms.SenderConfig{MaxInFlight: 1, MaxInFlightBytes: 1})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				closing := make(chan struct{})
				if err := w.Admit(ctx, closing, 1, 1); err != nil {
					t.Fatal(err)
				}
				w.Next()
				ended := make(chan error, 2)
				for range 2 { // one waits for room, the other for the turn
					go func() { ended <- w.Admit(ctx, closing, 1, 1) }()
				}
				synctest.Wait()
				if want == oms.ErrClosed {
					close(closing)
				} else {
					cancel()
				}
				for range 2 {
					if err := <-ended; !errors.Is(err, want) {
						t.Errorf("Admit: %v, want %v", err, want)
					}
				}
				w.Leave(1, 1) // and the turn is free again
				if err := w.Admit(t.Context(), make(chan struct{}), 1, 1); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
