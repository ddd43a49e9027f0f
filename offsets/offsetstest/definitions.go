package offsetstest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var definitionRules = []rule{
	{"PutLists", "a definition comes back as it was put, with its revision, in order of names", always, checkPutLists},
	{"CreateOnce", "of many who create one name at once one succeeds, the others get ErrExists", always, checkCreateOnce},
	{"StalePut", "a Put with another revision than the stored one is ErrAborted and changes nothing", always, checkStalePut},
	{"ChangeOnce", "of many who change one revision at once one succeeds, the others get ErrAborted", always, checkChangeOnce},
	{"RevisionGrows", "every change, whatever its name, has a higher revision than all before", always, checkRevisionGrows},
	{"Remove", "Remove forgets definition, positions and leases", always, checkRemove},
	{"RemoveKeeps", "Remove leaves the positions when asked to, and voids the leases", always, checkRemoveKeeps},
	{"StaleRemove", "Remove with another revision is ErrAborted and removes nothing; of nothing it is no error", always, checkStaleRemove},
	{"BadDefinition", "a definition without a name or with an impossible target is ErrInvalid", always, checkBadDefinition},
	{"CallersConfig", "configurations given and taken are the caller's", always, checkCallersConfig},
}

func checkPutLists(ctx context.Context, b *bench) {
	b.listed(ctx)
	full := offsets.Definition{
		Name: "m", Target: offsets.TargetPaused, Restarts: 3, Deleted: true, Origin: "gateway.yaml:12",
		Config: map[string]string{"a": "", "b": "<&>\u2028\x00\n", "é": "9007199254740993", "": "x"},
	}
	bare := offsets.Definition{Name: "z", Target: offsets.TargetStopped}
	want := []offsets.Definition{b.put(ctx, definition("a"))}
	bare, full = b.put(ctx, bare), b.put(ctx, full)
	want = append(want, full, bare)
	b.listed(ctx, want...)
	want[1].Deleted, want[1].Config = false, map[string]string{"only": "this"}
	want[1] = b.put(ctx, want[1])
	b.listed(ctx, want...)
}

// listed fails unless exactly these definitions are stored.
func (b *bench) listed(ctx context.Context, want ...offsets.Definition) {
	got, err := b.List(ctx)
	b.ok("list", err)
	if !slices.EqualFunc(got, want, sameDefinition) {
		b.fail("the definitions are %+v, want %+v", got, want)
	}
}

func sameDefinition(a, b offsets.Definition) bool {
	return a.Name == b.Name && a.Target == b.Target && a.Restarts == b.Restarts && a.Deleted == b.Deleted &&
		a.Origin == b.Origin && a.Revision == b.Revision && maps.Equal(a.Config, b.Config)
}

func checkCreateOnce(ctx context.Context, b *bench) {
	const n = 50
	revisions := make([]int64, n)
	create := func(i int) offsets.Definition {
		d := definition("c")
		d.Origin = fmt.Sprint("creator ", i)
		return d
	}
	i := b.won(together(n, func(i int) (err error) {
		revisions[i], err = b.Put(ctx, create(i))
		return err
	}), oms.ErrExists)
	want := create(i)
	want.Revision = revisions[i]
	b.listed(ctx, want)
}

func checkStalePut(ctx context.Context, b *bench) {
	first := b.put(ctx, definition("c"))
	changed := first
	changed.Target = offsets.TargetPaused
	changed = b.put(ctx, changed)
	for _, stale := range []int64{first.Revision, changed.Revision + 1} {
		d := first
		d.Revision = stale
		_, err := b.Put(ctx, d)
		b.refused("put a stale revision", err, oms.ErrAborted)
	}
	_, err := b.Put(ctx, definition("c"))
	b.refused("create what is there", err, oms.ErrExists)
	b.listed(ctx, changed)
	b.ok("remove", b.Remove(ctx, "c", changed.Revision, false))
	_, err = b.Put(ctx, changed)
	b.refused("put what was removed", err, oms.ErrAborted)
	b.listed(ctx)
}

func checkChangeOnce(ctx context.Context, b *bench) {
	const n = 20
	base := b.put(ctx, definition("c"))
	for range 3 {
		results := make([]offsets.Definition, n)
		i := b.won(together(n, func(i int) (err error) {
			d := base
			d.Origin = fmt.Sprint("writer ", i)
			d.Revision, err = b.Put(ctx, d)
			results[i] = d
			return err
		}), oms.ErrAborted)
		base = results[i]
		b.listed(ctx, base)
	}
}

