package offsetstest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var adoptRules = []rule{
	{"AdoptNotes", "the broker that was adopted last is noted for its connector, character by character, none before", always, checkAdoptNotes},
	{"AdoptStale", "Adopt from another broker than the noted one is ErrAborted and changes nothing", always, checkAdoptStale},
	{"AdoptOnce", "of many who adopt from one broker at once one succeeds, the others get ErrAborted", always, checkAdoptOnce},
	{"AdoptKeeps", "Adopt that does not forget leaves positions and leases", always, checkAdoptKeeps},
	{"AdoptForgets", "Adopt that forgets deletes all positions, voids the leases of all tasks, and frees them", always, checkAdoptForgets},
	{"AdoptForgetsCorrupt", "Adopt that forgets deletes damaged records too", corrupts, checkAdoptForgetsCorrupt},
	{"AdoptOneStep", "positions are forgotten and the broker is noted in one step", always, checkAdoptOneStep},
	{"AdoptUnknown", "a connector of which only the broker is noted is not known: it is not listed, and a commit is ErrStateLost", always, checkAdoptUnknown},
	{"AdoptTerms", "Adopt without a connector or with a broker that is not UTF-8 is ErrInvalid", always, checkAdoptTerms},
	{"AlterKeepsBroker", "Alter leaves the broker", always, checkAlterKeepsBroker},
	{"RemoveKeepsBroker", "Remove that leaves the positions leaves their broker", always, checkRemoveKeepsBroker},
	{"RemoveForgetsBroker", "Remove that forgets the positions forgets their broker", always, checkRemoveForgetsBroker},
	{"ReopenKeepsBroker", "the broker outlives the process", reopens, checkReopenKeepsBroker},
}

// noted fails unless exactly this broker is noted for the connector.
func (b *bench) noted(ctx context.Context, connector, want string) {
	got, err := b.Broker(ctx, connector)
	b.ok("broker", err)
	if got != want {
		b.fail("the broker of %q is %q, want %q", connector, got, want)
	}
}

// adopt notes the first broker of a connector.
func (b *bench) adopt(ctx context.Context, connector, broker string) {
	b.ok("adopt "+broker, b.Adopt(ctx, connector, "", broker, false))
}

func checkAdoptNotes(ctx context.Context, b *bench) {
	b.noted(ctx, "never seen", "")
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{}`)))
	b.noted(ctx, "c", "")
	before := ""
	for _, id := range []string{"First", "<&> \u2028\x00 \"é\" \\u0041 \n", " ", `{"v":2}`, "First"} {
		for _, forget := range []bool{false, true} {
			b.ok("adopt", b.Adopt(ctx, "c", before, id, forget))
			b.noted(ctx, "c", id)
			before = id
		}
	}
	b.ok("adopt none", b.Adopt(ctx, "c", before, "", false))
	b.noted(ctx, "c", "")
	b.ok("adopt none after none", b.Adopt(ctx, "c", "", "", false))
	b.adopt(ctx, "c", "again")
	b.noted(ctx, "c", "again")
	b.noted(ctx, "another", "")
}

func checkAdoptStale(ctx context.Context, b *bench) {
	b.adopt(ctx, "c", "first")
	l, none := b.acquire(ctx, "c", 0, "a"), b.acquire(ctx, "none", 0, "a")
	ps := positions(`{}`, `{"n":1}`)
	b.ok("commit", b.Commit(ctx, l, ps))
	b.ok("commit", b.Commit(ctx, none, ps))
	for _, from := range []string{"", "second", "firs", "first "} {
		for _, forget := range []bool{false, true} {
			b.refused(fmt.Sprintf("adopt from %q", from), b.Adopt(ctx, "c", from, "second", forget), oms.ErrAborted)
		}
	}
	b.refused("adopt from a broker where none is noted", b.Adopt(ctx, "none", "first", "second", true), oms.ErrAborted)
	b.noted(ctx, "c", "first")
	b.noted(ctx, "none", "")
	for _, l := range []offsets.Lease{l, none} {
		b.stored(ctx, l.Owner.Connector, ps)
		b.ok("commit by the owner", b.Commit(ctx, l, ps))
	}
}

func checkAdoptOnce(ctx context.Context, b *bench) {
	const n = 20
	before := ""
	for round := range 3 {
		name := func(i int) string { return fmt.Sprintf("%d of round %d", i, round) }
		i := b.won(together(n, func(i int) error { return b.Adopt(ctx, "c", before, name(i), false) }), oms.ErrAborted)
		b.noted(ctx, "c", name(i))
		before = name(i)
	}
}

func checkAdoptKeeps(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`)))
	before := ""
	for _, id := range []string{"first", "second", ""} {
		b.ok("adopt", b.Adopt(ctx, "c", before, id, false))
		before = id
		b.stored(ctx, "c", positions(`{"p":1}`, `{"n":1}`))
		b.ok("commit by the owner", b.Commit(ctx, l, nil))
		_, err := b.Renew(ctx, l, forever)
		b.ok("renew by the owner", err)
		_, err = b.Acquire(ctx, l.Owner, "b", forever)
		b.refused("acquire what is held", err, oms.ErrHeld)
	}
}

