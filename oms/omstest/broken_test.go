package omstest_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms/omstest"
)

// A kind is one way for a driver to be broken. It must break these rules and
// no others.
type kind struct {
	name   string
	breaks []string
	spoil  func(*broken)
}

func kinds() []kind {
	return slices.Concat(messageKinds, senderKinds, receiverKinds, connKinds, txKinds, halfKinds)
}

// The order of goroutines is chance, in a bubble too. A rule that must be
// broken may hold now and then, so it is tried again until it is; one that must
// not be may seem broken because of another, so it has to be each time.
const (
	triesToBreak = 20
	triesToHold  = 3
)

// check returns the rules that a driver breaks that is broken in this way.
func (k kind) check(t *testing.T) map[string]error {
	t.Helper()
	failures := make(map[string]error)
	for _, r := range omstest.Rules() {
		expected, tries := slices.Contains(k.breaks, r.ID), triesToHold
		if expected {
			tries = triesToBreak
		}
		var err error
		for range tries {
			if err = k.try(t, r); (err != nil) == expected {
				break
			}
		}
		if err != nil {
			failures[r.ID] = err
		}
	}
	return failures
}

// try returns how the driver breaks a rule, nil if it does not.
func (k kind) try(t *testing.T, r omstest.Rule) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var ds drivers
		ds.spoil = k.spoil
		err = omstest.Check(t.Context(), ds.harness, r)[r.ID]
		ds.end()
	})
	return err
}

func TestADriverThatKeepsTheContractBreaksNoRule(t *testing.T) {
	for id, err := range (kind{}).check(t) {
		t.Errorf("%s: %v", id, err)
	}
}

func TestBrokenDriversBreakTheirRules(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			failures := k.check(t)
			got := slices.Sorted(maps.Keys(failures))
			if diff := cmp.Diff(k.breaks, got); diff != "" {
				t.Errorf("rules broken (-want +got):\n%s", diff)
				for _, id := range got {
					if !slices.Contains(k.breaks, id) {
						t.Logf("%s: %v", id, failures[id])
					}
				}
			}
		})
	}
}

// unbroken are the rules that no driver can break, and why.
var unbroken = map[string]string{
	"C02": "it is the registry that does not know a driver",
	"M04": "the front refuses a header without a name, no driver sees it",
	"U02": "the front refuses what is not claimed, no driver sees it",
}

func TestEveryRuleIsBrokenBySomeDriver(t *testing.T) {
	broken := make(map[string]string)
	for _, k := range kinds() {
		for _, id := range k.breaks {
			broken[id] = k.name
		}
	}
	for _, r := range omstest.Rules() {
		switch why, excused := unbroken[r.ID]; {
		case excused && broken[r.ID] != "":
			t.Errorf("%s is broken where %s, and is excused: %s", r.ID, broken[r.ID], why)
		case !excused && broken[r.ID] == "":
			t.Errorf("no driver breaks %s: %s", r.ID, r.Sentence)
		}
		delete(broken, r.ID)
	}
	for id, name := range broken {
		t.Errorf("where %s, %s is broken, and there is no such rule", name, id)
	}
}
