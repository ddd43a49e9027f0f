package connect

import (
	"context"
	"fmt"
	"slices"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A Reading is a group that a connector reads topics of a broker as.
type Reading struct {
	Broker string // its name or access point, DefaultBroker for the gateway's
	Group  string
	Topics []string
	// Pattern stands for the topics that match it, in place of Topics.
	Pattern *TopicPattern
	Start   oms.Start
}

// reading is what the runtime itself reads for a sink.
func (s settings) reading() Reading {
	return Reading{Broker: s.broker, Group: s.group, Topics: s.topics, Pattern: s.pattern, Start: s.start}
}

// ensureReading makes a group, where the broker has groups to make. Of a
// pattern that is for the topics that match now.
func ensureReading(ctx context.Context, store offsets.Definitions, plugins *Plugins, brokers *Brokers, r Reading) error {
	client, err := brokers.Client(ctx, r.Broker)
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
	if r.Pattern != nil && client.Capabilities().Has(oms.CreateTopic) {
		if r.Topics, err = r.Pattern.Find(ctx, client); err != nil {
			return err
		}
	}
	if len(r.Topics) == 0 {
		return nil
	}
	if err := ensureTopics(ctx, store, plugins, brokers, client, r); err != nil {
		return err
	}
	return groups.EnsureGroup(ctx, r.Group, r.Topics, r.Start)
}

// definitions lists what is defined. A store that does not answer holds no task
// up: that is ErrTimeout.
func definitions(ctx context.Context, store offsets.Definitions) (defs []offsets.Definition, err error) {
	err = storeCall(ctx, "list connectors", func(ctx context.Context) error {
		defs, err = store.List(ctx)
		return err
	})
	return defs, err
}

// ensureTopics makes those topics of a reading that are missing and that a
// source is defined for, as that source is told to. A group that comes before
// the source would have them made with the broker's own numbers.
func ensureTopics(ctx context.Context, store offsets.Definitions, plugins *Plugins, brokers *Brokers, client *oms.Client, r Reading) error {
	if !client.Capabilities().Has(oms.CreateTopic) {
		return nil
	}
	defs, err := definitions(ctx, store)
	if err != nil {
		return err
	}
	for _, d := range defs {
		p, err := plugins.Lookup(d.Config["connector.class"])
		if err != nil || p.Kind != KindSource || d.Deleted {
			continue
		}
		s, err := readSettings(d.Name, p, d.Config)
		if err != nil || !s.createTopics || s.partitions == 0 && s.replication == 0 || !slices.Contains(r.Topics, s.topic) ||
			brokers.accessPoint(s.broker) != brokers.accessPoint(r.Broker) {
			continue
		}
		// What does not pass by itself is the source's to fail with: the topic
		// may be there, and a reader needs no right to make it.
		err = client.EnsureTopic(ctx, oms.TopicSpec{Name: s.topic, Partitions: s.partitions, ReplicationFactor: s.replication})
		if oms.IsTemporary(err) {
			return err
		}
	}
	return nil
}

// ensureReaders makes the groups of all defined connectors that read from a
// broker, paused and stopped ones too, where a message that is sent before its
// group exists would be lost to it.
func ensureReaders(ctx context.Context, store offsets.Definitions, plugins *Plugins, brokers *Brokers, broker string) error {
	caps, err := brokers.Capabilities(broker)
	if err != nil || caps.Has(oms.Backlog) {
		return err
	}
	defs, err := definitions(ctx, store)
	if err != nil {
		return err
	}
	for _, d := range defs {
		for _, r := range readings(plugins, d) {
			if brokers.accessPoint(r.Broker) != brokers.accessPoint(broker) {
				continue
			}
			if err := ensureReading(ctx, store, plugins, brokers, r); err != nil {
				return fmt.Errorf("make the group of connector %s first: %w", d.Name, err)
			}
		}
	}
	return nil
}

// readings returns the groups that a connector reads as: that of a sink, and
// those that its plugin names.
func readings(plugins *Plugins, d offsets.Definition) []Reading {
	p, err := plugins.Lookup(d.Config["connector.class"])
	if err != nil || d.Deleted {
		return nil
	}
	var all []Reading
	if p.Kind == KindSink {
		s, err := readSettings(d.Name, p, d.Config)
		if err != nil {
			return nil
		}
		all = append(all, s.reading())
	}
	if own := p.Def.Complete(d.Config); p.Reads != nil && p.Def.Validate(own) == nil {
		all = append(all, p.Reads(d.Name, own)...)
	}
	return all
}

// ensureTopicReaders makes the groups of all defined connectors that read a
// topic because its name matches, where a message that is sent before would be
// lost to them. Whoever sends calls it before the first message to the topic.
// One that the broker does not list is left alone: nobody would find it, and
// what a group gets of it would never be read. Sinks of this gateway look for
// the topic at once.
func (rt *Runtime) ensureTopicReaders(ctx context.Context, broker, topic string) error {
	opts := rt.opts
	caps, err := opts.Brokers.Capabilities(broker)
	if err != nil || !caps.Has(oms.CreateTopic) {
		return err // topics cannot be listed, nor matched
	}
	defs, err := definitions(ctx, opts.Store)
	if err != nil {
		return err
	}
	var readers []Reading
	var of []string // the connectors of these
	for _, d := range defs {
		for _, r := range readings(opts.Plugins, d) {
			if r.Pattern != nil && r.Pattern.Match(topic) && opts.Brokers.accessPoint(r.Broker) == opts.Brokers.accessPoint(broker) {
				readers, of = append(readers, r), append(of, d.Name)
			}
		}
	}
	if len(readers) == 0 {
		return nil
	}
	client, err := opts.Brokers.Client(ctx, broker)
	if err != nil {
		return err
	}
	infos, err := client.Topics(ctx)
	if err != nil || !slices.ContainsFunc(infos, func(info oms.TopicInfo) bool { return info.Name == topic }) {
		return err
	}
	for i, r := range readers {
		if !caps.Has(oms.Backlog) || r.Start.From != oms.StartEarliest {
			r.Topics, r.Pattern = []string{topic}, nil
			if err := ensureReading(ctx, opts.Store, opts.Plugins, opts.Brokers, r); err != nil {
				return fmt.Errorf("make the group of connector %s first: %w", of[i], err)
			}
		}
		if s := rt.supervisor(of[i]); s != nil {
			s.lookForTopics()
		}
	}
	return nil
}
