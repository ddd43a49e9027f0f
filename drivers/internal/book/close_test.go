package book_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/omconnect/omconnect/drivers/internal/book"
	"github.com/omconnect/omconnect/oms"
)

func TestCloseWaitsForWhatWasLetIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newBook(1)
		c := begin(t, k, 1)
		inLine := make(chan error, 1)
		go k.Begin(t.Context(), messages(1), func(err error) { inLine <- err })
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- k.Close(t.Context(), func() { t.Error("it gives up") }) }()
		if err := <-inLine; !errors.Is(err, oms.ErrClosed) {
			t.Errorf("what stands in line is told %v, want ErrClosed", err)
		}
		synctest.Wait()
		if len(closed) > 0 {
			t.Fatal("it is closed with a batch open")
		}
		c.end(1, nil)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if k.GaveUp() {
			t.Error("it gave up")
		}
		var told error
		if k.Begin(t.Context(), messages(1), func(err error) { told = err }) != nil || !errors.Is(told, oms.ErrClosed) {
			t.Errorf("a batch for a closed book is told %v, want ErrClosed", told)
		}
		if err := k.Close(t.Context(), func() { t.Error("it gives up") }); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
}

func TestCloseGivesUpWithItsContextAndStillHasAllTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newBook(10)
		first, second := begin(t, k, 2), begin(t, k, 1)
		first.Settle(1, nil)
		ctx, cancel := context.WithCancel(t.Context())
		closed := make(chan error, 1)
		var gaveUp []*book.Batch
		go func() {
			closed <- k.Close(ctx, func() {
				if !k.GaveUp() {
					t.Error("what is handed over meanwhile cannot know it")
				}
				gaveUp = append(gaveUp, first.Batch)
				first.Settle(0, oms.ErrUnknown)
				first.Handed()
			})
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if len(gaveUp) != 1 {
			t.Fatalf("it gave up %d times", len(gaveUp))
		}
		if len(closed) > 0 {
			t.Fatal("it is closed with a batch open")
		}
		second.end(1, oms.ErrAborted)
		if err := <-closed; !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v, want the error of its context", err)
		}
		if oms.CodeOf(first.told[0]) != oms.ErrUnknown || oms.CodeOf(second.told[0]) != oms.ErrAborted {
			t.Errorf("told %v and %v", first.told, second.told)
		}
	})
}
