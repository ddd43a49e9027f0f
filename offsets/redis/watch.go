package redis

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// Watch implements offsets.Definitions, by looking at the revision every
// second. It stays with the store that it has found first: one that was
// emptied, or another one in its place, is ErrStateLost, again and again.
func (s *Store) Watch(ctx context.Context, after int64) iter.Seq2[offsets.Definition, error] {
	w := &watch{Store: s}
	return offsets.Follow(ctx, after, w.read, w.changed)
}

const opWatch = "watch definitions"

// A watch belongs to one goroutine.
type watch struct {
	*Store
	id string // of the store that it began with
}

// read returns the present state. The revision is read first: what changes
// after it is seen again.
func (w *watch) read(ctx context.Context) (offsets.Snapshot, error) {
	var err error
	if w.id == "" {
		if w.id, err = w.ID(ctx); err != nil {
			return offsets.Snapshot{}, err
		}
	}
	var s offsets.Snapshot
	if s.Revision, err = w.revision(ctx); err != nil {
		return s, err
	}
	s.Definitions, s.Broken, err = w.definitions(ctx)
	if err != nil {
		return s, err
	}
	if _, err = w.revision(ctx); err != nil { // it may have been emptied in between
		return offsets.Snapshot{}, err
	}
	return s, nil
}

// revision returns the store's, after having made sure that it is the one
// that the watch began with.
func (w *watch) revision(ctx context.Context) (int64, error) {
	if err := w.enter(ctx, opWatch, ""); err != nil {
		return 0, err
	}
	fields, err := w.client.HMGet(ctx, w.keys.meta(), "store_id", "rev").Result()
	if err != nil {
		return 0, w.fail(ctx, opWatch, "", err)
	}
	if id, _ := fields[0].(string); id != w.id {
		return 0, w.fail(ctx, opWatch, "", fmt.Errorf("%w: the store had the id %s and has %q now", offsets.ErrStateLost, w.id, id))
	}
	text, ok := fields[1].(string)
	if !ok {
		return 0, nil // nothing was ever put
	}
	revision, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, w.fail(ctx, opWatch, "", fmt.Errorf("%w: %q is not a revision", oms.ErrFormat, text))
	}
	return revision, nil
}

// changed returns once the revision is another one.
func (w *watch) changed(ctx context.Context, revision int64) error {
	again := time.NewTicker(w.pollInterval)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if now, err := w.revision(ctx); err != nil || now != revision {
			return err
		}
	}
}
