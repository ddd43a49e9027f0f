package connect

import (
	"fmt"

	"github.com/omconnect/omconnect/internal/registry"
	"github.com/omconnect/omconnect/oms"
)

// A Kind is what a plugin's connectors are.
type Kind string

// The kinds.
const (
	KindSource Kind = "source"
	KindSink   Kind = "sink"
)

// A Plugin is a kind of connector that a gateway can run.
type Plugin struct {
	Class   string // the value of connector.class, such as file-source
	Kind    Kind
	Version string // "" for the gateway's own
	Doc     string // one sentence
	Def     ConfigDef
	// Needs returns the capabilities without which a configuration cannot
	// run. Nil means that there are none.
	Needs func(config oms.KeyValue) []oms.Need
	// Beside checks what concerns brokers that a connector reaches beside its
	// own, by Env.Broker. It gets the whole configuration, the runtime's keys
	// and all defaults included, and facts tells of a broker by its name or
	// access point, of the connector's own by DefaultBroker. The notes are
	// logged when the connector is created. It does no I/O. Nil checks nothing.
	Beside func(config oms.KeyValue, facts func(broker string) (BrokerFacts, error)) (notes []string, err error)
	// Reads returns the groups that a connector of that name reads as by
	// itself: no message is sent past them before they exist. Nil means that
	// there are none.
	Reads func(name string, config oms.KeyValue) []Reading
	// New makes an instance for one task. It does no I/O.
	New func(Env) (Connector, error)
}

// Definition returns all keys of the plugin's connectors: its own, and those
// that the runtime reads.
func (p Plugin) Definition() ConfigDef { return definition(p) }

// Plugins are the kinds of connector that a gateway knows, and the transforms,
// predicates and converters. The zero value is empty and ready for use.
type Plugins struct {
	byClass    registry.Registry[Plugin]
	transforms aliased[TransformPlugin]
	predicates aliased[PredicatePlugin]
	converters aliased[ConverterPlugin]
}

// DefaultPlugins is where connectors register themselves when their package is
// imported.
var DefaultPlugins Plugins

// Register adds a plugin to the default ones. It panics on a mistake in the
// plugin's definition.
func Register(p Plugin) { DefaultPlugins.Register(p) }

// Register adds a plugin. It panics on a mistake in the plugin's definition:
// no class, a class or key that is there twice, an unknown type, a default that
// its own key refuses.
func (ps *Plugins) Register(p Plugin) {
	if p.New == nil || (p.Kind != KindSource && p.Kind != KindSink) {
		panic(fmt.Sprintf("plugin %q has no New or no kind", p.Class))
	}
	checkDef("plugin "+p.Class, p.Def, true)
	ps.byClass.Register(p.Class, p)
}

// Lookup returns the plugin of a class, or ErrNotFound naming the known ones.
func (ps *Plugins) Lookup(class string) (Plugin, error) {
	p, err := ps.byClass.Lookup(class)
	if err != nil {
		return p, &oms.Error{Op: "find plugin", Code: oms.ErrNotFound, Err: err}
	}
	return p, nil
}

// All returns the plugins, sorted by class.
func (ps *Plugins) All() []Plugin {
	var all []Plugin
	for _, class := range ps.byClass.Names() {
		if p, err := ps.byClass.Lookup(class); err == nil {
			all = append(all, p)
		}
	}
	return all
}
