package embedded_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// registered returns a registry with the driver, as a gateway has it.
func registered(t *testing.T) *oms.Registry {
	t.Helper()
	r := new(oms.Registry)
	r.Register(embedded.Name, embedded.Driver{})
	r.Register(embedded.NATSName, embedded.Driver{External: true})
	return r
}

func TestCheckFindsWhatOpenRefuses(t *testing.T) {
	t.Parallel()
	r := registered(t)
	for ap, says := range map[string][]string{
		"oms:embedded://h/":                                    {"host: an embedded broker has no host", "oms:nats://"},
		"oms:embedded:///?durabilty=strict":                    {"did you mean durability?"},
		"oms:embedded:///?retention.ms=1&sync.interval.ms=0":   {"retention.ms", "sync.interval.ms"},
		"oms:nats:///":                                         {"host: missing"},
		"oms:nats://u:swordfish@h/?dir=x&replication.factor=6": {"dir: unknown key", "replication.factor"},
		"oms:nats://h/region":                                  {"region: NATS has no regions"},
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
		"embedded", "oms:embedded:///?dir=/nowhere/at/all", "oms:nats://u:swordfish@h:1,i:2/?credentials.file=/nowhere",
	} {
		if err := r.CheckAccessPoint(ap); err != nil {
			t.Errorf("CheckAccessPoint(%s) = %v", ap, err)
		}
	}
}

func TestCheckRefusesTopicsThatTheBrokerCannotHaveAndQuotesThem(t *testing.T) {
	t.Parallel()
	r := registered(t)
	const ap = "oms:nats://h/"
	for _, topic := range []string{
		"$SYS.x", "__x", "_INBOX.x", "KV_x", "OBJ_x", "MQTT_x", strings.Repeat("ö", 60),
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

func TestAGroupOfATopicThatCannotBeIsRefusedWithTheTopicsName(t *testing.T) {
	t.Parallel()
	c, err := registered(t).Open(t.Context(), "oms:nats://127.0.0.1:1/") // nothing is asked there
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	groups, err := c.Groups()
	if err != nil {
		t.Fatal(err)
	}
	err = groups.EnsureGroup(t.Context(), "readers", []string{"$SYS.x"}, oms.Start{})
	e, ok := errors.AsType[*oms.Error](err)
	if !ok || e.Code != oms.ErrInvalid || e.Target != "$SYS.x" || !strings.Contains(err.Error(), `topic "$SYS.x" is reserved`) {
		t.Errorf("EnsureGroup = %v, want it invalid and about the topic", err)
	}
}
