package kafka_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/oms"
)

// registered returns a registry with the driver, as a gateway has it.
func registered(t *testing.T) *oms.Registry {
	t.Helper()
	r := new(oms.Registry)
	r.Register(kafka.Name, kafka.Driver{})
	return r
}

func TestCheckFindsWhatOpenRefuses(t *testing.T) {
	t.Parallel()
	r := registered(t)
	for ap, says := range map[string][]string{
		"oms:kafka:///": {"host: missing"},
		"oms:kafka://u:swordfish@h/?max.mesage.bytes=1":               {"did you mean max.message.bytes?"},
		"oms:kafka://h/?request.timeout.ms=soon&compression.type=zip": {"request.timeout.ms", "compression.type", "lz4"},
		"oms:kafka://h/vhost":                     {"region: Kafka has none"},
		"oms:kafka://h/?tls.ca.file=/nowhere.pem": {"tls.ca.file: it needs tls=true"},
		"oms:kafka://h/?sasl.mechanism=plain":     {"user: missing"},
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
		"oms:kafka://h/", "oms:kafka://u:swordfish@h:1,i:2/?tls=true", "oms:kafka://h/?tls=true&tls.ca.file=/nowhere.pem", // it may be there where it runs
	} {
		if err := r.CheckAccessPoint(ap); err != nil {
			t.Errorf("CheckAccessPoint(%s) = %v", ap, err)
		}
	}
}

func TestCheckRefusesTopicsThatTheBrokerCannotHaveAndQuotesThem(t *testing.T) {
	t.Parallel()
	r := registered(t)
	const ap = "oms:kafka://h/"
	for _, topic := range []string{
		"__consumer_offsets", "__x", "a$b", "a/b", "größe",
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
