package mem

import (
	"fmt"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// checkTopic refuses names that no broker takes, and those reserved here.
func checkTopic(op, name string) error {
	if err := topicProblem(name); err != nil {
		return failure(op, name, oms.ErrInvalid, err)
	}
	return nil
}

func topicProblem(name string) error {
	if err := oms.ValidTopic(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, "$") || strings.HasPrefix(name, "__") {
		return fmt.Errorf("topic %q is reserved: names that start with $ or __ are the broker's own; choose another name", name)
	}
	return nil
}

// checkGroup checks a group and its topics, and returns the topics sorted and
// without repeats.
func checkGroup(op, group string, topics []string) ([]string, error) {
	if group == "" {
		return nil, invalid(op, group, "a group needs a name")
	}
	if len(topics) == 0 {
		return nil, invalid(op, group, "no topics are named")
	}
	for _, t := range topics {
		if err := checkTopic(op, t); err != nil {
			return nil, err
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(topics))), nil
}

func checkStart(op, group string, s oms.Start) error {
	switch s.From {
	case oms.StartEarliest, oms.StartLatest:
		return nil
	case oms.StartAtTime:
		if s.At.IsZero() {
			return invalid(op, group, "a start at a time needs the time")
		}
		return nil
	}
	return invalid(op, group, "there is no start %d", s.From)
}
