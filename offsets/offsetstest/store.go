package offsetstest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var storeRules = []rule{
	{"ID", "a store has one id", always, checkID},
	{"Check", "Check of a good store is nil", always, checkCheck},
	{"Reopen", "id, definitions, positions and leases outlive the process", reopens, checkReopen},
	{"Closed", "after Close every call is ErrClosed, and Close itself nothing", always, checkClosed},
	{"ContextDone", "a call whose context is done returns its error and changes nothing", always, checkContextDone},
	{"WeirdNames", "any UTF-8 name is a connector's, and no two are mixed up", always, checkWeirdNames},
	{"Concurrent", "calls at once do not disturb each other", always, checkConcurrent},
}

func checkID(ctx context.Context, b *bench) {
	ids := make([]string, 8)
	for i, err := range together(len(ids), func(i int) (err error) {
		ids[i], err = b.ID(ctx)
		return err
	}) {
		b.ok("id", err)
		if ids[i] == "" || ids[i] != ids[0] {
			b.fail("the ids are %q", ids)
		}
	}
}

func checkCheck(ctx context.Context, b *bench) {
	b.ok("check", b.Check(ctx))
}

func checkReopen(ctx context.Context, b *bench) {
	id, err := b.ID(ctx)
	b.ok("id", err)
	kept := []offsets.Definition{b.put(ctx, definition("a")), b.put(ctx, definition("c"))}
	gone := b.put(ctx, definition("gone"))
	b.ok("remove", b.Remove(ctx, "gone", gone.Revision, false))
	l := b.acquire(ctx, "c", 1, "gateway-a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`)))

	b.reopen()
	again, err := b.ID(ctx)
	b.ok("id", err)
	if again != id {
		b.fail("the id was %s and is %s", id, again)
	}
	b.listed(ctx, kept...)
	b.stored(ctx, "c", positions(`{"p":1}`, `{"n":1}`))
	if d := b.put(ctx, definition("new")); d.Revision <= gone.Revision {
		b.fail("revision %d after %d", d.Revision, gone.Revision)
	}
	_, err = b.Acquire(ctx, l.Owner, "gateway-b", forever)
	b.refused("acquire what is held", err, oms.ErrHeld)
	b.names(err, "gateway-a")
	b.ok("commit with the lease from before", b.Commit(ctx, l, positions(`{"p":2}`, `{"n":2}`)))
	b.acquire(ctx, "c", 1, "gateway-a")
	b.refused("commit with the lease from before", b.Commit(ctx, l, positions(`{"p":2}`, `{"n":3}`)), oms.ErrFenced)
	b.stored(ctx, "c", positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`))
}

// A call is one method of a store with arguments that are in order.
type call struct {
	name string
	do   func(context.Context) error
}

func (b *bench) calls(l offsets.Lease, d offsets.Definition) []call {
	ignore := func(_ any, err error) error { return err }
	return []call{
		{"Acquire", func(ctx context.Context) error { return ignore(b.Acquire(ctx, l.Owner, l.Holder, forever)) }},
		{"Renew", func(ctx context.Context) error { return ignore(b.Renew(ctx, l, forever)) }},
		{"Release", func(ctx context.Context) error { return b.Release(ctx, l) }},
		{"Load", func(ctx context.Context) error { return ignore(b.Load(ctx, l.Owner.Connector)) }},
		{"Commit", func(ctx context.Context) error { return b.Commit(ctx, l, positions(`{}`, `{"n":2}`)) }},
		{"Alter", func(ctx context.Context) error {
			return b.Alter(ctx, l.Owner.Connector, positions(`{}`, `{"n":2}`), nil)
		}},
		{"Connectors", func(ctx context.Context) error { return ignore(b.Connectors(ctx)) }},
		{"Broker", func(ctx context.Context) error { return ignore(b.Broker(ctx, l.Owner.Connector)) }},
		{"Adopt", func(ctx context.Context) error { return b.Adopt(ctx, l.Owner.Connector, "", "other", true) }},
		{"List", func(ctx context.Context) error { return ignore(b.List(ctx)) }},
		{"Put", func(ctx context.Context) error { return ignore(b.Put(ctx, d)) }},
		{"Remove", func(ctx context.Context) error { return b.Remove(ctx, d.Name, d.Revision, false) }},
		{"Publish", func(ctx context.Context) error { return b.Publish(ctx, status("c", 1), forever) }},
		{"Withdraw", func(ctx context.Context) error { return b.Withdraw(ctx, "c", offsets.ConnectorTask) }},
		{"Statuses", func(ctx context.Context) error { return ignore(b.Statuses(ctx)) }},
		{"ID", func(ctx context.Context) error { return ignore(b.ID(ctx)) }},
		{"Check", b.Check},
	}
}

func checkClosed(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("c"))
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("close", b.Close())
	for _, c := range b.calls(l, d) {
		b.refused(c.name+" after Close", c.do(ctx), oms.ErrClosed)
	}
	b.ok("close twice", b.Close())
}

func checkContextDone(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("c"))
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{"n":1}`)))
	b.publish(ctx, forever, status("c", 0))
	done, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range b.calls(l, d) {
		if err := c.do(done); !errors.Is(err, context.Canceled) {
			b.fail("%s returns %v, want the context's error", c.name, err)
		}
	}
	b.listed(ctx, d)
	b.shown(ctx, status("c", 0))
	b.noted(ctx, "c", "")
	b.ok("commit", b.Commit(ctx, l, nil))
	b.stored(ctx, "c", positions(`{}`, `{"n":1}`))
}

