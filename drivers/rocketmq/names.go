package rocketmq

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/drivers/internal/escape"
	"github.com/omconnect/omconnect/oms"
)

// What a name may have in bytes at the broker, with its namespace. Longer
// topics are stored in a form that clients do not read.
const (
	longestTopic = 127
	longestGroup = 120
)

// reservedTopics are names that brokers make or look for, and reservedPrefixes
// the beginnings of such names. Encoding would make some of them harmless; they
// are refused all the same, so that a topic never looks like one of these.
var (
	reservedTopics = []string{
		"TBW102", "SCHEDULE_TOPIC_XXXX", "BenchmarkTest", "OFFSET_MOVED_EVENT", "SELF_TEST_TOPIC",
		"TRANS_CHECK_MAX_TIME_TOPIC", "CHECKPOINT_TOPIC", "DEFAULT_REPLY_TOPIC", "DefaultCluster", "DefaultHeartBeatSyncerTopic",
	}
	reservedPrefixes = []string{"%", "RMQ_SYS_", "rmq_sys_", "__", "KV_", "$"}
	reservedGroups   = []string{
		"DEFAULT_PRODUCER", "DEFAULT_CONSUMER", "TOOLS_CONSUMER", "TOOLS_ADMIN", "SCHEDULE_CONSUMER", "FILTERSRV_CONSUMER",
		"__MONITOR_CONSUMER", "CLIENT_INNER_PRODUCER", "SELF_TEST_P_GROUP", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY",
		"CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER", "CID_ONSAPI_PULL", "CID_RMQ_SYS_TRANS", readerGroup,
	}
)

// checkTopic refuses names that a broker cannot or must not have.
func (o options) checkTopic(name string) error {
	if err := oms.ValidTopic(name); err != nil {
		return err
	}
	if slices.Contains(reservedTopics, name) {
		return fmt.Errorf("topic %q is reserved: it is RocketMQ's own; choose another name", name)
	}
	for _, prefix := range reservedPrefixes {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("topic %q is reserved: names that begin with %s are RocketMQ's own; choose another name", name, prefix)
		}
	}
	if n := len(o.native(name)); n > longestTopic {
		return fmt.Errorf("the name of topic %.60q takes %d bytes when encoded with its namespace, at most %d are possible here; choose a shorter one", name, n, longestTopic)
	}
	return nil
}

// checkGroup does the same for groups.
func (o options) checkGroup(name string) error {
	switch {
	case name == "":
		return errors.New("a group needs a name")
	case slices.Contains(reservedGroups, name), strings.HasPrefix(name, "CID_RMQ_SYS_"), strings.HasPrefix(name, "%"):
		return fmt.Errorf("%s is RocketMQ's own; choose another name", name)
	}
	if n := len(o.native(name)); n > longestGroup {
		return fmt.Errorf("the group's name takes %d bytes when encoded with its namespace, at most %d are possible here", n, longestGroup)
	}
	return nil
}

func checkNamespace(name string) error {
	if encode(name) != name {
		return errors.New("a namespace has letters, digits, - and _ only")
	}
	return nil
}

// native is what the broker calls a topic or a group.
func (o options) native(name string) string {
	if o.namespace == "" {
		return encode(name)
	}
	return o.namespace + "%" + encode(name)
}

// portable undoes native; ok is false for names of other namespaces and for
// those that native does not give.
func (o options) portable(native string) (name string, ok bool) {
	if o.namespace != "" {
		if native, ok = strings.CutPrefix(native, o.namespace+"%"); !ok {
			return "", false
		}
	}
	name, ok = decode(native)
	return name, ok && o.checkTopic(name) == nil
}

// mark stands before what brokers do not take in names. They take % too, which
// stands behind a namespace.
const mark escape.Mark = '|'

func encode(s string) string { return mark.Encode(s) }

func decode(name string) (s string, ok bool) { return mark.Decode(name) }
