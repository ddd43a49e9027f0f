package connect

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// keyRange is what a sink does behind a gap.
const keyRange = "consumer.offset.out.of.range"

// Where a sink goes on behind a gap.
const (
	rangeFail     = "fail"
	rangeEarliest = "earliest"
	rangeLatest   = "latest"
)

// gaps are ranges of messages that the broker no longer had when a sink was to
// read them. Invariant 7: none is passed before it was told. The mutex guards
// the fields below it: gaps are found on goroutines of the driver's.
type gaps struct {
	policy string

	mu   sync.Mutex
	fail func(error)             // ends the task where the policy is to fail; nil: settle does
	list []oms.Gap               // not told yet
	skip map[oms.Partition]int64 // where a partition goes on, with the policy latest
}

func newGaps(policy string) *gaps {
	return &gaps{policy: policy, skip: make(map[oms.Partition]int64)}
}

// found is told of a gap before anything behind it is received.
func (g *gaps) found(gap oms.Gap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, gap)
	if g.policy == rangeFail && g.fail != nil {
		g.fail(gapError(gap))
	}
}

// failsBy has fail called as soon as a gap is found that is to fail the task:
// a push consumer does not call without messages.
func (g *gaps) failsBy(fail func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail = fail; fail != nil && g.policy == rangeFail && len(g.list) > 0 {
		fail(gapError(g.list[0]))
	}
}

// settle tells of the gaps that were found, or fails with the first one.
func (g *gaps) settle(ctx context.Context, client *oms.Client, log *slog.Logger) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, gap := range g.list {
		if g.policy == rangeFail {
			return gapError(gap)
		}
		if g.policy == rangeLatest {
			ends, err := client.Offsets(ctx, []string{gap.Partition.Topic}, oms.Start{From: oms.StartLatest})
			if err != nil {
				return &Outcome{Stage: StageFetch, Err: err}
			}
			g.skip[gap.Partition] = ends[gap.Partition]
		}
		log.Warn("messages were removed before they were read; going on behind them",
			"topic", gap.Partition.Topic, "partition", gap.Partition.Number, "from", gap.From, "to", gap.To, keyRange, g.policy)
	}
	g.list = nil
	return nil
}

// passed divides messages into those that the policy passes over and those to
// put.
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

// gapError says what is missing. It has no code of a topic that is missing,
// which a sink would wait for.
func gapError(gap oms.Gap) error {
	return &Outcome{Stage: StageFetch, Err: &oms.Error{
		Op: "read", Target: gap.Partition.Topic, Code: oms.ErrInvalid,
		Err: fmt.Errorf("%s; set %s to %s or %s to go on", gap, keyRange, rangeEarliest, rangeLatest),
	}}
}
