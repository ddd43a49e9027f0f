package rocketmq

import (
	"regexp"
	"strings"
	"testing"
)

func TestNamesAreEncodedAndComeBack(t *testing.T) {
	t.Parallel()
	brokers := regexp.MustCompile(`^[%|a-zA-Z0-9_-]+$`)
	seen := make(map[string]string)
	for _, o := range []options{{}, {namespace: "space"}} {
		for _, name := range []string{"orders", "orders.eu", "orders|2Eeu", "a_b-c", "ü", "a%b", "a|b"} {
			native := o.native(name)
			if !brokers.MatchString(native) {
				t.Errorf("%s is %s, which brokers refuse", name, native)
			}
			if other, taken := seen[native]; taken {
				t.Errorf("%s and %s are both %s", name, other, native)
			}
			seen[native] = name
			if back, ok := o.portable(native); !ok || back != name {
				t.Errorf("%s comes back as %q, %v", name, back, ok)
			}
		}
	}
}

func TestNamesOfOthersAreNotTaken(t *testing.T) {
	t.Parallel()
	for _, o := range []options{{}, {namespace: "space"}} {
		for _, native := range []string{"%RETRY%g", "%DLQ%g", "TBW102", "other%topic", "a|2eb", "a|", "a|zz", "RMQ_SYS_TRACE_TOPIC"} {
			if name, ok := o.portable(native); ok {
				t.Errorf("namespace %q: %s is taken for topic %s", o.namespace, native, name)
			}
		}
	}
}

func TestReservedAndLongNamesAreRefused(t *testing.T) {
	t.Parallel()
	o := options{namespace: "space"}
	topics := append([]string{"", "%RETRY%g", "RMQ_SYS_X", "rmq_sys_x", "a b", strings.Repeat("x", 122), strings.Repeat(".", 41)}, reservedTopics...)
	for _, name := range topics {
		if o.checkTopic(name) == nil {
			t.Errorf("topic %q is taken", name)
		}
	}
	for _, name := range append([]string{"", "CID_RMQ_SYS_X", "%x", strings.Repeat("x", 115)}, reservedGroups...) {
		if o.checkGroup(name) == nil {
			t.Errorf("group %q is taken", name)
		}
	}
	for _, name := range []string{strings.Repeat("x", 121), "orders.eu"} {
		if err := o.checkTopic(name); err != nil {
			t.Errorf("topic %q: %v", name, err)
		}
	}
}
