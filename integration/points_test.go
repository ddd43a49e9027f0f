package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
)

// What the source and the sink of these tests may have on their way. Small, so
// that the limits of repeats are far below the number of records.
const (
	readAtOnce  = 10
	inFlight    = 20
	uncommitted = 30
	sinkWindow  = 20
	sinkRate    = 500 // a second
)

// sourceCost is how many records a death of the source may repeat: those that
// were read while uncommitted ones waited, with the whole window on its way.
const sourceCost = uncommitted + inFlight + readAtOnce

// sinkCost is how many messages a death of the sink may repeat: its window,
// and what it acknowledged before the embedded broker wrote that down. It does
// so ten times a second; a whole second is allowed, and the burst that the
// rate allows.
const sinkCost = sinkWindow + 2*sinkRate

var (
	spoolConnector = fmt.Sprintf(`{connector.class: spool-source, topic: t, spool: spool, positions: positions.txt, batch: %d, `+
		`inflight.max.records: %d, uncommitted.max.records: %d, offset.flush.interval.ms: 20}`, readAtOnce, inFlight, uncommitted)
	journalConnector = fmt.Sprintf(`{connector.class: journal-sink, topics: t, journal: journal.txt, `+
		`consumer.max.poll.records: 10, inflight.max.records: %d, rate.records.per.second: %d}`, sinkWindow, sinkRate)
)

// newCrasher returns a crasher that moves records from its spool into its
// journal.
func newCrasher(t *testing.T, source string, args ...string) *gateway {
	t.Helper()
	g := newGateway(t, append([]string{"-c", "gateway.yaml", "--broker", "oms:crashing:///?sync.interval.ms=10", "--until-idle"}, args...)...)
	g.Bin = crasher
	g.File("gateway.yaml", "connectors:\n  in: "+source+"\n  out: "+journalConnector+"\n")
	return g
}

// A kill says at which point a process kills itself, and when.
type kill struct {
	point string
	n     int // the how manieth time that it is there
}

var points = []string{"seek", "poll", "send", "confirm", "commit", "upstream", "receive", "put", "ack"}

// needs returns with how many records more a process certainly comes that far.
func (k kill) needs() int {
	if k.point == "commit" || k.point == "upstream" {
		return (k.n + 1) * sourceCost // a commit may cover as many
	}
	return 2 * (k.n + 1) * readAtOnce
}

// kills returns each point with the counts 1, 2 and later ones, in any order.
func kills(rng *rand.Rand, later int) []kill {
	var all []kill
	for _, point := range points {
		all = append(all, kill{point, 1})
		if point == "seek" { // once in each run
			continue
		}
		all = append(all, kill{point, 2})
		for range later {
			all = append(all, kill{point, 3 + rng.IntN(6)})
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// TestKillsAtEveryPointLoseNothing kills a gateway at every point of the way
// of a record, each time with enough new records to come that far.
func TestKillsAtEveryPointLoseNothing(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"embedded", "redis"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			plan := kills(rand.New(rand.NewPCG(seed, 0)), Count(1, 20))
			g := newCrasher(t, spoolConnector)
			if state == "redis" {
				g.Args = append(g.Args, "--state", NewRedis(t).URL())
			}
			total := 0
			for _, k := range plan {
				more := k.needs()
				feed(t, g.Path("spool"), total+1, total+more)
				total += more
				g.crash(k)
			}
			g.runToIdle()
			g.checkRecords(total, limits{deaths: len(plan), topic: sourceCost, sink: sinkCost})
		})
	}
}

// crash runs the gateway until it has killed itself.
func (g *gateway) crash(k kill) {
	g.t.Helper()
	g.plan(fmt.Sprintf("kill %s %d", k.point, k.n))
	g.Launch()
	g.wantKilled(k)
}

// wantKilled waits until the gateway has killed itself.
func (g *gateway) wantKilled(k kill) {
	g.t.Helper()
	code := g.Exit()
	if ws, ok := g.State().Sys().(syscall.WaitStatus); !ok || !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		g.t.Fatalf("the gateway ended (exit code %d) before it came to %s for the %d. time", code, k.point, k.n)
	}
}

// runToIdle runs the gateway until everything has been moved.
func (g *gateway) runToIdle() {
	g.t.Helper()
	g.plan("")
	g.Launch()
	if code := g.Exit(); code != 0 {
		g.t.Fatalf("the last run ended with exit code %d", code)
	}
}

// checkRecords holds what the gateway left behind to the invariants.
func (g *gateway) checkRecords(total int, l limits) {
	g.t.Helper()
	ds, err := deliveries(g.Path("journal.txt"))
	if err != nil {
		g.t.Fatal(err)
	}
	c, err := checkDeliveries(ds, total, l)
	if err != nil {
		g.t.Errorf("after %d deaths:\n%v", l.deaths, err)
	}
	g.t.Logf("%d records, %d deaths; in the topic again %d, at most %d at once (%d allowed); put again %d, at most %d at once (%d allowed)",
		total, l.deaths, c.topic.repeats, c.topic.longest, l.topic, c.sink.repeats, c.sink.longest, l.sink)
	if err := checkPositions(g.Path("positions.txt")); err != nil {
		g.t.Error(err)
	}
	left, err := os.ReadDir(g.Path("spool"))
	if err != nil || len(left) > 0 {
		g.t.Errorf("%d records were not let go of upstream: %v", len(left), err)
	}
}

// TestASourceThatLetsGoEarlyIsCaught keeps the test above from going blind: a
// source that deletes upstream what it has only read loses it when its process
// is killed, and the same check says so.
func TestASourceThatLetsGoEarlyIsCaught(t *testing.T) {
	t.Parallel()
	for _, k := range []kill{{"poll", 1}, {"poll", 7}} {
		g := newCrasher(t, strings.Replace(spoolConnector, "spool-source", "early-spool-source", 1))
		const total = 5 * sourceCost
		feed(t, g.Path("spool"), 1, total)
		g.crash(k)
		g.runToIdle()
		ds, err := deliveries(g.Path("journal.txt"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = checkDeliveries(ds, total, limits{deaths: 1, topic: sourceCost, sink: sinkCost})
		if err == nil || !strings.Contains(err.Error(), "records at the sink:") || !strings.Contains(err.Error(), "did not come before") {
			t.Errorf("killed at poll %d: the check says %v, want what was lost", k.n, err)
		}
	}
}
