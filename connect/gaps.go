package connect

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// OutOfRange is the name of the key that says what to do at a gap. Sinks have
// it, and so has a source that reads a broker.
const OutOfRange = "consumer.offset.out.of.range"

// The values of OutOfRange.
const (
	OutOfRangeFail     = "fail"     // the task fails
	OutOfRangeEarliest = "earliest" // it goes on with what is left
	OutOfRangeLatest   = "latest"   // it goes on with what comes from now on
)

// OutOfRangeKey returns the definition of OutOfRange.
func OutOfRangeKey() Key {
	return Key{
		Name: OutOfRange, Default: OutOfRangeFail, Values: []string{OutOfRangeFail, OutOfRangeEarliest, OutOfRangeLatest},
		Doc: "What to do when messages were removed before they were read: fail, go on with the earliest that is left, or with what comes from now on.",
	}
}

// Gaps are ranges of messages that a broker no longer had when they were to be
// read. Invariant 7: none is passed before it was told. Their methods may be
// called concurrently: gaps are found on goroutines of the driver's.
type Gaps struct {
	policy string

	mu   sync.Mutex
	list []oms.Gap // not dealt with yet
}

// NewGaps returns no gaps, with a value of OutOfRange that says what to do about
// those that come.
func NewGaps(policy string) *Gaps { return &Gaps{policy: policy} }

// Found is told of a gap before anything behind it is received: it is an
// OnGap of oms.ReceiverConfig.
func (g *Gaps) Found(gap oms.Gap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, gap)
}

// Hold reports whether nothing of a partition may be taken now: before the gap
// in it is dealt with, or where the task is about to fail.
func (g *Gaps) Hold(p oms.Partition) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.policy {
	case OutOfRangeEarliest:
		return false
	case OutOfRangeLatest:
		return slices.ContainsFunc(g.list, func(gap oms.Gap) bool { return gap.Partition == p })
	default:
		return len(g.list) > 0
	}
}

// Resolve deals with the gaps that were found: it fails with the first, or logs
// all. With latest, goOn is called before that with the ends of the partitions:
// it has them go on there.
func (g *Gaps) Resolve(ctx context.Context, client *oms.Client, log *slog.Logger, goOn func(ctx context.Context, to map[oms.Partition]int64) error) error {
	if err := g.failure(); err != nil {
		return err
	}
	g.mu.Lock()
	all := slices.Clone(g.list)
	g.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	if g.policy == OutOfRangeLatest {
		to := make(map[oms.Partition]int64, len(all))
		for _, gap := range all {
			ends, err := client.Offsets(ctx, []string{gap.Partition.Topic}, oms.Start{From: oms.StartLatest})
			if err != nil {
				return err
			}
			to[gap.Partition] = ends[gap.Partition]
		}
		if err := goOn(ctx, to); err != nil {
			return err
		}
	}
	for _, gap := range all {
		log.Warn("messages were removed before they were read; going on behind them",
			"topic", gap.Partition.Topic, "partition", gap.Partition.Number, "from", gap.From, "to", gap.To, OutOfRange, g.policy)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = g.list[len(all):]
	return nil
}

// failure returns the error of the first gap where that fails the task. It has
// no code of a topic that is missing, which would be waited for.
func (g *Gaps) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.list) == 0 || g.policy == OutOfRangeEarliest || g.policy == OutOfRangeLatest {
		return nil
	}
	return &oms.Error{
		Op: "read", Target: g.list[0].Partition.Topic, Code: oms.ErrInvalid,
		Err: fmt.Errorf("%s; set %s to %s or %s to go on", g.list[0], OutOfRange, OutOfRangeEarliest, OutOfRangeLatest),
	}
}
