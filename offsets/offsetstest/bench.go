package offsetstest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// forever is the time of a lease that must not end during a rule.
const forever = time.Hour

// A bench is a store on trial. Its methods that find the contract broken end
// the check by panicking with a failure; they are for its goroutine only.
type bench struct {
	offsets.Store
	harness Harness
}

// A failure ends a check.
type failure struct{ error }

func (b *bench) fail(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}

// ok fails unless err is nil.
func (b *bench) ok(what string, err error) {
	if err != nil {
		b.fail("%s: %w", what, err)
	}
}

// refused fails unless err has the code and is coded for oms.CodeOf.
func (b *bench) refused(what string, err error, code oms.Code) {
	switch {
	case err == nil:
		b.fail("%s: it is done, want the error %q", what, code)
	case !errors.Is(err, code), oms.CodeOf(err) != code:
		b.fail("%s: the code of %q is %q, want %q", what, err, oms.CodeOf(err), code)
	}
}

// names fails unless the text of err has all the parts.
func (b *bench) names(err error, parts ...string) {
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			b.fail("the error %q does not name %q", err, part)
		}
	}
}

// reopen closes the store and opens it again.
func (b *bench) reopen() {
	b.ok("close", b.Close())
	store, err := b.harness.Open()
	b.ok("open again", err)
	b.Store = store
}

// acquire returns a lease that lasts.
func (b *bench) acquire(ctx context.Context, connector string, task int, holder string) offsets.Lease {
	l, err := b.Acquire(ctx, offsets.Owner{Connector: connector, Task: task}, holder, forever)
	b.ok("acquire for "+holder, err)
	return l
}

// pass lets d go by and then waits until cond holds.
func (b *bench) pass(ctx context.Context, d time.Duration, what string, cond func() (bool, error)) {
	if b.harness.Advance != nil {
		b.harness.Advance(d)
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		done, err := cond()
		b.ok(what, err)
		if done {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			b.fail("%s does not happen", what)
		}
	}
}

// expire lets a lease of the given time end, and acquires it for b.
func (b *bench) expire(ctx context.Context, o offsets.Owner, ttl time.Duration) offsets.Lease {
	var l offsets.Lease
	b.pass(ctx, ttl, "the end of the lease", func() (done bool, err error) {
		l, err = b.Acquire(ctx, o, "b", forever)
		if errors.Is(err, oms.ErrHeld) {
			return false, nil
		}
		return true, err
	})
	return l
}

// stored fails unless the connector's positions are exactly these.
func (b *bench) stored(ctx context.Context, connector string, want map[offsets.Partition]offsets.Position) {
	got, err := b.Load(ctx, connector)
	b.ok("load", err)
	if !maps.Equal(got, want) {
		b.fail("the positions of %q are %s, want %s", connector, brief(got), brief(want))
	}
}

func brief(ps map[offsets.Partition]offsets.Position) string {
	if len(ps) > 10 {
		return fmt.Sprintf("%d positions", len(ps))
	}
	return fmt.Sprint(ps)
}

// positions makes a map of partitions and positions in turn.
func positions(s ...string) map[offsets.Partition]offsets.Position {
	ps := make(map[offsets.Partition]offsets.Position, len(s)/2)
	for pair := range slices.Chunk(s, 2) {
		ps[offsets.Partition(pair[0])] = offsets.Position(pair[1])
	}
	return ps
}

// definition returns a definition for a name, not put yet.
func definition(name string) offsets.Definition {
	return offsets.Definition{
		Name: name, Target: offsets.TargetRunning, Origin: offsets.OriginAPI,
		Config: map[string]string{"connector.class": "log-sink", "topics": "t"},
	}
}

// put stores d and returns it with its revision.
func (b *bench) put(ctx context.Context, d offsets.Definition) offsets.Definition {
	revision, err := b.Put(ctx, d)
	b.ok("put "+d.Name, err)
	d.Revision = revision
	return d
}

// together runs f n times at once and returns the errors in order.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// won returns the index of the one call that succeeded, and fails unless all
// others have the code.
func (b *bench) won(errs []error, code oms.Code) int {
	winner := -1
	for i, err := range errs {
		switch {
		case err != nil:
			b.refused("a call that lost", err, code)
		case winner >= 0:
			b.fail("two calls won")
		default:
			winner = i
		}
	}
	if winner < 0 {
		b.fail("no call won")
	}
	return winner
}
