package omstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A catch is a message, and which of the members received it.
type catch struct {
	by  int
	msg *oms.Message
}

// A reaping is several members receiving at once.
type reaping struct {
	members []*member
	// want are the bodies that must come, each once at least.
	want []string
	// enough, where it is set, says instead whether all that must come has.
	// It is called by one goroutine at a time.
	enough func(got []catch) bool
	// handle is called with what a member received; where it is not set, that
	// is acknowledged.
	handle func(i int, msgs []*oms.Message) error
	// linger is how long to go on when all has come.
	linger time.Duration
	// patience is how long nothing new may come; that of the harness.
	patience time.Duration
}

// reap receives until there is enough, and returns all that came, in the order
// of arrival. Temporary errors are waited through: it is the driver that mends
// them.
func (b *bench) reap(r reaping) []catch {
	if r.patience == 0 {
		r.patience = b.h.patience()
	}
	if r.handle == nil {
		r.handle = func(i int, msgs []*oms.Message) error { return unlessStale(r.members[i].Ack(b.ctx, msgs...)) }
	}
	f := newField(r)
	ctx, stop := context.WithCancel(b.ctx)
	var wg sync.WaitGroup
	for i := range r.members {
		wg.Go(func() { f.work(ctx, i) })
	}
	why := f.watch(b.ctx)
	stop()
	wg.Wait()
	b.ok("receive", why)
	return f.got
}

// A field is where a reaping takes place.
type field struct {
	reaping
	news   chan struct{} // something new came
	full   chan struct{} // there is enough
	failed chan error

	mu      sync.Mutex
	got     []catch
	seen    map[string]bool
	missing map[string]bool
	closed  bool // full is
}

func newField(r reaping) *field {
	f := &field{
		reaping: r, news: make(chan struct{}, 1), full: make(chan struct{}), failed: make(chan error, len(r.members)),
		seen: make(map[string]bool), missing: make(map[string]bool),
	}
	for _, body := range r.want {
		f.missing[body] = true
	}
	f.note(0, nil)
	return f
}

// watch returns when there is enough, or why there will not be.
func (f *field) watch(ctx context.Context) error {
	idle := time.NewTimer(f.patience)
	defer idle.Stop()
	for {
		select {
		case <-f.full:
			return f.rest(ctx)
		case err := <-f.failed:
			return err
		case <-f.news:
			idle.Reset(f.patience)
		case <-idle.C:
			return f.lacking()
		case <-ctx.Done():
			return errors.Join(f.lacking(), ctx.Err())
		}
	}
}

// rest lets more come for a while.
func (f *field) rest(ctx context.Context) error {
	timer := time.NewTimer(f.linger)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-f.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *field) lacking() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.want) == 0 {
		return fmt.Errorf("nothing more comes after %d messages, the last ones were %q", len(f.got), tail(caught(f.got)))
	}
	return fmt.Errorf("%d of %d messages do not come, such as %q", len(f.missing), len(f.want), anyOf(f.missing))
}

// work is the goroutine of a member.
func (f *field) work(ctx context.Context, i int) {
	for ctx.Err() == nil {
		msgs, err := f.members[i].Receive(ctx, 100, 250*time.Millisecond)
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case oms.IsTemporary(err):
			pause(ctx, 50*time.Millisecond)
			continue
		case err != nil:
			f.failed <- err
			return
		}
		f.note(i, msgs)
		if len(msgs) == 0 {
			continue
		}
		if err := f.handle(i, msgs); err != nil && ctx.Err() == nil {
			f.failed <- fmt.Errorf("handle: %w", err)
			return
		}
	}
}

// note takes messages in before they are handled, so that nothing that is
// delivered because they were comes before them.
func (f *field) note(i int, msgs []*oms.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh := false
	for _, m := range msgs {
		body := string(m.Body)
		f.got = append(f.got, catch{i, m})
		fresh = fresh || !f.seen[body]
		f.seen[body] = true
		delete(f.missing, body)
	}
	if fresh {
		select {
		case f.news <- struct{}{}:
		default:
		}
	}
	enough := len(f.missing) == 0
	if f.enough != nil {
		enough = f.enough(f.got)
	}
	if enough && !f.closed {
		f.closed = true
		close(f.full)
	}
}

// pause waits for d, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// unlessStale returns err, or nil when it says that messages have gone to
// another session.
func unlessStale(err error) error {
	if errors.Is(err, oms.ErrStaleDelivery) {
		return nil
	}
	return err
}

// caught returns the bodies of what came.
func caught(got []catch) []string {
	texts := make([]string, len(got))
	for i, c := range got {
		texts[i] = string(c.msg.Body)
	}
	return texts
}

// exactly fails unless got are want, each once, in whatever order.
func (b *bench) exactly(what string, got, want []string) {
	left := make(map[string]int, len(want))
	for _, w := range want {
		left[w]++
	}
	var extra []string
	for _, g := range got {
		left[g]--
		if left[g] < 0 {
			extra = append(extra, g)
		}
	}
	var missing []string
	for _, w := range want {
		if left[w] > 0 {
			missing = append(missing, w)
			left[w]--
		}
	}
	if len(extra)+len(missing) > 0 {
		b.fail("%s: %d messages are missing, such as %q, and %d too many, such as %q",
			what, len(missing), tail(missing), len(extra), tail(extra))
	}
}

// includes fails unless every one of want is among got.
func (b *bench) includes(what string, got, want []string) {
	for _, w := range want {
		if !slices.Contains(got, w) {
			b.fail("%s: %q is not among the %d messages that came: %q", what, w, len(got), tail(got))
		}
	}
}

// excludes fails if one of unwanted is among got.
func (b *bench) excludes(what string, got, unwanted []string) {
	for _, u := range unwanted {
		if slices.Contains(got, u) {
			b.fail("%s: %q came", what, u)
		}
	}
}