func checkRevisionGrows(ctx context.Context, b *bench) {
	var last int64
	grown := func(d offsets.Definition) offsets.Definition {
		d = b.put(ctx, d)
		if d.Revision <= last {
			b.fail("revision %d of %s comes after %d", d.Revision, d.Name, last)
		}
		last = d.Revision
		return d
	}
	for range 3 {
		a, c := grown(definition("a")), grown(definition("c"))
		a = grown(a)
		b.ok("remove", b.Remove(ctx, "a", a.Revision, false))
		b.ok("remove", b.Remove(ctx, "c", c.Revision, true))
	}
}

func checkRemove(ctx context.Context, b *bench) {
	d, other := b.put(ctx, definition("c")), b.put(ctx, definition("other"))
	l, kept := b.acquire(ctx, "c", 0, "a"), b.acquire(ctx, "other", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{}`)))
	b.ok("commit", b.Commit(ctx, kept, positions(`{}`, `{}`)))
	b.ok("remove", b.Remove(ctx, "c", d.Revision, false))
	b.listed(ctx, other)
	b.stored(ctx, "c", nil)
	b.stored(ctx, "other", positions(`{}`, `{}`))
	b.put(ctx, definition("c"))
	b.stored(ctx, "c", nil)
	again := b.acquire(ctx, "c", 0, "b")
	b.refused("commit with a lease from before", b.Commit(ctx, l, positions(`{}`, `{}`)), oms.ErrFenced)
	b.ok("commit", b.Commit(ctx, again, positions(`{"p":1}`, `{}`)))
	b.stored(ctx, "c", positions(`{"p":1}`, `{}`))
}

func checkRemoveKeeps(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("c"))
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{"n":1}`)))
	b.ok("remove", b.Remove(ctx, "c", d.Revision, true))
	b.listed(ctx)
	b.stored(ctx, "c", positions(`{}`, `{"n":1}`))
	b.refused("commit for a removed connector", b.Commit(ctx, l, positions(`{}`, `{"n":2}`)), oms.ErrFenced)
	b.put(ctx, definition("c"))
	b.acquire(ctx, "c", 0, "b")
	b.stored(ctx, "c", positions(`{}`, `{"n":1}`))
}

func checkStaleRemove(ctx context.Context, b *bench) {
	first := b.put(ctx, definition("c"))
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{}`)))
	d := b.put(ctx, first)
	for _, stale := range []int64{0, first.Revision, d.Revision + 1} {
		for _, keep := range []bool{false, true} {
			b.refused("remove a stale revision", b.Remove(ctx, "c", stale, keep), oms.ErrAborted)
		}
	}
	b.listed(ctx, d)
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{}`)))
	b.ok("remove what is not there", b.Remove(ctx, "unknown", 7, false))
	b.ok("remove", b.Remove(ctx, "c", d.Revision, false))
	b.ok("remove twice", b.Remove(ctx, "c", d.Revision, false))
}

func checkBadDefinition(ctx context.Context, b *bench) {
	for what, spoil := range map[string]func(*offsets.Definition){
		"no name":            func(d *offsets.Definition) { d.Name = "" },
		"a name not UTF-8":   func(d *offsets.Definition) { d.Name = "a\xff" },
		"a value not UTF-8":  func(d *offsets.Definition) { d.Config["k"] = "\xff" },
		"a key not UTF-8":    func(d *offsets.Definition) { d.Config["\xff"] = "v" },
		"no target":          func(d *offsets.Definition) { d.Target = "" },
		"the target removed": func(d *offsets.Definition) { d.Target = offsets.TargetRemoved },
		"a negative number":  func(d *offsets.Definition) { d.Revision = -1 },
	} {
		d := definition("c")
		spoil(&d)
		_, err := b.Put(ctx, d)
		b.refused("put with "+what, err, oms.ErrInvalid)
	}
	b.listed(ctx)
}

func checkCallersConfig(ctx context.Context, b *bench) {
	d := definition("c")
	want := d
	want.Config = maps.Clone(d.Config)
	want.Revision = b.put(ctx, d).Revision
	d.Config["topics"] = "changed"
	list, err := b.List(ctx)
	b.ok("list", err)
	if len(list) == 1 {
		clear(list[0].Config)
	}
	b.listed(ctx, want)
}
