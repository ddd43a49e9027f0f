package offsetstest

import (
	"context"
	"errors"
	"sync"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var watchRules = []rule{
	{"WatchInitial", "Watch yields every definition above the revision given, tombstones included", always, checkWatchInitial},
	{"WatchChanges", "Watch yields each later change, and no other definition with it", always, checkWatchChanges},
	{"WatchRemoval", "a removed definition is yielded once more with the target REMOVED, one it was not told of too", always, checkWatchRemoval},
	{"WatchRecreated", "a definition that is made anew is yielded with its new content", always, checkWatchRecreated},
	{"WatchEnds", "Watch ends when its context does, and when the consumer has enough", always, checkWatchEnds},
	{"WatchTwice", "watchers do not disturb each other", always, checkWatchTwice},
	{"WatchClosed", "Watch tells that the store was closed, and ends", always, checkWatchClosed},
}

// A watcher runs Watch in a goroutine of its own.
type watcher struct {
	*bench
	events chan event
	stop   context.CancelFunc
	done   sync.WaitGroup
}

type event struct {
	offsets.Definition
	err error
}

// watch starts a watcher; the caller ends it.
func (b *bench) watch(ctx context.Context, after int64) *watcher {
	ctx, stop := context.WithCancel(ctx)
	w := &watcher{bench: b, events: make(chan event), stop: stop}
	w.done.Go(func() {
		defer close(w.events)
		for d, err := range b.Watch(ctx, after) {
			select {
			case w.events <- event{d, err}:
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

func (w *watcher) end() {
	w.stop()
	w.done.Wait()
}

// next fails unless d is what comes next.
func (w *watcher) next(ctx context.Context, d offsets.Definition) {
	select {
	case got, ok := <-w.events:
		switch {
		case !ok:
			w.fail("the watch ended before %s came", d.Name)
		case got.err != nil:
			w.fail("the watch yields the error %w", got.err)
		case d.Target == offsets.TargetRemoved && got.Revision > d.Revision:
			d.Revision = got.Revision // of the removal
		}
		if !sameDefinition(got.Definition, d) {
			w.fail("the watch yields %+v, want %+v", got.Definition, d)
		}
	case <-ctx.Done():
		w.fail("the watch does not yield %+v", d)
	}
}

func removed(d offsets.Definition) offsets.Definition {
	d.Target = offsets.TargetRemoved
	return d
}

func checkWatchInitial(ctx context.Context, b *bench) {
	first := b.put(ctx, definition("z"))
	second := definition("a")
	second.Deleted = true
	second = b.put(ctx, second)
	all := b.watch(ctx, 0)
	defer all.end()
	all.next(ctx, second) // by name
	all.next(ctx, first)
	some := b.watch(ctx, first.Revision)
	defer some.end()
	some.next(ctx, second)
	none := b.watch(ctx, second.Revision)
	defer none.end()
	third := b.put(ctx, definition("m"))
	for _, w := range []*watcher{all, some, none} {
		w.next(ctx, third)
	}
}

func checkWatchChanges(ctx context.Context, b *bench) {
	b.put(ctx, definition("still"))
	d := b.put(ctx, definition("c"))
	w := b.watch(ctx, d.Revision)
	defer w.end()
	for _, change := range []func(*offsets.Definition){
		func(d *offsets.Definition) { d.Target = offsets.TargetPaused },
		func(d *offsets.Definition) { d.Restarts++ },
		func(d *offsets.Definition) { d.Config = map[string]string{"new": "one"} },
		func(d *offsets.Definition) { d.Deleted = true },
		func(*offsets.Definition) {},
	} {
		change(&d)
		d = b.put(ctx, d)
		w.next(ctx, d)
	}
	created := b.put(ctx, definition("b"))
	w.next(ctx, created)
}

func checkWatchRemoval(ctx context.Context, b *bench) {
	told, untold := b.put(ctx, definition("told")), b.put(ctx, definition("untold"))
	all, late := b.watch(ctx, 0), b.watch(ctx, untold.Revision)
	defer all.end()
	defer late.end()
	all.next(ctx, told)
	all.next(ctx, untold)
	marker := b.put(ctx, definition("marker")) // both have read the store once
	all.next(ctx, marker)
	late.next(ctx, marker)
	b.ok("remove", b.Remove(ctx, "told", told.Revision, false))
	all.next(ctx, removed(told))
	late.next(ctx, removed(told))
	b.ok("remove", b.Remove(ctx, "untold", untold.Revision, true))
	all.next(ctx, removed(untold))
	late.next(ctx, removed(untold))
	after := b.put(ctx, definition("after"))
	all.next(ctx, after)
	late.next(ctx, after)
}

func checkWatchRecreated(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("c"))
	w := b.watch(ctx, 0)
	defer w.end()
	w.next(ctx, d)
	b.ok("remove", b.Remove(ctx, "c", d.Revision, false))
	w.next(ctx, removed(d))
	again := definition("c")
	again.Target = offsets.TargetStopped
	w.next(ctx, b.put(ctx, again))
}

func checkWatchEnds(ctx context.Context, b *bench) {
	b.put(ctx, definition("a"))
	b.put(ctx, definition("c"))
	w := b.watch(ctx, 1<<40)
	w.end() // hangs, and the rule with it, unless Watch ends
	n := 0
	for _, err := range b.Watch(ctx, 0) {
		b.ok("watch", err)
		n++
		break
	}
	if n != 1 {
		b.fail("Watch yielded %d definitions before the consumer could stop it", n)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	for d, err := range b.Watch(done, 0) {
		b.fail("Watch yields %s, %v although its context is done", d.Name, err)
	}
}

func checkWatchTwice(ctx context.Context, b *bench) {
	one, two := b.watch(ctx, 0), b.watch(ctx, 0)
	defer one.end()
	defer two.end()
	d := b.put(ctx, definition("c"))
	one.next(ctx, d)
	one.end()
	two.next(ctx, d)
	d = b.put(ctx, d)
	two.next(ctx, d)
}

func checkWatchClosed(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("c"))
	w := b.watch(ctx, 0)
	defer w.end()
	w.next(ctx, d)
	b.ok("close", b.Close())
	select {
	case got, ok := <-w.events:
		if !ok || !errors.Is(got.err, oms.ErrClosed) {
			b.fail("the watch yields %+v after Close, want ErrClosed", got)
		}
	case <-ctx.Done():
		b.fail("the watch says nothing after Close")
	}
	if got, ok := <-w.events; ok {
		b.fail("the watch goes on after Close: %+v", got)
	}
}
