package broker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// gaps are ranges of records that the source's broker no longer had when they
// were to be read. The mutex guards them: they are found on goroutines of the
// driver's.
type gaps struct {
	policy string

	mu   sync.Mutex
	list []oms.Gap // not dealt with yet
}

func newGaps(policy string) *gaps { return &gaps{policy: policy} }

// found is told of a gap before anything behind it is received.
func (g *gaps) found(gap oms.Gap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, gap)
}

// hold reports whether nothing of a partition may be taken now: before the gap
// in it is dealt with, or where the task is about to fail.
func (g *gaps) hold(p oms.Partition) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.policy {
	case earliest:
		return false
	case latest:
		return slices.ContainsFunc(g.list, func(gap oms.Gap) bool { return gap.Partition == p })
	default:
		return len(g.list) > 0
	}
}

// A seeker is a consumer, as far as gaps need it.
type seeker interface {
	Seek(ctx context.Context, to map[oms.Partition]int64) error
}

// resolve deals with the gaps that were found, by the policy: it fails for the
// first, or goes on.
func (g *gaps) resolve(ctx context.Context, client *oms.Client, consumer seeker, log *slog.Logger) error {
	g.mu.Lock()
	all := slices.Clone(g.list)
	g.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	if g.policy != earliest && g.policy != latest {
		return &oms.Error{Op: "read", Target: all[0].Partition.Topic, Code: oms.ErrNotFound, Err: fmt.Errorf(
			"%s; set %s to %s or %s to go on", all[0], keyRange, earliest, latest)}
	}
	if g.policy == latest {
		if err := toEnd(ctx, all, client, consumer); err != nil {
			return err
		}
	}
	for _, gap := range all {
		log.Warn("records were removed before they were read; going on behind them",
			"topic", gap.Partition.Topic, "partition", gap.Partition.Number, "from", gap.From, "to", gap.To, keyRange, g.policy)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = g.list[len(all):]
	return nil
}

// toEnd goes on with what comes from now on in partitions with gaps. What was
// read of them before cannot be acknowledged any more, and need not be.
func toEnd(ctx context.Context, all []oms.Gap, client *oms.Client, consumer seeker) error {
	to := make(map[oms.Partition]int64, len(all))
	for _, gap := range all {
		ends, err := client.Offsets(ctx, []string{gap.Partition.Topic}, oms.Start{From: oms.StartLatest})
		if err != nil {
			return err
		}
		to[gap.Partition] = ends[gap.Partition]
	}
	return consumer.Seek(ctx, to)
}
