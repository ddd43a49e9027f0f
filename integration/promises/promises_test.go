package promises

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A promise is one that is asked of every broker.
type promise struct {
	name string
	kept func(*testing.T, *broker)
}

// promises are all of them.
var promises = slices.Concat(atCreation, atStart, atGaps, atAccess, atTopics, atRecords, atMembers)

// TestPromises asks each promise of each broker.
func TestPromises(t *testing.T) {
	for _, p := range promises {
		t.Run(strings.ReplaceAll(p.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			for _, b := range brokers {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					p.kept(t, b)
				})
			}
		})
	}
}

// unique keeps names apart from those of an earlier run, on a broker that
// stands longer than the tests run.
var (
	unique  = strings.ToLower(rand.Text()[:6])
	counter atomic.Int64
)

// fresh returns a name that nobody else has.
func fresh(what string) string { return fmt.Sprintf("%s-%s-%d", what, unique, counter.Add(1)) }

// numbered returns n bodies from a number on, sorted.
func numbered(from, n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("record %04d", from+i)
	}
	return bodies
}

// gets waits until as many records are in the tray as there are bodies, which
// must be the same ones, in any order.
func (g *gateway) gets(tr *tray, bodies []string) {
	g.t.Helper()
	g.until(fmt.Sprintf("%d records in %s", len(bodies), tr.name), func() bool { return len(tr.all()) >= len(bodies) })
	want := slices.Sorted(slices.Values(bodies))
	if diff := cmp.Diff(want, tr.bodies()); diff != "" {
		g.t.Errorf("%s has not got what was sent: -sent +got\n%s", tr.name, diff)
	}
}

// getsAll is gets for what may be repeated.
func (g *gateway) getsAll(tr *tray, bodies []string) {
	g.t.Helper()
	g.until(fmt.Sprintf("%d different records in %s", len(bodies), tr.name), func() bool { return len(tr.distinct()) >= len(bodies) })
	want := slices.Sorted(slices.Values(bodies))
	if diff := cmp.Diff(want, tr.distinct()); diff != "" {
		g.t.Errorf("%s has not got what was sent: -sent +got\n%s", tr.name, diff)
	}
}
