package offsetstest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var positionRules = []rule{
	{"LoadNothing", "a connector that never committed has no positions", always, checkLoadNothing},
	{"CommitLoads", "what was committed is loaded; later commits replace, and leave the others", always, checkCommitLoads},
	{"Verbatim", "partitions and positions come back byte for byte", always, checkVerbatim},
	{"CommitInvalid", "a commit with a position that is no JSON object is ErrFormat, and stores none of it", always, checkCommitInvalid},
	{"CommitFenced", "a former owner's commit is ErrFenced, and stores none of it", always, checkCommitFenced},
	{"CommitForgotten", "a commit for a connector that the store has forgotten is ErrStateLost, and makes nothing up", always, checkCommitForgotten},
	{"TokenPerTask", "the owner of one task cannot commit as another", always, checkTokenPerTask},
	{"AllTasks", "Load has the positions of all tasks, whoever asks", always, checkAllTasks},
	{"Connectors", "every connector that has positions is listed once, in order, defined or not, and no other", always, checkConnectors},
	{"Repeat", "the same commit twice is the same as once", always, checkRepeat},
	{"Large", "10,000 positions go in one commit", always, checkLarge},
	{"EmptyCommit", "a commit of nothing still tells whether the lease is good", always, checkEmptyCommit},
	{"CallersMaps", "maps given and taken are the caller's", always, checkCallersMaps},
}

var recordRules = []rule{
	{"CorruptPosition", "a damaged record is ErrFormat naming connector and partition, never left out", corrupts, checkCorruptPosition},
	{"NewerPosition", "a record of a newer format is refused as such", corrupts, checkNewerPosition},
	{"MendCorrupt", "a damaged record can be replaced, or deleted, by Alter", corrupts, checkMendCorrupt},
}

func checkLoadNothing(ctx context.Context, b *bench) {
	b.stored(ctx, "never seen", nil)
	b.acquire(ctx, "c", 0, "a")
	b.stored(ctx, "c", nil)
}

func checkCommitLoads(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`)))
	b.stored(ctx, "c", positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`))
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":2}`, `{"n":3}`, `{"p":3}`, `{"n":4}`)))
	b.stored(ctx, "c", positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":3}`, `{"p":3}`, `{"n":4}`))
	b.stored(ctx, "another", nil)
}

func checkConnectors(ctx context.Context, b *bench) {
	names := []string{"a", "a%2F*?[x]", "b", "b:pos", "é{1}"}
	for i, name := range slices.Backward(names) {
		l := b.acquire(ctx, name, i, "a")
		b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":1}`)))
	}
	b.acquire(ctx, "without positions", 0, "a")
	b.put(ctx, definition("only defined"))
	got, err := b.Connectors(ctx)
	b.ok("list connectors", err)
	if !slices.Equal(got, names) {
		b.fail("the connectors with positions are %q, want %q", got, names)
	}
}

// awkward are JSON objects that careless storing would change.
var awkward = []string{
	`{}`, `{"a":9007199254740993}`, `{"a":1e400}`, `{"a":"<b>&\u2028"}`, `{"a":"é","\u00e9":1}`, `{"b":1,"a":2}`,
	`{"a":1.0}`, `{"!owner:0":"1:x"}`, `{"a":{"b":[1,{"c":null}]}}`, `{"a":"` + "\u2028\x7f" + `"}`, `{"path":"C:\\x\/y"}`,
}

func checkVerbatim(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	ps := make(map[offsets.Partition]offsets.Position)
	for i, s := range awkward {
		ps[offsets.Partition(s)] = offsets.Position(awkward[len(awkward)-1-i])
	}
	b.ok("commit", b.Commit(ctx, l, ps))
	b.stored(ctx, "c", ps)
}

func checkCommitInvalid(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	good := positions(`{"p":1}`, `{"n":1}`)
	b.ok("commit", b.Commit(ctx, l, good))
	for _, bad := range []string{``, ` `, `5`, `null`, `"s"`, `[1]`, `{"a":}`, `{"a":1`, `{} {}`, `true`} {
		for _, ps := range []map[offsets.Partition]offsets.Position{
			positions(`{"p":1}`, `{"n":2}`, `{"p":2}`, bad, `{"p":3}`, `{"n":2}`),
			positions(`{"p":1}`, `{"n":2}`, bad, `{"n":2}`),
		} {
			err := b.Commit(ctx, l, ps)
			b.refused(fmt.Sprintf("commit of %q", bad), err, oms.ErrFormat)
			b.names(err, "c")
			b.refused("alter to it", b.Alter(ctx, "c", ps, nil), oms.ErrFormat)
		}
	}
	b.stored(ctx, "c", good)
	b.ok("commit by the same owner", b.Commit(ctx, l, good))
}

func checkCommitFenced(ctx context.Context, b *bench) {
	former := b.acquire(ctx, "c", 0, "a")
	b.ok("release", b.Release(ctx, former))
	l := b.acquire(ctx, "c", 0, "b")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":7}`)))
	late := positions(`{"p":1}`, `{"n":3}`, `{"p":2}`, `{"n":3}`)
	b.refused("commit by the former owner", b.Commit(ctx, former, late), oms.ErrFenced)
	forged := l
	forged.Token += "x"
	b.refused("commit with a forged token", b.Commit(ctx, forged, late), oms.ErrFenced)
	forged.Token = ""
	b.refused("commit without a token", b.Commit(ctx, forged, late), oms.ErrFenced)
	b.stored(ctx, "c", positions(`{"p":1}`, `{"n":7}`))
}

