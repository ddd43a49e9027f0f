package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
)

// A gateway takes every task that it can get. One that joins takes none from
// those that run: tasks move when their gateway stops or dies, and are not
// spread.

// TestATaskRunsOnOneGatewayAndMovesWhenThatEnds: the second gateway is refused
// what the first one holds, takes it over when that is killed, keeps it when
// that comes back, and gives it back when it is stopped.
func TestATaskRunsOnOneGatewayAndMovesWhenThatEnds(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.a.Start()
	p.create(p.a)
	p.b.Start()
	p.b.says(0, "held by another owner: by "+p.a.ID())
	p.feed(300)
	p.wantOnly(p.a, p.all(p.a, 0))

	half := len(p.arrived()) + 500
	p.feed(1000)
	p.a.Until("half of the records", func() bool { return len(p.arrived()) >= half })
	p.a.Kill()
	p.all(p.b, 0)
	p.runsOn(p.b)

	before := len(p.arrived())
	said := len(p.a.Said.String())
	p.a.Start()
	p.a.says(said, "held by another owner: by "+p.b.ID())
	p.feed(300)
	p.wantOnly(p.b, p.all(p.b, before))
	p.runsOn(p.b)

	before = len(p.arrived())
	p.b.Term()
	for _, connector := range []string{"in", "out"} {
		if holder := p.holder(connector); holder == p.b.ID() {
			t.Errorf("%s is still held by the gateway that was stopped", connector)
		}
	}
	p.feed(300)
	p.wantOnly(p.a, p.all(p.a, before))
	p.a.Term()
	p.check(limits{deaths: 1, topic: sourceCost, sink: sinkCost})
}

// TestAStoppedProcessThatGoesOnIsFenced stops a gateway's process for longer
// than its lease: when it goes on, its tasks are another's.
func TestAStoppedProcessThatGoesOnIsFenced(t *testing.T) {
	t.Parallel()
	at := []string{"poll", "send", "confirm", "commit", "receive", "put"}
	rand.Shuffle(len(at), func(i, j int) { at[i], at[j] = at[j], at[i] })
	for _, point := range at[:Count(1, len(at))] {
		p := newPair(t)
		p.a.plan(fmt.Sprintf("stop %s 20", point))
		p.a.Start()
		p.create(p.a)
		p.b.Start()
		p.b.says(0, "held by another owner: by "+p.a.ID())
		was := p.lease("in")
		p.feed(3000)
		p.b.Until("gateway a to stop", func() bool { return strings.Contains(p.a.Said.String(), "crasher: stopped") })
		p.all(p.b, 0)
		p.runsOn(p.b)

		before, said := len(p.arrived()), len(p.a.Said.String())
		p.a.Signal(syscall.SIGCONT)
		p.a.says(said, "held by another owner: by "+p.b.ID())
		p.wantFenced(was)
		p.feed(300)
		who := p.all(p.b, before)
		p.a.Term()
		// What it had in hand, at most.
		if late := who["a"]; late > sinkWindow {
			t.Errorf("stopped at %s, it delivered %d messages after its lease had ended", point, late)
		}
		p.b.Term()
		p.check(limits{deaths: 2, topic: sourceCost, sink: sinkCost})
	}
}

// TestKillsDuringTakeoverLoseNothing kills a gateway, and the next one while
// it takes over, again and again.
func TestKillsDuringTakeoverLoseNothing(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	p := newPair(t)
	p.a.Start()
	p.create(p.a)
	rounds := Count(1, 10)
	owner, next := p.a, p.b
	for range rounds {
		k := kill{points[rng.IntN(len(points))], 1}
		next.plan(fmt.Sprintf("kill %s %d", k.point, k.n))
		next.Start()
		next.says(0, "held by another owner: by "+owner.ID())
		part := len(p.arrived()) + rng.IntN(500)
		p.feed(1000)
		owner.Until("a part of the records", func() bool { return len(p.arrived()) >= part })
		owner.Kill()
		p.feed(500) // for the next one, whatever the first has done meanwhile
		p.t.Logf("gateway %s is killed, and %s at %s", owner.name, next.name, k.point)
		next.wantKilled(k)
		owner.plan("")
		owner.Start()
		p.all(owner, 0)
		p.runsOn(owner)
	}
	owner.Term()
	p.check(limits{deaths: 2 * rounds, topic: sourceCost, sink: sinkCost})
}
