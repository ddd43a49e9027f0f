package connect

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A committer writes the positions of one task to the store.
type committer struct {
	store   offsets.Positions
	lease   *keeper
	tracker *tracker
	every   time.Duration
	logger  *slog.Logger

	// Taken from the tracker and not yet in the store. They belong to the
	// goroutine of run, and after it to that of finish.
	taken   map[offsets.Partition]offsets.Position
	records int

	mu      sync.Mutex
	durable map[offsets.Partition]offsets.Position // committed, and the source not yet told
}

func newCommitter(store offsets.Positions, lease *keeper, t *tracker, every time.Duration, logger *slog.Logger) *committer {
	return &committer{
		store: store, lease: lease, tracker: t, every: every, logger: logger,
		taken: make(map[offsets.Partition]offsets.Position), durable: make(map[offsets.Partition]offsets.Position),
	}
}

// run commits every interval, and a full load at once, until ctx is done. It
// returns an error that the task cannot go on with; while the store is away it
// tries again.
func (c *committer) run(ctx context.Context) error {
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-c.tracker.full:
		}
		if err := c.commit(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// finish commits what is confirmed, once it is durable at the broker. The
// context bounds it.
func (c *committer) finish(ctx context.Context) error {
	for {
		if err := c.commit(ctx); err != nil {
			return err
		}
		unconfirmed, waiting, _ := c.tracker.load()
		if waiting == 0 {
			return nil
		}
		if unconfirmed > 0 && c.tracker.blocked() {
			return nil // what is confirmed stands behind something that is not
		}
		select {
		case <-ctx.Done():
			return &Outcome{Stage: StageCommit, Err: &oms.Error{Op: "wait until confirmed records are durable", Code: oms.ErrTimeout, Err: ctx.Err()}}
		case <-time.After(max(c.tracker.durableAfter/4, time.Millisecond)):
		}
	}
}

// commit writes what may be committed now. Invariant 4: the store checks the
// lease.
func (c *committer) commit(ctx context.Context) error {
	ps, records := c.tracker.take()
	maps.Copy(c.taken, ps)
	c.records += records
	if c.records == 0 {
		return nil
	}
	if len(c.taken) > 0 {
		if err := c.write(ctx, c.taken); err != nil {
			return err
		}
		c.mu.Lock()
		maps.Copy(c.durable, c.taken)
		c.mu.Unlock()
	}
	c.tracker.committed(c.records)
	c.records = 0
	clear(c.taken)
	return nil
}

// write tries until the store has the positions, or says that it never will.
func (c *committer) write(ctx context.Context, ps map[offsets.Partition]offsets.Position) error {
	backoff := restartPolicy{first: 100 * time.Millisecond, most: 5 * time.Second}
	for attempt := 1; ; attempt++ {
		err := storeCall(ctx, "commit positions", func(ctx context.Context) error { return c.store.Commit(ctx, c.lease.current(), ps) })
		if err == nil {
			return nil
		}
		if !oms.IsTemporary(err) {
			return &Outcome{Stage: StageCommit, Err: err}
		}
		if attempt == 1 {
			c.logger.Warn("the store does not take positions; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return &Outcome{Stage: StageCommit, Err: err}
		case <-time.After(backoff.wait(attempt)):
		}
	}
}

// news returns the positions that have become durable since the last call.
// Invariant 3: only those come from here that the store has confirmed.
func (c *committer) news() []oms.Origin {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.durable) == 0 {
		return nil
	}
	origins := make([]oms.Origin, 0, len(c.durable))
	for part, pos := range c.durable {
		origins = append(origins, oms.Origin{Partition: string(part), Position: string(pos)})
	}
	clear(c.durable)
	return origins
}