func checkAdoptForgets(ctx context.Context, b *bench) {
	b.adopt(ctx, "c", "first")
	b.adopt(ctx, "c2", "first")
	var leases []offsets.Lease
	for task := range 12 {
		l := b.acquire(ctx, "c", task, "a")
		b.ok("commit", b.Commit(ctx, l, positions(fmt.Sprintf(`{"p":%d}`, task), `{"n":1}`)))
		leases = append(leases, l)
	}
	many := make(map[offsets.Partition]offsets.Position)
	for i := range 2500 {
		many[offsets.Partition(fmt.Sprintf(`{"file":"f%05d"}`, i))] = `{"n":1}`
	}
	b.ok("commit", b.Commit(ctx, leases[0], many))
	other := b.acquire(ctx, "c2", 0, "a")
	b.ok("commit", b.Commit(ctx, other, positions(`{}`, `{"n":1}`)))

	b.ok("adopt", b.Adopt(ctx, "c", "first", "second", true))
	b.stored(ctx, "c", nil)
	for _, l := range leases {
		b.refused("commit after it was forgotten", b.Commit(ctx, l, positions(`{}`, `{"n":9}`)), oms.ErrFenced)
		_, err := b.Renew(ctx, l, forever)
		b.refused("renew after it was forgotten", err, oms.ErrFenced)
		b.acquire(ctx, "c", l.Owner.Task, "b")
	}
	b.stored(ctx, "c", nil)
	b.stored(ctx, "c2", positions(`{}`, `{"n":1}`))
	b.ok("commit of another connector", b.Commit(ctx, other, nil))
}

func checkAdoptForgetsCorrupt(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`)))
	b.ok("damage", b.harness.Corrupt("c", `{"p":2}`, `x`))
	b.ok("adopt", b.Adopt(ctx, "c", "", "first", true))
	b.stored(ctx, "c", nil)
}

// checkAdoptOneStep looks at a connector again and again while its positions
// are forgotten. What it reads first may be from before; what it reads second
// may then not be, if the first is from after.
func checkAdoptOneStep(ctx context.Context, b *bench) {
	before := ""
	for round := range 20 {
		l := b.acquire(ctx, "c", 0, "a")
		b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{"n":1}`)))
		id := fmt.Sprint("broker ", round)
		adopted := make(chan error, 1)
		go func() { adopted <- b.Adopt(ctx, "c", before, id, true) }()
		err := b.lookUntil(ctx, id)
		b.ok("adopt", <-adopted)
		b.ok("looking at it", err)
		before = id
	}
}

// lookUntil looks at the connector c until it belongs to a broker, and returns
// how that came in more than one step.
func (b *bench) lookUntil(ctx context.Context, id string) error {
	again := time.NewTicker(100 * time.Microsecond)
	defer again.Stop()
	for {
		first, loadErr := b.Load(ctx, "c")
		noted, brokerErr := b.Broker(ctx, "c")
		second, againErr := b.Load(ctx, "c")
		switch err := errors.Join(loadErr, brokerErr, againErr); {
		case err != nil:
			return err
		case len(first) == 0 && noted != id:
			return fmt.Errorf("the positions are forgotten, and the broker is still %q", noted)
		case noted == id && len(second) > 0:
			return fmt.Errorf("the broker is noted, and the positions are still %s", brief(second))
		case noted == id:
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the broker is not noted: %w", ctx.Err())
		}
	}
}

