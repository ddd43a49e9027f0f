package connect

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/oms"
)

type idle struct{ Hooks }

func (idle) Poll(context.Context) ([]*oms.Message, error) { return nil, nil }

func newIdle(t *testing.T) *instance {
	t.Helper()
	p := Plugin{Class: "idle", Kind: KindSource, New: func(Env) (Connector, error) { return idle{}, nil }}
	in, err := newInstance(t.Context(), p, Env{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestCallsOfAnInstanceAreMadeOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newIdle(t)
		defer in.release()
		running, most := 0, 0 // without a lock: the race detector looks too
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := in.call(t.Context(), "Poll", time.Hour, func(context.Context) error {
					running++
					most = max(most, running)
					time.Sleep(time.Second)
					running--
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if most != 1 {
			t.Errorf("%d calls at once, want one", most)
		}
	})
}

// Around the moment at which an instance is abandoned: either the call's own
// outcome counts, or the instance is abandoned and nothing is called any more.
func TestInstanceIsAbandonedOrNotAndNothingInBetween(t *testing.T) {
	const bound = 10 * time.Second
	for _, late := range []time.Duration{-time.Second, -1, 0, 1, time.Second} {
		for range 50 {
			synctest.Test(t, func(t *testing.T) {
				in := newIdle(t)
				defer in.release()
				before := LateReturns()
				mine := errors.New("mine")
				err := in.call(t.Context(), "Poll", bound, func(context.Context) error {
					time.Sleep(bound + abandonAfter + late)
					return mine
				})
				abandoned := errors.Is(err, errStuck)
				if !abandoned && !errors.Is(err, mine) || late < 0 && abandoned || late > 0 && !abandoned {
					t.Fatalf("a hook that is %v late: %v", late, err)
				}
				time.Sleep(time.Minute)
				called := false
				err = in.call(t.Context(), "OnStop", bound, func(context.Context) error { called = true; return nil })
				if called == abandoned || errors.Is(err, errStuck) != abandoned {
					t.Fatalf("abandoned: %v, and the next hook was called: %v, %v", abandoned, called, err)
				}
				if counted := LateReturns() - before; (counted == 1) != abandoned {
					t.Fatalf("abandoned: %v, and %d late returns were counted", abandoned, counted)
				}
			})
		}
	}
}

func TestBoundOfAHookIsInItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newIdle(t)
		began := time.Now()
		err := in.call(t.Context(), "Poll", time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if took := time.Since(began); took != time.Minute || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v, want the end of the context after a minute", took, err)
		}
		in.release()
		synctest.Wait()
		err = in.call(t.Context(), "Poll", time.Minute, func(context.Context) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "released") {
			t.Errorf("a call after release: %v, want an error", err)
		}
	})
}
