package connect

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// gaps are those that a sink has found. With latest a sink receives what it
// passes over, and acknowledges that: a push consumer cannot seek.
type gaps struct {
	*Gaps

	mu   sync.Mutex
	fail func(error)             // ends the task at a gap that does; nil: settle does
	skip map[oms.Partition]int64 // where a partition goes on
}

func newGaps(policy string) *gaps {
	return &gaps{Gaps: NewGaps(policy), skip: make(map[oms.Partition]int64)}
}

// found is told of a gap before anything behind it is received.
func (g *gaps) found(gap oms.Gap) {
	g.Found(gap)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failNow()
}

// failsBy has fail called as soon as a gap is found that is to fail the task:
// a push consumer does not call without messages.
func (g *gaps) failsBy(fail func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = fail
	g.failNow()
}

// failNow fails the task if that is due. The mutex is held.
func (g *gaps) failNow() {
	if g.fail == nil {
		return
	}
	if err := g.failure(); err != nil {
		g.fail(&Outcome{Stage: StageFetch, Err: err})
	}
}

// settle deals with the gaps that were found.
func (g *gaps) settle(ctx context.Context, client *oms.Client, log *slog.Logger) error {
	err := g.Resolve(ctx, client, log, func(_ context.Context, to map[oms.Partition]int64) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		maps.Copy(g.skip, to)
		return nil
	})
	if err != nil {
		return &Outcome{Stage: StageFetch, Err: err}
	}
	return nil
}

// passed divides messages into those that are passed over and those to put.
func (g *gaps) passed(msgs []*oms.Message) (over, rest []*oms.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.skip) == 0 {
		return nil, msgs
	}
	rest = slices.DeleteFunc(slices.Clone(msgs), func(m *oms.Message) bool {
		to, behind := g.skip[m.At()]
		if behind && m.Offset < to {
			over = append(over, m)
			return true
		}
		return false
	})
	return over, rest
}
