package rocketmq_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/drivers/rocketmq"
	"github.com/omconnect/omconnect/oms"
)

// registered returns a registry with the driver, as a gateway has it.
func registered(t *testing.T) *oms.Registry {
	t.Helper()
	r := new(oms.Registry)
	r.Register(rocketmq.Name, rocketmq.Driver{})
	return r
}

func TestCheckFindsWhatOpenRefuses(t *testing.T) {
	t.Parallel()
	r := registered(t)
	for ap, says := range map[string][]string{
		"oms:rocketmq:///":                                {"host: missing"},
		"oms:rocketmq://a:swordfish@h/?tag.heder=x":       {"did you mean tag.header?"},
		"oms:rocketmq://h/?topic.partitions=0&delay=long": {"topic.partitions", "delay", "timer"},
		"oms:rocketmq://h/?tls=true":                      {"tls.insecure=true"},
		"oms:rocketmq://h/a%2Fb":                          {"region: a namespace has"},
		"oms:rocketmq://a@h/":                             {"user: an access key"},
	} {
		err := r.CheckAccessPoint(ap)
		if oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("CheckAccessPoint(%s) = %v, want invalid", ap, err)
			continue
		}
		for _, part := range says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("CheckAccessPoint(%s) = %v, which does not say %q", ap, err, part)
			}
		}
		if strings.Contains(err.Error(), "swordfish") {
			t.Errorf("CheckAccessPoint(%s) = %v: it has the password", ap, err)
		}
		if c, err := r.Open(t.Context(), ap); oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("Open(%s) = %v, %v; want it refused as well", ap, c, err)
		}
	}
	for _, ap := range []string{
		"oms:rocketmq://h/", "oms:rocketmq://a:swordfish@h:1,i:2/space?tls=true&tls.insecure=true",
	} {
		if err := r.CheckAccessPoint(ap); err != nil {
			t.Errorf("CheckAccessPoint(%s) = %v", ap, err)
		}
	}
}

func TestCheckRefusesTopicsThatTheBrokerCannotHaveAndQuotesThem(t *testing.T) {
	t.Parallel()
	r := registered(t)
	const ap = "oms:rocketmq://h/"
	for _, topic := range []string{
		"TBW102", "SCHEDULE_TOPIC_XXXX", "%RETRY%g", "%DLQ%g", "RMQ_SYS_TRACE_TOPIC", "rmq_sys_x", "__x", "$x", strings.Repeat("x", 128), strings.Repeat(".", 60),
	} {
		err := r.CheckTopic(ap, topic)
		if oms.CodeOf(err) != oms.ErrInvalid || !strings.Contains(err.Error(), topic[:min(len(topic), 60)]) || !strings.Contains(err.Error(), "choose") && !strings.Contains(err.Error(), "takes") {
			t.Errorf("CheckTopic(%q) = %v, want it invalid, quoted, and what to do", topic, err)
		}
	}
	for _, topic := range []string{"", "a b", strings.Repeat("x", 250)} {
		if err := r.CheckTopic(ap, topic); oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("CheckTopic(%q) = %v, want invalid", topic, err)
		}
	}
	for _, topic := range []string{"orders", "orders.eu", "a-b_c", "_one"} {
		if err := r.CheckTopic(ap, topic); err != nil {
			t.Errorf("CheckTopic(%q) = %v", topic, err)
		}
	}
}
