// Package offsetstest has the contract of offsets.Store as a list of rules,
// and checks a store against them. A store's test is
//
//	offsetstest.Run(t, func(t *testing.T) offsetstest.Harness { ... })
//
// and a subtest for each rule; one that fails prints the rule as a sentence.
package offsetstest

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/offsets"
)

// A Harness gives the suite a store and the ways to trouble it. Each rule has
// one of its own, with an empty store.
type Harness struct {
	// Open opens the store; the suite closes it. Where Reopens is set, a later
	// call opens what the closed one had stored.
	Open func() (offsets.Store, error)
	// Reopens says that the state outlives the store.
	Reopens bool
	// Advance moves the clock by which leases and statuses end. When it is
	// nil they end by the real one, and the suite waits until they have.
	Advance func(time.Duration)
	// TTL is how long a lease lasts that is to end during a rule. It must be
	// long against a call. The default is 300 ms.
	TTL time.Duration
	// Corrupt overwrites the stored record of a position. It is nil for a
	// store that has no records.
	Corrupt func(connector string, p offsets.Partition, record string) error
}

// A rule is one sentence of the contract, and how to see it broken. Its check
// reports a failure by the methods of the bench.
type rule struct {
	name, sentence string
	needs          func(*Harness) bool
	check          func(context.Context, *bench)
}

// The needs of rules.
func always(*Harness) bool     { return true }
func reopens(h *Harness) bool  { return h.Reopens }
func corrupts(h *Harness) bool { return h.Corrupt != nil }

// ruleTimeout bounds a rule; only a broken one comes near it.
const ruleTimeout = 60 * time.Second

func rules() []rule {
	var all []rule
	for _, group := range [][]rule{
		leaseRules, positionRules, recordRules, alterRules, adoptRules, definitionRules, watchRules, statusRules, storeRules,
	} {
		all = append(all, group...)
	}
	return all
}

// Run checks the stores of newHarness, each rule in a subtest.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) { r.run(t, newHarness(t)) })
	}
}

// RunInBubble is Run with each rule in a bubble of testing/synctest, for
// stores without real I/O. The harness is made inside; its Advance may sleep.
func RunInBubble(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { r.run(t, newHarness(t)) })
		})
	}
}

func (r rule) run(t *testing.T, h Harness) {
	t.Helper()
	if err := r.broken(t.Context(), h); err != nil {
		t.Errorf("rule broken: %s\n%v", r.sentence, err)
	}
}

// Check returns the rules that a store breaks, and how, by name.
func Check(ctx context.Context, newHarness func() Harness) map[string]error {
	failures := make(map[string]error)
	for _, r := range rules() {
		if err := r.broken(ctx, newHarness()); err != nil {
			failures[r.name] = err
		}
	}
	return failures
}

// broken returns how the rule is broken, nil if it is not. A rule whose needs
// the harness does not meet holds.
func (r rule) broken(ctx context.Context, h Harness) (err error) {
	if !r.needs(&h) {
		return nil
	}
	if h.TTL == 0 {
		h.TTL = 300 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, ruleTimeout)
	defer cancel()
	store, err := h.Open()
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	b := &bench{Store: store, harness: h}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
		if closeErr := b.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("closing the store: %w", closeErr)
		}
	}()
	r.check(ctx, b)
	return nil
}
