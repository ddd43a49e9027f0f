package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// facts tells of a broker by its name or access point.
type facts = func(broker string) (connect.BrokerFacts, error)

// both returns the facts of the connector's own broker and of the other one.
func both(config oms.KeyValue, key string, of facts) (own, other connect.BrokerFacts, err error) {
	other, err = of(config[key])
	if err != nil {
		return own, other, oms.KeyErrors{{Key: key, Problem: err.Error()}}
	}
	own, err = of(connect.DefaultBroker)
	return own, other, err
}

// besideSource checks the pair of brokers of a source that is being created.
func besideSource(config oms.KeyValue, of facts) (notes []string, err error) {
	own, other, err := both(config, keySource, of)
	if err != nil {
		return nil, err
	}
	topics := oms.SplitList(config[keyTopics])
	if err := forbidden(keyTopics, topics, other); err != nil {
		return nil, err
	}
	if config["transforms"] == "" {
		if other.Same(own) {
			if err := ownTail(config, keyTopic, topics, config[keyRegex]); err != nil {
				return nil, err
			}
		}
		if err := forbidden(keyTopic, targets(config[keyTopic], topics), own); err != nil {
			return nil, err
		}
	}
	needs := []oms.Need{{Capability: oms.Groups, Key: keySource}}
	if config[keyRegex] != "" {
		needs = append(needs, oms.Need{Capability: oms.CreateTopic, Key: keyRegex}) // who may make topics may list them
	}
	if start, err := startAt(config[keyStart]); err == nil && start.From == oms.StartAtTime {
		needs = append(needs, oms.Need{Capability: oms.OffsetForTime, Key: keyStart})
	}
	if config[connect.OutOfRange] == connect.OutOfRangeLatest {
		needs = append(needs, oms.Need{Capability: oms.Seek, Key: connect.OutOfRange}, oms.Need{Capability: oms.OffsetForTime, Key: connect.OutOfRange})
	}
	return pairNotes(config, other, own, keyUnacked+" and "+keyUnackedB), other.Capabilities.Check(other.AccessPoint.Driver, needs)
}

// besideSink checks the pair of brokers of a sink that is being created.
func besideSink(config oms.KeyValue, of facts) (notes []string, err error) {
	own, other, err := both(config, keySink, of)
	if err != nil {
		return nil, err
	}
	topics := oms.SplitList(config["topics"])
	if config["transforms"] == "" {
		if other.Same(own) {
			if err := ownTail(config, keySinkTopic, topics, config["topics.regex"]); err != nil {
				return nil, err
			}
		}
		if err := forbidden(keySinkTopic, targets(config[keySinkTopic], topics), other); err != nil {
			return nil, err
		}
	}
	if strings.EqualFold(config[keyCreate], "true") && !other.Capabilities.Has(oms.CreateTopic) {
		notes = append(notes, "topics are not made at the target, which leaves that to others: see that they are there")
	}
	return append(notes, pairNotes(config, own, other, "inflight.max.records")...), nil
}

// targets returns the topics that are known to be written to: where it takes
// one that was read to know, those that are named.
func targets(template string, topics []string) []string {
	if !strings.Contains(template, topicMark) {
		return []string{template}
	}
	all := make([]string, len(topics))
	for i, t := range topics {
		all[i] = render(template, t)
	}
	return all
}

// forbidden returns an error for topics that a broker cannot have.
func forbidden(key string, topics []string, at connect.BrokerFacts) error {
	var ps problems
	for _, t := range topics {
		if err := at.CheckTopic(t); err != nil {
			ps.add(key, "%s", err)
		}
	}
	return oms.KeyErrors(ps).OrNil()
}

// ownTail returns an error for a bridge on one broker that reads what it
// writes.
func ownTail(config oms.KeyValue, key string, topics []string, regex string) error {
	for _, t := range topics {
		if to := render(config[key], t); slices.Contains(topics, to) {
			return oms.KeyErrors{{Key: key, Problem: fmt.Sprintf("the bridge would read what it writes: both brokers are the same, and records of %.100q go to %.100q; choose another topic", t, to)}}
		}
	}
	if regex == "" {
		return nil
	}
	pattern, err := connect.ParseTopicPattern(regex)
	if err == nil && (config[key] == topicMark || pattern.Match(config[key])) {
		err = errors.New("both brokers are the same, and the bridge would read what it writes; choose another topic")
	}
	if err != nil {
		return oms.KeyErrors{{Key: key, Problem: err.Error()}}
	}
	return nil
}

// slow is a DurableAfter that is worth a note.
const slow = 2 * time.Second

// pairNotes tells what one broker can carry and the other cannot. Window is
// what bounds how much may wait until it is durable.
func pairNotes(config oms.KeyValue, from, to connect.BrokerFacts, window string) (notes []string) {
	name := to.AccessPoint.Driver
	if after := to.Capabilities.DurableAfter; after >= slow {
		notes = append(notes, fmt.Sprintf("%s makes records durable within %v, and nothing is acknowledged before that: what may wait (%s) bounds the rate", name, after, window))
	}
	if from.Capabilities.Has(oms.OrderPerKey) && !to.Capabilities.Has(oms.OrderPerKey) {
		notes = append(notes, fmt.Sprintf("%s does not keep the order of a key", name))
	}
	if most := to.Capabilities.MaxBody; most > 0 && (from.Capabilities.MaxBody == 0 || from.Capabilities.MaxBody > most) {
		notes = append(notes, fmt.Sprintf("%s takes bodies of at most %d bytes: a larger one fails the task", name, most))
	}
	if config[keyFidelity] == envelope {
		return notes
	}
	for _, f := range features {
		if !from.Capabilities.Has(f.capability) || to.Capabilities.Has(f.capability) {
			continue
		}
		becomes := f.becomes
		if config[keyFidelity] == strict {
			becomes = "it fails the task"
		}
		notes = append(notes, fmt.Sprintf("%s cannot carry a record with %s: %s", name, f.kind, becomes))
	}
	return notes
}
