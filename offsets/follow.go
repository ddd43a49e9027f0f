package offsets

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// A Snapshot is what a store has of definitions at one moment.
type Snapshot struct {
	Revision    int64            // of the latest change, removals included
	Definitions []Definition     // in order of names
	Broken      map[string]error // by name, those that cannot be read
}

// retryWatch is how long Follow waits after an error.
const retryWatch = time.Second

// Follow makes a Watch out of a store that can be read as a whole: read
// returns the present state, and changed returns once the state is no longer
// that of the revision given. It runs in the caller's goroutine. An error of
// the code ErrClosed is the last thing that it yields.
func Follow(
	ctx context.Context, after int64,
	read func(context.Context) (Snapshot, error),
	changed func(ctx context.Context, revision int64) error,
) iter.Seq2[Definition, error] {
	return func(yield func(Definition, error) bool) {
		f := follower{after: after, seen: make(map[string]Definition), broken: make(map[string]string)}
		for ctx.Err() == nil {
			snapshot, err := read(ctx)
			if err == nil {
				if !f.tell(ctx, snapshot, yield) {
					return
				}
				err = changed(ctx, snapshot.Revision)
			}
			if err == nil {
				continue
			}
			if ctx.Err() != nil || !yield(Definition{}, err) || errors.Is(err, oms.ErrClosed) {
				return
			}
			if sleep.For(ctx, retryWatch) != nil {
				return
			}
		}
	}
}

// A follower knows what a watcher has been told.
type follower struct {
	after  int64
	seen   map[string]Definition
	broken map[string]string
}

// tell yields what is different in the snapshot. It returns false when the
// watcher wants no more.
func (f *follower) tell(ctx context.Context, s Snapshot, yield func(Definition, error) bool) bool {
	there := make(map[string]bool, len(s.Definitions)+len(s.Broken))
	for _, d := range s.Definitions {
		there[d.Name] = true
		delete(f.broken, d.Name)
		last, known := f.seen[d.Name]
		f.seen[d.Name] = d
		if d.Revision <= f.after || known && d.Revision == last.Revision {
			continue
		}
		if ctx.Err() != nil || !yield(d.clone(), nil) {
			return false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Broken)) {
		there[name] = true
		text := s.Broken[name].Error()
		if f.broken[name] == text {
			continue // told already
		}
		f.broken[name] = text
		if ctx.Err() != nil || !yield(Definition{}, s.Broken[name]) {
			return false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.seen)) {
		if there[name] {
			continue
		}
		d := f.seen[name].clone()
		delete(f.seen, name)
		d.Target, d.Revision = TargetRemoved, s.Revision
		if ctx.Err() != nil || !yield(d, nil) {
			return false
		}
	}
	return true
}

func (d Definition) clone() Definition {
	d.Config = maps.Clone(d.Config)
	return d
}
