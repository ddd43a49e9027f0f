package connect

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// awayLeases renews nothing while it is away.
type awayLeases struct{ away atomic.Bool }

func (l *awayLeases) Acquire(_ context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
	return offsets.Lease{Owner: o, Holder: holder, Token: "1:a", TTL: ttl}, nil
}

func (l *awayLeases) Renew(_ context.Context, lease offsets.Lease, _ time.Duration) (offsets.Lease, error) {
	if l.away.Load() {
		return lease, &oms.Error{Op: "renew", Code: oms.ErrUnavailable}
	}
	return lease, nil
}

func (l *awayLeases) Release(context.Context, offsets.Lease) error { return nil }

func keepIn(t *testing.T, store *awayLeases, alone *atomic.Bool) *keeper {
	t.Helper()
	k, err := keep(t.Context(), store, offsets.Owner{Connector: "in"}, "gateway", 10*time.Second, alone.Load)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A process that was stopped and goes on may do something before its timers
// go off: what asks for the lease then is told the truth.
func TestALeaseThatHasEndedIsNotHeldEvenBeforeTheTimerSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, alone := new(awayLeases), new(atomic.Bool)
		k := keepIn(t, store, alone)
		time.Sleep(time.Minute)
		if err := k.check(); err != nil {
			t.Fatalf("while it is renewed: %v", err)
		}
		store.away.Store(true)
		time.Sleep(time.Second)
		k.fence.Stop() // its time comes, and it does not go off
		time.Sleep(10 * time.Second)
		if err := k.life.Err(); err != nil {
			t.Fatalf("something else than check ended it: %v", err)
		}
		err := k.check()
		if !errors.Is(err, oms.ErrUnavailable) || !errors.Is(context.Cause(k.life), oms.ErrUnavailable) {
			t.Errorf("check = %v, and the life ended by %v; want ErrUnavailable for both", err, context.Cause(k.life))
		}
		if err := k.release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestALeaseThatNobodyElseCanHaveIsHeldWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, alone := new(awayLeases), new(atomic.Bool)
		alone.Store(true)
		k := keepIn(t, store, alone)
		store.away.Store(true)
		time.Sleep(time.Hour)
		if err := k.check(); err != nil {
			t.Errorf("alone: %v", err)
		}
		alone.Store(false) // another gateway is there
		time.Sleep(time.Second)
		if err := k.life.Err(); err == nil {
			t.Error("the timer did not end it when somebody else had come")
		}
		if err := k.release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
