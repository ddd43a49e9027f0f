package connect

import (
	"context"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// A topic that comes when a sink's pattern is being watched holds nothing from
// before the sink: all of it was sent after the group began. So the group reads
// it from its beginning, also one that begins at the end of the topics that it
// finds: else it would miss what is sent before the topic is found.

// of returns the reading of some of the topics that match its pattern.
func (r Reading) of(topics []string, later bool) Reading {
	r.Topics, r.Pattern = topics, nil
	if later && r.Start.From == oms.StartLatest {
		r.Start = oms.Start{From: oms.StartEarliest}
	}
	return r
}

// came notes topics that were not there at the first look.
func (w *topicWatch) came(topics []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, topic := range topics {
		w.later[topic] = true
	}
}

// isLater reports whether a topic has come since the first look. A nil watch
// is that of a sink without a pattern.
func (w *topicWatch) isLater(topic string) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.later[topic]
}

// readings splits the reading of topics by where it begins.
func (w *topicWatch) readings(r Reading, topics []string) []Reading {
	var first, later []string
	for _, topic := range topics {
		if w.isLater(topic) {
			later = append(later, topic)
		} else {
			first = append(first, topic)
		}
	}
	var all []Reading
	if len(first) > 0 {
		all = append(all, r.of(first, false))
	}
	if len(later) > 0 {
		all = append(all, r.of(later, true))
	}
	return all
}

// starts returns what a consumer is to do with partitions that it is given. A
// broker may take positions for a group from its members only, once it has any
// (Kafka does): those of topics that have come are then set here.
func (w *topicWatch) starts(client *oms.Client, r Reading) func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
	caps := client.Capabilities()
	if w == nil || r.Start.From != oms.StartLatest || !caps.Has(oms.GroupPositions) || !caps.Has(oms.OffsetForTime) {
		return nil
	}
	return func(ctx context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		var topics []string
		for _, p := range ps {
			if w.isLater(p.Topic) && !slices.Contains(topics, p.Topic) {
				topics = append(topics, p.Topic)
			}
		}
		if len(topics) == 0 {
			return nil, nil
		}
		positions, err := client.Positions(ctx, r.Group, topics)
		if err != nil {
			return nil, err
		}
		begin, err := client.Offsets(ctx, topics, oms.Start{From: oms.StartEarliest})
		if err != nil {
			return nil, err
		}
		from := make(map[oms.Partition]int64)
		for _, p := range ps {
			_, has := positions[p]
			if at, there := begin[p]; there && !has {
				from[p] = at
			}
		}
		return from, nil
	}
}
