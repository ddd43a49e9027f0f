package kafka

import (
	"errors"
	"fmt"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// checkTopic refuses names that a Kafka topic cannot have, and those that
// brokers keep for themselves.
func checkTopic(name string) error {
	if err := oms.ValidTopic(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, "__") {
		return fmt.Errorf("topic %q is reserved: names that begin with __ are the brokers' own; choose another name", name)
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("the name of topic %q has a %q; Kafka takes letters, digits, dot, _ and -", name, c)
		}
	}
	return nil
}

// checkGroup does the same for a group and its topics.
func checkGroup(op, group string, topics []string) error {
	if group == "" {
		return fail(op, group, oms.ErrInvalid, errors.New("a group needs a name"))
	}
	for _, t := range topics {
		if err := checkTopic(t); err != nil {
			return fail(op, t, oms.ErrInvalid, err)
		}
	}
	return nil
}
