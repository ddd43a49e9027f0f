package sleep_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
)

func TestTheWholeTimePasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := sleep.For(t.Context(), time.Hour); err != nil {
			t.Error(err)
		}
		if passed := time.Since(begin); passed != time.Hour {
			t.Errorf("%v have passed, want an hour", passed)
		}
	})
}

func TestTheContextEndsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := sleep.For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the error of the context", err)
		}
		for range 100 { // it was done before: that is no matter of chance
			if err := sleep.For(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want the error of the context", err)
			}
		}
		if passed := time.Since(begin); passed != time.Minute {
			t.Errorf("%v have passed, want a minute", passed)
		}
	})
}
