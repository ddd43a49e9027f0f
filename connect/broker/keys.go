package broker

import (
	"fmt"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// The keys that both connectors have.
const (
	keyFidelity = "fidelity"
	keyLoop     = "loop.detection"
)

// The fidelities.
const (
	native   = "native"
	strict   = "strict"
	envelope = "envelope"
)

// What loop.detection is.
const (
	loopFail = "fail"
	loopOff  = "off"
)

// sharedKeys are the keys of both connectors.
var sharedKeys = []connect.Key{
	{
		Name: keyFidelity, Default: native, Values: []string{native, strict, envelope},
		Doc: "What becomes of a record that the target cannot carry whole: it goes on without that, warned about and counted (native), or its task fails (strict). With envelope a record is put whole into the body of another, and one that is such an envelope is taken out again.",
	},
	{
		Name: keyLoop, Default: loopFail, Values: []string{loopFail, loopOff},
		Doc: "Whether the task fails with a record that has passed this bridge before, by the header oms-hops that each bridge adds; off neither looks nor adds.",
	},
}

// topicMark stands for the record's topic in the name of the target.
const topicMark = "${topic}"

// render returns the topic that records of a topic go to.
func render(template, topic string) string { return strings.ReplaceAll(template, topicMark, topic) }

// checkTemplate returns what is wrong with the name of a target.
func checkTemplate(template string) error {
	rest := strings.ReplaceAll(template, topicMark, "t")
	if strings.Contains(rest, "${") {
		return fmt.Errorf("%.100q has a mark other than %s", template, topicMark)
	}
	return checkTopic(rest)
}

// checkTopic returns why no bridge reads or writes a topic of that name.
func checkTopic(name string) error {
	if err := oms.ValidTopic(name); err != nil {
		return err
	}
	if connect.ReservedTopic(name) {
		return fmt.Errorf("the topic %.100q is reserved: a broker keeps names that begin with __, $, %% or amq. to itself", name)
	}
	return nil
}

// A problems collects what is wrong with a configuration.
type problems oms.KeyErrors

func (ps *problems) add(key, format string, args ...any) {
	*ps = append(*ps, oms.KeyError{Key: key, Problem: fmt.Sprintf(format, args...)})
}
