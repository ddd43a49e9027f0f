package connecttest

import (
	"context"
	"fmt"
	"maps"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var splitRules = []rule{
	{"Split", "Split makes between one task and as many as are allowed, with valid configurations, and together they read everything once", splits, checkSplit},
}

func splits(b *bench) bool {
	_, is := b.sample.(connect.Splitter)
	return is
}

func checkSplit(ctx context.Context, b *bench) {
	b.writeAll()
	for _, limit := range []int{1, 2, 3, 7} {
		l := b.create(ctx)
		config := b.complete()
		before := config.Clone()
		var parts []oms.KeyValue
		l.must(ctx, "Split", func(ctx context.Context) (err error) {
			parts, err = l.conn.(connect.Splitter).Split(ctx, config, limit)
			return err
		})
		if len(parts) == 0 || len(parts) > limit {
			fail("Split returns %d tasks, and may return 1 to %d", len(parts), limit)
		}
		if !maps.Equal(config, before) {
			fail("Split has changed the configuration that it was given; config.Clone() makes another")
		}
		if err := b.runParts(ctx, parts); err != nil {
			fail("with at most %d tasks: %w", limit, err)
		}
	}
}

// runParts runs the tasks side by side, as far as the kit can: each is polled
// after the other, none is stopped before all have ended.
func (b *bench) runParts(ctx context.Context, parts []oms.KeyValue) error {
	owners := make(map[string]int) // of partitions
	tasks := make([]*reader, len(parts))
	var got []record
	for i, part := range parts {
		if err := b.validate(part); err != nil {
			return fmt.Errorf("the configuration of task %d is not valid: %w", i, err)
		}
		tasks[i] = &reader{life: b.createTask(ctx, b.plugin.Def.Complete(part), i, len(parts))}
		tasks[i].start(ctx)
	}
	for i, r := range tasks {
		if b.source.EachTask {
			r.until(ctx, b.written)
			r.want(b.written)
		} else {
			r.rest(ctx, b.share(tasks, i))
		}
		for _, rec := range r.got {
			if owner, is := owners[rec.origin.Partition]; is && owner != i && rec.Origin != nil {
				return fmt.Errorf("partition %s comes from the tasks %d and %d", rec.origin.Partition, owner, i)
			}
			owners[rec.origin.Partition] = i
		}
		got = append(got, r.got...)
	}
	for _, r := range tasks {
		r.stop(ctx)
	}
	if !b.source.EachTask {
		(&reader{life: tasks[0].life, got: got}).want(b.written)
	}
	return nil
}

// share returns how many records are left for a task, if it is the last.
func (b *bench) share(tasks []*reader, i int) int {
	left := b.written
	for _, r := range tasks[:i] {
		left -= len(r.got)
	}
	if i < len(tasks)-1 {
		return min(left, 1) // how many it has of them is its own affair
	}
	return left
}
