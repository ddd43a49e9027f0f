package connect

import (
	"maps"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// BrokerFacts is what is known of a broker without asking it.
type BrokerFacts struct {
	AccessPoint  oms.AccessPoint // without its password
	Capabilities oms.Capabilities

	topic func(name string) error // nil: every name is taken
}

// CheckTopic returns why the broker takes no topic of that name, as far as
// that can be told without asking it.
func (f BrokerFacts) CheckTopic(name string) error {
	if f.topic == nil {
		return nil
	}
	return f.topic(name)
}

// Same reports whether two access points name the same broker, as far as their
// texts tell: two names of one host are two brokers here.
func (f BrokerFacts) Same(other BrokerFacts) bool {
	a, b := f.AccessPoint, other.AccessPoint
	if a.Driver != b.Driver || a.Region != b.Region {
		return false
	}
	if len(a.Hosts) == 0 && len(b.Hosts) == 0 {
		return maps.Equal(a.Options, b.Options) // in this process: its options say where
	}
	return slices.ContainsFunc(a.Hosts, func(host string) bool { return slices.Contains(b.Hosts, host) })
}

// facts returns what is known of a broker, given its name or access point.
func (b *Brokers) facts(name string) (BrokerFacts, error) {
	caps, err := b.check(name)
	if err != nil {
		return BrokerFacts{}, err
	}
	ap, err := oms.ParseAccessPoint(b.accessPoint(name))
	if err != nil {
		return BrokerFacts{}, err // not reached: the driver has read it
	}
	ap.Password = ""
	topic := func(topic string) error { return b.checkTopic(name, topic) }
	return BrokerFacts{AccessPoint: ap, Capabilities: caps, topic: topic}, nil
}

// checkBeside has a plugin check what concerns brokers beside the connector's
// own. The configuration is as it was given, and has been validated.
func (c *Catalog) checkBeside(p Plugin, config oms.KeyValue) (notes []string, err error) {
	if p.Beside == nil {
		return nil, nil
	}
	whole := definition(p).Complete(config)
	return p.Beside(whole, func(broker string) (BrokerFacts, error) {
		if broker == DefaultBroker {
			broker = whole["broker"]
		}
		return c.brokers.facts(broker)
	})
}