func checkCommitForgotten(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("c"))
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{}`)))
	b.ok("remove", b.Remove(ctx, "c", d.Revision, false))
	b.refused("commit for a removed connector", b.Commit(ctx, l, positions(`{}`, `{}`)), offsets.ErrStateLost)
	_, err := b.Renew(ctx, l, forever)
	b.refused("renew for a removed connector", err, offsets.ErrStateLost)
	stranger := offsets.Lease{Owner: offsets.Owner{Connector: "never seen"}, Holder: "a", Token: l.Token}
	for range 2 {
		b.refused("commit for an unknown connector", b.Commit(ctx, stranger, positions(`{}`, `{}`)), offsets.ErrStateLost)
	}
	b.stored(ctx, "c", nil)
	b.stored(ctx, "never seen", nil)
}

func checkTokenPerTask(ctx context.Context, b *bench) {
	zero, one := b.acquire(ctx, "c", 0, "a"), b.acquire(ctx, "c", 1, "a")
	zero.Owner.Task = 1
	b.refused("commit as task 1 by task 0's owner", b.Commit(ctx, zero, positions(`{}`, `{"n":1}`)), oms.ErrFenced)
	zero.Owner.Task = 2
	b.refused("commit as a task without owner", b.Commit(ctx, zero, positions(`{}`, `{"n":1}`)), oms.ErrFenced)
	b.stored(ctx, "c", nil)
	b.ok("commit by task 1's owner", b.Commit(ctx, one, positions(`{}`, `{"n":1}`)))
}

func checkAllTasks(ctx context.Context, b *bench) {
	want := make(map[offsets.Partition]offsets.Position)
	for task := range 3 {
		ps := positions(fmt.Sprintf(`{"p":%d}`, task), fmt.Sprintf(`{"n":%d}`, task))
		b.ok("commit", b.Commit(ctx, b.acquire(ctx, "c", task, fmt.Sprint("gateway-", task)), ps))
		maps.Copy(want, ps)
	}
	b.stored(ctx, "c", want)
	moved := positions(`{"p":0}`, `{"n":5}`)
	b.ok("commit by another task than before", b.Commit(ctx, b.acquire(ctx, "c", 2, "gateway-2"), moved))
	maps.Copy(want, moved)
	b.stored(ctx, "c", want)
}

func checkRepeat(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	ps := positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`)
	for range 5 {
		b.ok("commit", b.Commit(ctx, l, ps))
		b.stored(ctx, "c", ps)
	}
}

func checkLarge(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	want := make(map[offsets.Partition]offsets.Position)
	for i := range 10_000 {
		want[offsets.Partition(fmt.Sprintf(`{"file":"f%05d"}`, i))] = `{"n":1}`
	}
	b.ok("commit", b.Commit(ctx, l, want))
	b.stored(ctx, "c", want)
	want[`{"file":"f09999"}`] = `{"n":2}`
	b.ok("commit", b.Commit(ctx, l, positions(`{"file":"f09999"}`, `{"n":2}`)))
	b.stored(ctx, "c", want)
}

func checkEmptyCommit(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit of nothing", b.Commit(ctx, l, nil))
	b.stored(ctx, "c", nil)
	b.acquire(ctx, "c", 0, "a")
	b.refused("commit of nothing by the former owner", b.Commit(ctx, l, nil), oms.ErrFenced)
}

func checkCallersMaps(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	given := positions(`{"p":1}`, `{"n":1}`)
	b.ok("commit", b.Commit(ctx, l, given))
	given[`{"p":1}`] = `{"n":2}`
	taken, err := b.Load(ctx, "c")
	b.ok("load", err)
	clear(taken)
	b.stored(ctx, "c", positions(`{"p":1}`, `{"n":1}`))
}

func checkCorruptPosition(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "orders", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`)))
	for _, record := range []string{
		``, `x`, `{`, `[]`, `null`, `{}`, `{"v":1}`, `{"v":0,"position":{}}`, `{"v":1,"position":5}`, `{"v":1,"position":nul`,
		`{"v":"1","position":{}}`, `{"position":{"n":1}}`, "\x00\xff",
	} {
		b.ok("damage", b.harness.Corrupt("orders", `{"p":2}`, record))
		ps, err := b.Load(ctx, "orders")
		b.refused(fmt.Sprintf("load with the record %q", record), err, oms.ErrFormat)
		b.names(err, "orders", `{"p":2}`)
		if len(ps) > 0 {
			b.fail("Load gave %s beside its error", brief(ps))
		}
	}
}

func checkNewerPosition(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "orders", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`)))
	b.ok("damage", b.harness.Corrupt("orders", `{"p":1}`, `{"v":2,"position":{"n":1},"more":true}`))
	_, err := b.Load(ctx, "orders")
	b.refused("load a record of format 2", err, oms.ErrFormat)
	b.names(err, "orders", `{"p":1}`, "newer omconnect")
}

func checkMendCorrupt(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("commit", b.Commit(ctx, l, positions(`{"p":1}`, `{"n":1}`, `{"p":2}`, `{"n":2}`)))
	b.ok("damage", b.harness.Corrupt("c", `{"p":1}`, `x`))
	b.ok("damage", b.harness.Corrupt("c", `{"p":2}`, `x`))
	b.ok("alter", b.Alter(ctx, "c", positions(`{"p":1}`, `{"n":0}`), []offsets.Partition{`{"p":2}`}))
	b.stored(ctx, "c", positions(`{"p":1}`, `{"n":0}`))
}