// weird are names that careless keys would mix up or lose.
var weird = []string{
	" ", "  ", "a", "A", "a ", "a:b", "a:b:c", "a%3Ab", "a%", "a/b", "a/../b", "../a", "{a}", "{a}:pos", "}{", "[a-c]*?", "*",
	"!owner:0", "naïve", "nai\u0308ve", "日本語", "🦆", "a\x00b", "a\nb", "a\\b", `"a"`, "a'b", "<a>", "-1", "0", "__", ".", "..",
	"meta", "defs", strings.Repeat("n", 300), strings.Repeat("n", 299) + "{", strings.Repeat("é", 150),
}

func checkWeirdNames(ctx context.Context, b *bench) {
	defs := make(map[string]offsets.Definition)
	for i, name := range weird {
		b.adopt(ctx, name, fmt.Sprint("broker ", i))
		l := b.acquire(ctx, name, 0, name)
		b.ok("commit", b.Commit(ctx, l, positions(`{}`, fmt.Sprintf(`{"n":%d}`, i))))
		defs[name] = b.put(ctx, definition(name))
		b.publish(ctx, forever, status(name, i))
	}
	for i, name := range weird {
		b.noted(ctx, name, fmt.Sprint("broker ", i))
		b.stored(ctx, name, positions(`{}`, fmt.Sprintf(`{"n":%d}`, i)))
		_, err := b.Acquire(ctx, offsets.Owner{Connector: name}, "another", forever)
		b.refused("acquire what is held", err, oms.ErrHeld)
		b.names(err, name)
	}
	list, err := b.Statuses(ctx)
	b.ok("statuses", err)
	if len(list) != len(weird) {
		b.fail("%d statuses of %d connectors", len(list), len(weird))
	}
	for i := range list {
		if name := weird[list[i].Task]; name != list[i].Connector {
			b.fail("the status of %q is shown for %q", name, list[i].Connector)
		}
	}
	for _, name := range weird[:len(weird)/2] {
		b.ok("remove", b.Remove(ctx, name, defs[name].Revision, false))
		delete(defs, name)
	}
	var want []offsets.Definition
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		want = append(want, defs[name])
	}
	b.listed(ctx, want...)
}

func checkConcurrent(ctx context.Context, b *bench) {
	const tasks, rounds = 8, 15
	w := b.watch(ctx, 1<<40)
	defer w.end()
	for _, err := range together(tasks, func(task int) error { return b.work(ctx, task, rounds) }) {
		b.ok("working", err)
	}
	want := make(map[offsets.Partition]offsets.Position)
	for task := range tasks {
		for p := range 3 {
			want[offsets.Partition(fmt.Sprintf(`{"t":%d,"p":%d}`, task, p))] = offsets.Position(fmt.Sprintf(`{"n":%d}`, rounds-1))
		}
	}
	b.stored(ctx, "shared", want)
	list, err := b.List(ctx)
	b.ok("list", err)
	if len(list) != tasks {
		b.fail("%d definitions, want %d", len(list), tasks)
	}
}

// work is what one task of the connector "shared" does in its life.
func (b *bench) work(ctx context.Context, task, rounds int) error {
	o := offsets.Owner{Connector: "shared", Task: task}
	d := definition(fmt.Sprint("c", task))
	for n := range rounds {
		l, err := b.Acquire(ctx, o, fmt.Sprint("holder-", task), forever)
		if err != nil {
			return err
		}
		ps := make(map[offsets.Partition]offsets.Position)
		for p := range 3 {
			ps[offsets.Partition(fmt.Sprintf(`{"t":%d,"p":%d}`, task, p))] = offsets.Position(fmt.Sprintf(`{"n":%d}`, n))
		}
		_, renewed := b.Renew(ctx, l, forever)
		committed := b.Commit(ctx, l, ps)
		var put error
		d.Revision, put = b.Put(ctx, d)
		published := b.Publish(ctx, status(d.Name, task), forever)
		_, loaded := b.Load(ctx, "shared")
		_, listed := b.Statuses(ctx)
		if err := errors.Join(renewed, committed, put, published, loaded, listed); err != nil {
			return err
		}
	}
	return nil
}
