package connect

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A keeper holds the lease of a task, and renews it until it is released.
type keeper struct {
	store offsets.Leases
	life  context.Context //nolint:containedctx // done when the lease is lost; its cause says why
	lose  context.CancelCauseFunc
	stop  context.CancelFunc
	alone func() bool
	fence *time.Timer   // loses the lease shortly before it ends
	ended chan struct{} // closed when the goroutine of renew has ended

	mu    sync.Mutex
	lease offsets.Lease
	until time.Time // when fence goes off
}

// selfFence is how long before the end of its lease an owner stops: fencing
// positions does not stop its writes into a target.
const selfFence = 2 * time.Second

// storeBound is how long one call of the store may take.
const storeBound = 10 * time.Second

// storeCall bounds a call of the store that would be waited for otherwise
// however long it takes. One that was not answered in time is ErrTimeout.
func storeCall(ctx context.Context, op string, call func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, storeBound)
	defer cancel()
	err := call(bounded)
	if errors.Is(err, context.DeadlineExceeded) && bounded.Err() != nil && ctx.Err() == nil {
		return &oms.Error{Op: op, Code: oms.ErrTimeout, Err: err}
	}
	return err
}

// keep acquires the lease of a task. While alone reports true the lease is not
// lost by time only: nobody is known who could have acquired it, and if one
// has, the renewal tells.
func keep(ctx context.Context, store offsets.Leases, o offsets.Owner, holder string, ttl time.Duration, alone func() bool) (*keeper, error) {
	asked := time.Now() // by the monotonic clock, from before the store was asked
	var l offsets.Lease
	err := storeCall(ctx, "acquire lease", func(ctx context.Context) (err error) {
		l, err = store.Acquire(ctx, o, holder, ttl)
		return err
	})
	if err != nil {
		return nil, err
	}
	life, lose := context.WithCancelCause(context.WithoutCancel(ctx))
	renewing, stop := context.WithCancel(life)
	k := &keeper{
		store: store, life: life, lose: lose, stop: stop, alone: alone, ended: make(chan struct{}),
		lease: l, until: fenceTime(asked, ttl),
	}
	// Not by the goroutine below: a store that hangs must not hold it up.
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fence = time.AfterFunc(time.Until(k.until), func() {
		if k.check() != nil {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if renewing.Err() == nil {
			k.fence.Reset(max(time.Until(k.until), ttl/20))
		}
	})
	go func() {
		defer close(k.ended)
		defer k.fence.Stop()
		if err := k.renew(renewing, ttl); err != nil {
			lose(err)
		}
	}()
	return k, nil
}

func fenceTime(asked time.Time, ttl time.Duration) time.Time {
	return asked.Add(ttl - min(selfFence, ttl/5))
}

// check returns nil while the lease is held, and why it was lost when it is
// not. It does not rely on the timer: a process that was stopped for a while
// may go on before its timers do.
func (k *keeper) check() error {
	k.mu.Lock()
	late, lease := !time.Now().Before(k.until), k.lease
	k.mu.Unlock()
	if late && !k.alone() {
		k.lose(&oms.Error{Op: "keep lease", Target: lease.Owner.String(), Code: oms.ErrUnavailable, Err: errors.New("the store did not renew it in time")})
	}
	return context.Cause(k.life)
}

// renew renews the lease every third of its time, and tries again soon when
// that fails. It returns an error when the lease is lost.
func (k *keeper) renew(ctx context.Context, ttl time.Duration) error {
	for wait := ttl / 3; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		asked := time.Now()
		attempt, cancel := context.WithTimeout(ctx, ttl/8)
		l, err := k.store.Renew(attempt, k.current(), ttl)
		cancel()
		switch {
		case err == nil:
			k.mu.Lock()
			k.lease, k.until = l, fenceTime(asked, ttl)
			k.fence.Reset(time.Until(k.until))
			k.mu.Unlock()
			wait = ttl / 3
		case errors.Is(err, oms.ErrFenced), errors.Is(err, offsets.ErrStateLost):
			return err
		default:
			wait = ttl / 20
		}
	}
}

func (k *keeper) current() offsets.Lease {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lease
}

// release gives the lease back.
func (k *keeper) release(ctx context.Context) error {
	k.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonAfter)
	defer cancel()
	select {
	case <-k.ended:
	case <-ctx.Done():
	}
	return k.store.Release(ctx, k.current())
}
