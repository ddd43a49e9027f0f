package window_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/omconnect/omconnect/drivers/internal/window"
	"github.com/omconnect/omconnect/oms"
)

// admitted starts admitting, and returns where its outcome comes. Whoever is
// admitted gives the turn to the next at once.
func admitted(ctx context.Context, w *window.Window, closing <-chan struct{}, count, bytes int) <-chan error {
	out := make(chan error, 1)
	go func() {
		err := w.Admit(ctx, closing, count, bytes)
		if err == nil {
			w.Next()
		}
		out <- err
	}()
	return out
}

func waits(t *testing.T, what string, out <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-out:
		t.Fatalf("%s does not wait: %v", what, err)
	default:
	}
}

func comes(t *testing.T, what string, out <-chan error, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-out:
		if !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	default:
		t.Fatalf("%s waits", what)
	}
}

func TestAFullWindowAdmitsInTheOrderOfCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := window.New(oms.SenderConfig{MaxInFlight: 3, MaxInFlightBytes: 100})
		comes(t, "the first", admitted(t.Context(), w, nil, 2, 10), nil)
		second := admitted(t.Context(), w, nil, 2, 10)
		waits(t, "one too many", second)
		third := admitted(t.Context(), w, nil, 1, 10)
		waits(t, "one for which there is room, behind it", third)
		w.Leave(2, 10)
		comes(t, "the second", second, nil)
		comes(t, "the third", third, nil)
	})
}

func TestWhatIsLargerThanTheWindowHasItForItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := window.New(oms.SenderConfig{MaxInFlight: 10, MaxInFlightBytes: 100})
		comes(t, "a small one", admitted(t.Context(), w, nil, 1, 1), nil)
		large := admitted(t.Context(), w, nil, 1, 1000)
		waits(t, "a large one beside it", large)
		w.Leave(1, 1)
		comes(t, "the large one alone", large, nil)
		small := admitted(t.Context(), w, nil, 1, 1)
		waits(t, "a small one beside it", small)
		w.Leave(1, 1000)
		comes(t, "the small one", small, nil)
	})
}

func TestWhoWaitsForRoomMayGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := window.New(oms.SenderConfig{MaxInFlight: 1, MaxInFlightBytes: 100})
		closing := make(chan struct{})
		comes(t, "the first", admitted(t.Context(), w, closing, 1, 1), nil)
		ctx, cancel := context.WithCancel(t.Context())
		room, turn := admitted(ctx, w, closing, 1, 1), admitted(ctx, w, closing, 1, 1)
		waits(t, "the one for room", room)
		waits(t, "the one for its turn", turn)
		cancel()
		comes(t, "the one for room", room, oms.ErrAborted)
		comes(t, "the one for its turn", turn, oms.ErrAborted)
		comes(t, "one whose context is done", admitted(ctx, w, closing, 1, 1), context.Canceled)
		room, turn = admitted(t.Context(), w, closing, 1, 1), admitted(t.Context(), w, closing, 1, 1)
		waits(t, "the one for room", room)
		close(closing)
		comes(t, "the one for room", room, oms.ErrClosed)
		comes(t, "the one for its turn", turn, oms.ErrClosed)
	})
}
