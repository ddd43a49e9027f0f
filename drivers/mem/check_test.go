package mem_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// registered returns a registry with the driver, as a gateway has it.
func registered(t *testing.T) *oms.Registry {
	t.Helper()
	r := new(oms.Registry)
	r.Register("mem", mem.New())
	return r
}

func TestCheckFindsWhatOpenRefuses(t *testing.T) {
	t.Parallel()
	r := registered(t)
	for ap, says := range map[string][]string{
		"oms:mem://h/":                      {"host: a broker in memory has none"},
		"oms:mem://u:swordfish@h/?nosuch=1": {"user: a broker", "nosuch: unknown key"},
		"oms:mem:///region":                 {"region: a broker"},
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
		"mem", "oms:mem:///",
	} {
		if err := r.CheckAccessPoint(ap); err != nil {
			t.Errorf("CheckAccessPoint(%s) = %v", ap, err)
		}
	}
}

func TestCheckRefusesTopicsThatTheBrokerCannotHaveAndQuotesThem(t *testing.T) {
	t.Parallel()
	r := registered(t)
	const ap = "mem"
	for _, topic := range []string{
		"__x", "$x",
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
