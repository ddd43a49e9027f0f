package connect

import (
	"context"
	"fmt"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// ensureGroup makes the group of a sink, where the broker has groups to make.
func ensureGroup(ctx context.Context, brokers *Brokers, s settings) error {
	client, err := brokers.Client(ctx, s.broker)
	if err != nil {
		return err
	}
	if !client.Capabilities().Has(oms.ManageGroups) {
		return nil // the group comes into being with its first member
	}
	groups, err := client.Groups()
	if err != nil {
		return err
	}
	return groups.EnsureGroup(ctx, s.group, s.topics, s.start)
}

// ensureReaders makes the groups of all defined sinks of a broker, paused and
// stopped ones too, where a message that is sent before its group exists would
// be lost to it.
func ensureReaders(ctx context.Context, store offsets.Definitions, plugins *Plugins, brokers *Brokers, broker string) error {
	caps, err := brokers.Capabilities(broker)
	if err != nil || caps.Has(oms.Backlog) {
		return err
	}
	defs, err := store.List(ctx)
	if err != nil {
		return err
	}
	for _, d := range defs {
		p, err := plugins.Lookup(d.Config["connector.class"])
		if err != nil || p.Kind != KindSink || d.Deleted {
			continue
		}
		s, err := readSettings(d.Name, p, d.Config)
		if err != nil || s.broker != broker {
			continue
		}
		if err := ensureGroup(ctx, brokers, s); err != nil {
			return fmt.Errorf("make the group of sink %s first: %w", d.Name, err)
		}
	}
	return nil
}