func checkAdoptUnknown(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("gone"))
	l := b.acquire(ctx, "gone", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{}`)))
	b.ok("remove", b.Remove(ctx, "gone", d.Revision, false))
	for _, name := range []string{"new", "gone"} {
		for i, forget := range []bool{false, true} {
			b.ok("adopt", b.Adopt(ctx, name, []string{"", "first"}[i], []string{"first", "second"}[i], forget))
			b.stored(ctx, name, nil)
			former := offsets.Lease{Owner: offsets.Owner{Connector: name}, Holder: "a", Token: l.Token}
			b.refused("commit where only the broker is noted", b.Commit(ctx, former, positions(`{}`, `{}`)), offsets.ErrStateLost)
			_, err := b.Renew(ctx, former, forever)
			b.refused("renew where only the broker is noted", err, offsets.ErrStateLost)
			b.ok("release where only the broker is noted", b.Release(ctx, former))
			b.stored(ctx, name, nil)
		}
	}
	got, err := b.Connectors(ctx)
	b.ok("list connectors", err)
	if len(got) > 0 {
		b.fail("the connectors with positions are %q, want none: only brokers are noted", got)
	}
	ps := positions(`{}`, `{"n":1}`)
	b.ok("commit", b.Commit(ctx, b.acquire(ctx, "new", 0, "a"), ps))
	b.stored(ctx, "new", ps)
	b.noted(ctx, "new", "second")
}

func checkAdoptTerms(ctx context.Context, b *bench) {
	b.refused("adopt without a connector", b.Adopt(ctx, "", "", "first", false), oms.ErrInvalid)
	b.refused("adopt what is not UTF-8", b.Adopt(ctx, "c", "", "a\xff", false), oms.ErrInvalid)
	b.noted(ctx, "c", "")
}

func checkAlterKeepsBroker(ctx context.Context, b *bench) {
	b.adopt(ctx, "c", "first")
	b.ok("alter", b.Alter(ctx, "c", positions(`{}`, `{}`), nil))
	b.noted(ctx, "c", "first")
	b.ok("alter", b.Alter(ctx, "c", nil, []offsets.Partition{`{}`, "!broker", "broker"}))
	b.noted(ctx, "c", "first")
}

// removeAdopted removes two connectors, of one of which only the broker is
// noted.
func (b *bench) removeAdopted(ctx context.Context, keep bool) {
	brokers := map[string]string{"c": "first", "only noted": "second"}
	for name, id := range brokers {
		b.adopt(ctx, name, id)
	}
	b.ok("commit", b.Commit(ctx, b.acquire(ctx, "c", 0, "a"), positions(`{}`, `{}`)))
	for name := range brokers {
		b.ok("remove", b.Remove(ctx, name, b.put(ctx, definition(name)).Revision, keep))
	}
	if !keep {
		clear(brokers)
	}
	for _, name := range []string{"c", "only noted"} {
		b.noted(ctx, name, brokers[name])
		b.put(ctx, definition(name))
		b.noted(ctx, name, brokers[name])
	}
}

func checkRemoveKeepsBroker(ctx context.Context, b *bench)   { b.removeAdopted(ctx, true) }
func checkRemoveForgetsBroker(ctx context.Context, b *bench) { b.removeAdopted(ctx, false) }

func checkReopenKeepsBroker(ctx context.Context, b *bench) {
	b.adopt(ctx, "c", "first")
	b.ok("commit", b.Commit(ctx, b.acquire(ctx, "c", 0, "a"), positions(`{}`, `{"n":1}`)))
	b.ok("adopt", b.Adopt(ctx, "c", "first", "second", true))
	b.adopt(ctx, "only noted", "third")
	b.reopen()
	b.noted(ctx, "c", "second")
	b.stored(ctx, "c", nil)
	b.noted(ctx, "only noted", "third")
}
