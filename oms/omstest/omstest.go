// Package omstest has the contract of a driver of package oms as a list of
// rules, and holds a driver to them. A driver's test is
//
//	omstest.Run(t, harness)
//
// with a subtest for each rule: one that fails prints the rule as a sentence.
// What a driver does not claim is not asked of it, but a call or a message
// that needs it must be refused (rule U01, U02); what it claims must hold.
package omstest

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A Rule is one sentence of the contract.
type Rule struct {
	ID       string // such as S03: area and number
	Sentence string
	// Needs are the capabilities without which the rule says nothing.
	Needs []oms.Capability
	// Faults are the troubles that the harness must be able to make.
	Faults []Fault
	// Alone says that nothing else may use the broker or the process
	// meanwhile. Rules with faults are alone always.
	Alone bool

	needs func(*Harness) string // what else the harness must have; nil: nothing
	check func(*bench)

	fullLimit time.Duration // with the counts of a release, if that is beyond timeLimit
}

// Rules returns all rules, sorted by area.
func Rules() []Rule {
	var all []Rule
	for _, area := range [][]Rule{
		openRules, sendRules, messageRules, adminRules,
		receiveRules, ackRules, orderRules, positionRules, movingRules, failureRules, newRules,
	} {
		all = append(all, area...)
	}
	return all
}

// Unsupported returns why the rule says nothing about the harness's driver,
// "" when it must hold.
func (r Rule) Unsupported(h *Harness) string {
	caps := h.Driver.Capabilities(h.AccessPoint)
	for _, c := range r.Needs {
		if !caps.Has(c) {
			return strings.TrimSuffix(fmt.Sprintf("%s is not claimed: %s", c, caps.Claims[c].Note), ": ")
		}
	}
	for _, f := range r.Faults {
		if h.fault(f) == nil {
			return fmt.Sprintf("the harness has no way to make this trouble: %s", f)
		}
	}
	if r.needs != nil {
		return r.needs(h)
	}
	return ""
}

// timeLimit bounds a rule; only a broken one comes near it.
const timeLimit = 5 * time.Minute

// Run holds one broker's driver to all rules, each in a subtest. Rules share
// the broker and have topics and groups of their own. Those that trouble
// nobody run side by side, the others after them, one by one.
func Run(t *testing.T, h *Harness) {
	t.Helper()
	t.Run("together", func(t *testing.T) {
		for _, r := range Rules() {
			if !r.alone() {
				t.Run(r.ID, func(t *testing.T) {
					t.Parallel()
					r.run(t, h)
				})
			}
		}
	})
	for _, r := range Rules() {
		if r.alone() {
			t.Run(r.ID, func(t *testing.T) { r.run(t, h) })
		}
	}
}

// RunInBubble is Run with each rule in a bubble of testing/synctest and with
// a broker of its own, for drivers without real I/O. newHarness is called
// inside.
func RunInBubble(t *testing.T, newHarness func(t *testing.T) *Harness) {
	t.Helper()
	for _, r := range Rules() {
		t.Run(r.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { r.run(t, newHarness(t)) })
		})
	}
}

func (r Rule) alone() bool { return r.Alone || len(r.Faults) > 0 }

func (r Rule) run(t *testing.T, h *Harness) {
	t.Helper()
	if why := r.Unsupported(h); why != "" {
		t.Logf("%s %s: unsupported: %s", r.ID, r.Sentence, why)
		return
	}
	if err := r.Broken(t.Context(), h); err != nil {
		t.Errorf("rule %s broken: %s\n%v", r.ID, r.Sentence, err)
	}
}

// Check returns the rules that a driver breaks, and how, by id. Rules that say
// nothing about it hold.
func Check(ctx context.Context, newHarness func() *Harness, rules ...Rule) map[string]error {
	failures := make(map[string]error)
	for _, r := range rules {
		h := newHarness()
		if r.Unsupported(h) != "" {
			continue
		}
		if err := r.Broken(ctx, h); err != nil {
			failures[r.ID] = err
		}
	}
	return failures
}

// Broken returns how the rule is broken, nil if it is not.
func (r Rule) Broken(ctx context.Context, h *Harness) (err error) {
	limit := timeLimit
	if h.Full {
		limit = max(limit, r.fullLimit)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b := newBench(ctx, h, r)
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				f.error = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			err = f.error
		}
		if cerr := b.close(ctx); err == nil {
			err = cerr
		}
	}()
	r.check(b)
	return nil
}

// Lookup returns the rule of that id.
func Lookup(id string) (Rule, bool) {
	all := Rules()
	i := slices.IndexFunc(all, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return all[i], true
}
