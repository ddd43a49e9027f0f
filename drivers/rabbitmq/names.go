package rabbitmq

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// shortString is how long names are at most in AMQP: exchanges, queues,
// routing keys, header names, message ids.
const shortString = 255

// Queues of the driver's own. Their prefix is forbidden to groups.
const (
	ownPrefix    = "oms."
	catalogQueue = ownPrefix + "topics" // a message for each topic that was made
	lockQueue    = ownPrefix + "lock"   // exclusive: held by whoever makes or deletes topics
)

// membersExchange is where members of groups can be called by their slots.
const membersExchange = ownPrefix + "members"

// countQueue holds as many messages as the topic has partitions. A topic
// without it has one.
func countQueue(topic string) string { return ownPrefix + "partitions:" + topic }

// slotQueue is exclusive: it is there as long as the member that holds it.
func slotQueue(group string, slot int) string {
	return ownPrefix + "member:" + group + ":" + strconv.Itoa(slot)
}

// checkTopic refuses names that no broker takes, and those that RabbitMQ
// keeps for itself.
func checkTopic(topic string) error {
	if err := topicProblem(topic); err != nil {
		return invalid(err.Error())
	}
	return nil
}

func topicProblem(topic string) error {
	switch err := oms.ValidTopic(topic); {
	case err != nil:
		return err
	case strings.HasPrefix(strings.ToLower(topic), "amq."):
		return fmt.Errorf("topic %q is reserved: names that start with amq. are RabbitMQ's own; choose another name", topic)
	case strings.HasPrefix(topic, delayedPrefix), topic == membersExchange:
		return fmt.Errorf("topic %q is reserved: exchanges %s and %s* are the driver's own; choose another name", topic, membersExchange, delayedPrefix)
	case len(countQueue(topic)) > shortString:
		return fmt.Errorf("the name of topic %.60q has %d bytes; RabbitMQ has room for %d; choose a shorter one", topic, len(topic), shortString-len(countQueue("")))
	}
	return nil
}

// checkTopics checks several, and returns them sorted and without repeats.
func checkTopics(topics []string) ([]string, error) {
	if len(topics) == 0 {
		return nil, invalid("no topics are named")
	}
	for _, t := range topics {
		if err := checkTopic(t); err != nil {
			return nil, err
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(topics))), nil
}

// checkGroup refuses groups whose queues could be taken for others.
func checkGroup(group string) error {
	switch {
	case group == "":
		return invalid("a group needs a name")
	case strings.ContainsRune(group, ':'):
		return invalid("the name of a group has no colon: it separates group, topic and partition in the names of queues")
	case strings.HasPrefix(group, ownPrefix), strings.HasPrefix(strings.ToLower(group), "amq."):
		return invalid("groups whose names start with " + ownPrefix + " or amq. are reserved")
	case len(slotQueue(group, mostSlots)) > shortString:
		return invalid("the group's name is too long")
	}
	return nil
}

// A binding is a queue of a group, and how it hangs on its topic.
type binding struct {
	queue string
	key   string // routing key of what it gets
	part  oms.Partition
}

// bindings returns the queues that a group has for a topic of n partitions.
func (o options) bindings(group, topic string, n int) ([]binding, error) {
	if o.ordering == orderingNone {
		b := binding{queue: group + ":" + topic + ":*", key: "#", part: oms.Partition{Topic: topic}}
		return []binding{b}, tooLong(b.queue)
	}
	bs := make([]binding, 0, n)
	for p := range n {
		b := binding{queue: partQueue(group, topic, p), key: strconv.Itoa(p), part: oms.Partition{Topic: topic, Number: p}}
		if n == 1 {
			b.key = "#" // so that native programs may use any routing key
		}
		if err := tooLong(b.queue); err != nil {
			return nil, err
		}
		bs = append(bs, b)
	}
	return bs, nil
}

func partQueue(group, topic string, p int) string { return group + ":" + topic + ":" + strconv.Itoa(p) }

func tooLong(queue string) error {
	if len(queue) <= shortString {
		return nil
	}
	return invalid(fmt.Sprintf("group and topic are too long together: the queue's name would have %d bytes, RabbitMQ takes %d", len(queue), shortString))
}

func invalid(text string) error { return &oms.Error{Code: oms.ErrInvalid, Err: errors.New(text)} }
