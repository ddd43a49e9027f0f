package offsetstest

import (
	"context"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var alterRules = []rule{
	{"AlterSetsAndDeletes", "Alter deletes and sets positions, and leaves the others", always, checkAlter},
	{"AlterFences", "Alter voids the leases of all tasks, and frees them", always, checkAlterFences},
	{"AlterOddPartitions", "deleting what cannot be a partition deletes nothing", always, checkAlterOddPartitions},
	{"AlterUnknown", "Alter gives positions to a connector that never ran", always, checkAlterUnknown},
}

func checkAlter(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`, `{"p":3}`, `{"n":3}`)))
	del := []offsets.Partition{`{"p":2}`, `{"p":9}`}
	for range 2 {
		b.ok("alter", b.Alter(ctx, "c", positions(`{"p":3}`, `{"n":0}`, `{"p":4}`, `{"n":4}`), del))
		b.stored(ctx, "c", positions(`{"p":1}`, `{"n":1}`, `{"p":3}`, `{"n":0}`, `{"p":4}`, `{"n":4}`))
	}
	b.ok("delete all", b.Alter(ctx, "c", nil, []offsets.Partition{`{"p":1}`, `{"p":3}`, `{"p":4}`}))
	b.stored(ctx, "c", nil)
	b.refused("alter without a name", b.Alter(ctx, "", nil, nil), oms.ErrInvalid)
}

func checkAlterFences(ctx context.Context, b *bench) {
	var leases []offsets.Lease
	for task := range 12 {
		leases = append(leases, b.acquire(ctx, "c", task, "a"))
	}
	other := b.acquire(ctx, "c2", 0, "a")
	b.ok("alter", b.Alter(ctx, "c", positions(`{}`, `{"n":1}`), nil))
	for _, l := range leases {
		b.refused("commit after Alter", b.Commit(ctx, l, positions(`{}`, `{"n":9}`)), oms.ErrFenced)
		_, err := b.Renew(ctx, l, forever)
		b.refused("renew after Alter", err, oms.ErrFenced)
		b.acquire(ctx, "c", l.Owner.Task, "b")
	}
	b.stored(ctx, "c", positions(`{}`, `{"n":1}`))
	b.ok("commit of another connector", b.Commit(ctx, other, positions(`{}`, `{"n":1}`)))
}

func checkAlterOddPartitions(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{"n":1}`)))
	b.ok("alter", b.Alter(ctx, "c", nil, []offsets.Partition{"", "!owner:0", "!holder:0", "!tasks", "!rev", "null"}))
	b.stored(ctx, "c", positions(`{}`, `{"n":1}`))
	l = b.acquire(ctx, "c", 0, "a")
	b.ok("alter", b.Alter(ctx, "c", nil, nil))
	b.refused("commit after Alter", b.Commit(ctx, l, nil), oms.ErrFenced)
}

func checkAlterUnknown(ctx context.Context, b *bench) {
	b.ok("alter", b.Alter(ctx, "new", positions(`{"p":1}`, `{"n":1}`), nil))
	b.stored(ctx, "new", positions(`{"p":1}`, `{"n":1}`))
	l := b.acquire(ctx, "new", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":2}`, `{"n":2}`)))
	b.stored(ctx, "new", positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`))
}
