package connect

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// A TopicPattern matches topics by their whole names. Topics that a broker
// keeps to itself, and names that no broker takes, never match.
type TopicPattern struct {
	text string
	re   *regexp.Regexp
}

// ParseTopicPattern compiles a pattern, which is RE2.
func ParseTopicPattern(text string) (*TopicPattern, error) {
	if text == "" {
		return nil, errors.New("it is empty, and matches no topic")
	}
	if _, err := regexp.Compile(text); err != nil { // as it was given: what surrounds it below may mend it
		return nil, fmt.Errorf("%w (the syntax is RE2, which has no look-around and no back-references)", err)
	}
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return nil, err
	}
	return &TopicPattern{text: text, re: re}, nil
}

// String returns the pattern as it was given.
func (p *TopicPattern) String() string { return p.text }

// Match reports whether a topic of that name is meant.
func (p *TopicPattern) Match(topic string) bool {
	return p.re.MatchString(topic) && !ReservedTopic(topic) && oms.ValidTopic(topic) == nil
}

// Find returns the topics of a broker that match, sorted. The broker's driver
// claims CreateTopic: who may make topics may list them.
func (p *TopicPattern) Find(ctx context.Context, client *oms.Client) ([]string, error) {
	infos, err := client.Topics(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for topics that match %q: %w", p.text, err)
	}
	var names []string
	for _, info := range infos {
		if p.Match(info.Name) {
			names = append(names, info.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// ReservedTopic reports whether some broker keeps topics of that name to
// itself.
func ReservedTopic(name string) bool {
	for _, prefix := range []string{"__", "$", "%", "amq."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// keyTopic says where a source writes to.
const keyTopic = "topic"

// The keys that say what a sink reads.
const (
	keyTopics      = "topics"
	keyTopicsRegex = "topics.regex"
	keyTopicsLook  = "topics.regex.refresh.interval.ms"
)

// checkTopicKeys finds what is wrong between the keys that say what a sink
// reads. As in Kafka Connect, an empty one is one that is not given.
func checkTopicKeys(config oms.KeyValue) oms.KeyErrors {
	pattern := config[keyTopicsRegex] != ""
	switch listed := len(oms.SplitList(config[keyTopics])) > 0; {
	case listed && pattern:
		return oms.KeyErrors{{Key: keyTopicsRegex, Problem: "topics and topics.regex are mutually exclusive options, but both are set: choose one"}}
	case !listed && !pattern:
		return oms.KeyErrors{{Key: keyTopics, Problem: "missing: name the topics to read, or match them with topics.regex"}}
	}
	return nil
}

func validTopics(list string) error {
	for _, t := range oms.SplitList(list) {
		if err := oms.ValidTopic(t); err != nil {
			return err
		}
	}
	return nil
}

func validPattern(text string) error {
	if text == "" {
		return nil
	}
	_, err := ParseTopicPattern(text)
	return err
}
