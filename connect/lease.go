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
	stop  context.CancelFunc
	fence *time.Timer   // loses the lease shortly before it ends
	ended chan struct{} // closed when the goroutine of renew has ended

	mu    sync.Mutex
	lease offsets.Lease
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
	k := &keeper{store: store, life: life, stop: stop, ended: make(chan struct{}), lease: l}
	// Not by the goroutine below: a store that hangs must not hold it up.
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fence = time.AfterFunc(untilFence(asked, ttl), func() {
		if alone() {
			k.mu.Lock()
			defer k.mu.Unlock()
			if renewing.Err() == nil {
				k.fence.Reset(ttl / 20)
			}
			return
		}
		lose(&oms.Error{Op: "keep lease", Target: o.String(), Code: oms.ErrUnavailable, Err: errors.New("the store did not renew it in time")})
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

func untilFence(asked time.Time, ttl time.Duration) time.Duration {
	return time.Until(asked.Add(ttl - min(selfFence, ttl/5)))
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
			k.fence.Reset(untilFence(asked, ttl))
			k.mu.Lock()
			k.lease = l
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
