package connecttest

import (
	"context"
	"fmt"
	"testing"
)

// A rule is one sentence of the contract, and how to see it broken. Its check
// reports a failure by the methods of the bench. A rule whose needs the
// connector or its harness does not meet holds.
type rule struct {
	name, sentence string
	needs          func(*bench) bool
	check          func(context.Context, *bench)
}

func always(*bench) bool { return true }

func sourceRules() []rule {
	return gather(definitionRules, hookRules, sourceHookRules, deliveryRules, pollRules, resumeRules, commitRules, splitRules, secretRules)
}

func sinkRules() []rule {
	return gather(definitionRules, hookRules, putRules, refusalRules, interruptionRules, secretRules)
}

func gather(groups ...[]rule) []rule {
	var all []rule
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}

// RunSource checks a source connector, each rule in a subtest with a harness
// of its own.
func RunSource(t *testing.T, newSource func(t *testing.T) Source) {
	t.Helper()
	run(t, sourceRules(), func(t *testing.T) *bench { t.Helper(); return newSource(t).bench(t) })
}

// RunSink checks a sink connector, each rule in a subtest with a harness of
// its own.
func RunSink(t *testing.T, newSink func(t *testing.T) Sink) {
	t.Helper()
	run(t, sinkRules(), func(t *testing.T) *bench { t.Helper(); return newSink(t).bench(t) })
}

// CheckSource is RunSource without subtests and failures: it returns how each
// rule is broken that is, by name.
func CheckSource(t *testing.T, newSource func(t *testing.T) Source) map[string]error {
	t.Helper()
	return check(t, sourceRules(), func() *bench { return newSource(t).bench(t) })
}

// CheckSink is RunSink without subtests and failures: it returns how each rule
// is broken that is, by name.
func CheckSink(t *testing.T, newSink func(t *testing.T) Sink) map[string]error {
	t.Helper()
	return check(t, sinkRules(), func() *bench { return newSink(t).bench(t) })
}

func run(t *testing.T, rules []rule, newBench func(t *testing.T) *bench) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if err := r.broken(t.Context(), newBench(t)); err != nil {
				t.Errorf("rule broken: %s\n%v", r.sentence, err)
			}
		})
	}
}

func check(t *testing.T, rules []rule, newBench func() *bench) map[string]error {
	t.Helper()
	failures := make(map[string]error)
	for _, r := range rules {
		if err := r.broken(t.Context(), newBench()); err != nil {
			failures[r.name] = err
		}
	}
	return failures
}

// broken returns how the rule is broken, nil if it is not.
func (r rule) broken(ctx context.Context, b *bench) (err error) {
	// OnStop must come also when the test is over or has failed half-way.
	defer b.close(context.WithoutCancel(ctx))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
	}()
	b.probe(ctx)
	if r.needs(b) {
		r.check(ctx, b)
	}
	return nil
}

// A failure ends a check.
type failure struct{ error }

// fail ends the check. It is for the goroutine of the test only.
func fail(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}

// ok fails unless err is nil.
func ok(what string, err error) {
	if err != nil {
		fail("%s: %w", what, err)
	}
}
