package omconnect

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// bases are access points of brokers that need not be there.
var bases = map[string]string{
	"embedded": "oms:embedded:///", "nats": "oms:nats://h/", "kafka": "oms:kafka://h/", "rabbitmq": "oms:rabbitmq://h/", "rocketmq": "oms:rocketmq://h/",
}

// told returns what is said of each key of a connector that is being defined.
func told(t *testing.T, config oms.KeyValue) map[string]string {
	t.Helper()
	catalog := offlineCatalog(map[string]string{connect.DefaultBroker: embeddedName}, &connect.DefaultPlugins)
	err := catalog.Validate(connect.Request{Name: "it", Config: config})
	problems, ok := errors.AsType[oms.KeyErrors](err)
	if err != nil && !ok {
		t.Fatalf("%v: %v, want problems with keys", config, err)
	}
	said := make(map[string]string)
	for _, p := range problems {
		said[p.Key] += p.Problem + "\n"
	}
	return said
}

func TestEveryDriverRefusesAWrongAccessPointWhenAConnectorIsDefined(t *testing.T) {
	t.Parallel()
	for driver, base := range bases {
		wrong := base + "?no.such.option=swordfish&max.message.bytes=many"
		for key, config := range map[string]oms.KeyValue{
			"broker":        {"connector.class": "generator-source", "topic": "t", "broker": wrong},
			"source.broker": {"connector.class": "broker-source", "source.topics": "t", "source.broker": wrong, "broker": "oms:kafka://other/"},
			"sink.broker":   {"connector.class": "broker-sink", "topics": "t", "sink.broker": wrong, "broker": "oms:kafka://other/"},
		} {
			said := told(t, config)
			if len(said) != 1 || !strings.Contains(said[key], "no.such.option: unknown key") || !strings.Contains(said[key], `max.message.bytes: "many"`) {
				t.Errorf("%s: %s: %q, want both options named", driver, key, said)
			}
			if strings.Contains(said[key], "swordfish") {
				t.Errorf("%s: %s: %q has the value of an option that may be a secret", driver, key, said)
			}
		}
		sink := oms.KeyValue{"connector.class": "log-sink", "topics": "t", "broker": wrong}
		if said := told(t, sink); said["broker"] == "" {
			t.Errorf("%s: a sink with it is taken", driver)
		}
	}
}

func TestEveryDriverRefusesItsReservedTopicsWhenAConnectorIsDefined(t *testing.T) {
	t.Parallel()
	for driver, topics := range map[string][]string{
		"embedded": {"__x", "$SYS.x", "KV_x"}, "nats": {"$JS.API.x", "_INBOX.x"}, "kafka": {"__consumer_offsets", "größe"},
		"rabbitmq": {"amq.topic", "Amq.x"}, "rocketmq": {"TBW102", "RMQ_SYS_x", "SCHEDULE_TOPIC_XXXX"},
	} {
		base := bases[driver]
		for _, topic := range topics {
			for key, config := range map[string]oms.KeyValue{
				"topic":         {"connector.class": "generator-source", "topic": topic, "broker": base},
				"topics":        {"connector.class": "log-sink", "topics": "good," + topic, "broker": base},
				"source.topics": {"connector.class": "broker-source", "source.topics": "good," + topic, "source.broker": base, "broker": "oms:rabbitmq://other/", "topic": "t"},
				"sink.topic":    {"connector.class": "broker-sink", "topics": "t", "sink.topic": topic, "sink.broker": base, "broker": "oms:kafka://other/"},
			} {
				said := told(t, config)
				if len(said) != 1 || !strings.Contains(said[key], fmt.Sprintf("%q", topic)) {
					t.Errorf("%s: %s with %s: %q, want it refused and quoted", driver, key, topic, said)
				}
			}
		}
	}
	// What it becomes at the other end counts, as far as it is known.
	for _, config := range []oms.KeyValue{
		{"connector.class": "broker-sink", "topics": "x", "sink.topic": "KV_${topic}", "sink.broker": "oms:nats://h/", "broker": "oms:kafka://other/"},
		{"connector.class": "broker-source", "source.topics": "x", "topic": "KV_${topic}", "source.broker": "oms:kafka://other/", "broker": "oms:nats://h/"},
	} {
		if said := told(t, config); !strings.Contains(said["sink.topic"]+said["topic"], `"KV_x"`) {
			t.Errorf("%v: %q, want KV_x refused", config, said)
		}
	}
}
