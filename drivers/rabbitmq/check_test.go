package rabbitmq_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/drivers/rabbitmq"
	"github.com/omconnect/omconnect/oms"
)

// registered returns a registry with the driver, as a gateway has it.
func registered(t *testing.T) *oms.Registry {
	t.Helper()
	r := new(oms.Registry)
	r.Register("rabbitmq", rabbitmq.Driver{})
	return r
}

func TestCheckFindsWhatOpenRefuses(t *testing.T) {
	t.Parallel()
	r := registered(t)
	for ap, says := range map[string][]string{
		"oms:rabbitmq:///":                                     {"host: missing"},
		"oms:rabbitmq://u:swordfish@h/?orderng=none":           {"did you mean ordering?"},
		"oms:rabbitmq://h/?declare=some&heartbeat.ms=1":        {"declare", "minimal", "heartbeat.ms"},
		"oms:rabbitmq://h/?management.url=ftp://h/":            {"management.url: it is no URL"},
		"oms:rabbitmq://h/?tls.ca.file=/nowhere.pem":           {"tls: options of TLS are given"},
		"oms:rabbitmq://u@h/?sasl.mechanism=EXTERNAL&tls=true": {"sasl.mechanism", "user: with"},
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
		"oms:rabbitmq://h/", "oms:rabbitmq://u:swordfish@h:1,i:2/vhost?tls=true&tls.ca.file=/nowhere.pem",
	} {
		if err := r.CheckAccessPoint(ap); err != nil {
			t.Errorf("CheckAccessPoint(%s) = %v", ap, err)
		}
	}
}

func TestCheckRefusesTopicsThatTheBrokerCannotHaveAndQuotesThem(t *testing.T) {
	t.Parallel()
	r := registered(t)
	const ap = "oms:rabbitmq://h/"
	for _, topic := range []string{
		"amq.topic", "AMQ.x", "oms.members", strings.Repeat("x", 248),
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
