package connect

import (
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// keyTopicPrefix is what connectors that write many topics call the beginning
// of their names, as Kafka Connect's do.
const keyTopicPrefix = "topic.prefix"

// checkTopics returns which topics that a configuration names cannot be on the
// connector's own broker, as far as its driver can tell. What no broker takes
// is left to the definitions of keys. A topic with a mark in it is its
// plugin's to check, and one that transforms may still rename, nobody's before
// the connector runs.
func (c *Catalog) checkTopics(p Plugin, config oms.KeyValue) (problems oms.KeyErrors) {
	check := func(topic string) error {
		if ours := topic != "" && !strings.Contains(topic, "${") && oms.ValidTopic(topic) == nil; !ours {
			return nil
		}
		return c.brokers.checkTopic(config["broker"], topic)
	}
	note := func(key string, err error) {
		if err != nil {
			problems = append(problems, oms.KeyError{Key: key, Problem: err.Error()})
		}
	}
	switch {
	case p.Kind == KindSink:
		for _, topic := range oms.SplitList(config[keyTopics]) {
			note(keyTopics, check(topic))
		}
	case config["transforms"] == "":
		note(keyTopic, check(config[keyTopic]))
		prefix := config[keyTopicPrefix]
		if _, own := p.Def.Key(keyTopicPrefix); !own || prefix == "" {
			break
		}
		// It may be a whole name, too: it is wrong only if both are.
		if err := check(prefix); err != nil && check(prefix+"x") != nil {
			note(keyTopicPrefix, err)
		}
	}
	return problems
}
