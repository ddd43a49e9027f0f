package connect

import (
	"github.com/omconnect/omconnect/oms"
)

// A Transform changes records one by one, between a connector and its broker.
// It is pure: it does no I/O and what it returns depends on the record alone.
// One goroutine at a time uses it. One that has a Close method (io.Closer) is
// closed when it is not used any more.
type Transform interface {
	// Apply returns the record to go on with, commonly r itself after its
	// setters were called, or nil to drop it. An error fails the task; it
	// names fields and says what to do, and never has content of the record.
	// oms.ErrFormat is for a record that the transform cannot work on.
	Apply(r *Record) (*Record, error)
}

// A Predicate decides for which records a transform is applied. The rules of
// Transform hold for it.
type Predicate interface {
	Test(r *Record) (bool, error)
}

// A Part is one of the two parts of a record that have a form.
type Part string

// The parts.
const (
	PartKey   Part = "key"
	PartValue Part = "value" // the body
)

// A Form is what is known of a part without looking at data. Null is possible
// in every form.
type Form int

// The forms.
const (
	FormAny    Form = iota // nothing is known
	FormScalar             // text, bytes, a number, a boolean: no structure
	FormStruct             // a structure
	FormFlat               // a structure without structures in it
)

// structured reports whether a form is a structure for sure.
func (f Form) structured() bool { return f == FormStruct || f == FormFlat }

// An Effect says what a transform needs of a part and what it leaves. It
// lets validation refuse a chain that could never work.
type Effect struct {
	Part  Part
	Needs Form // FormStruct, or FormAny for no need
	// Leaves returns the form of the part afterwards, given the one before.
	// Nil: it stays as it was.
	Leaves func(before Form) Form
}

// A TransformPlugin is a type of transform that configurations can name.
type TransformPlugin struct {
	Type    string   // the value of transforms.ALIAS.type, such as InsertField$Value
	Aliases []string // further values of that key, such as Kafka Connect's class
	Doc     string   // one sentence
	Def     ConfigDef
	// Effects returns what the transform does to the form of key and value.
	// Nil: it changes neither and needs nothing.
	Effects func(config oms.KeyValue) []Effect
	// Check returns what is wrong with the configuration in a connector of
	// that kind. Nil: nothing can be.
	Check func(kind Kind, config oms.KeyValue) oms.KeyErrors
	// New makes a transform from a configuration that Def has checked and
	// completed. oms.KeyErrors name keys of Def. It does no I/O.
	New func(config oms.KeyValue) (Transform, error)
}

// A PredicatePlugin is a type of predicate that configurations can name.
type PredicatePlugin struct {
	Type    string   // the value of predicates.ALIAS.type, such as TopicNameMatches
	Aliases []string // further values of that key
	Doc     string   // one sentence
	Def     ConfigDef
	// New is as in TransformPlugin.
	New func(config oms.KeyValue) (Predicate, error)
}

// The implicit keys of every transform.
const (
	typeKey      = "type"
	predicateKey = "predicate"
	negateKey    = "negate"
)

// RegisterTransform adds a transform to the default plugins. It panics on a
// mistake in the definition.
func RegisterTransform(p TransformPlugin) { DefaultPlugins.RegisterTransform(p) }

// RegisterPredicate adds a predicate to the default plugins. It panics on a
// mistake in the definition.
func RegisterPredicate(p PredicatePlugin) { DefaultPlugins.RegisterPredicate(p) }

// RegisterTransform adds a transform. It panics on a mistake in its
// definition, as Register does.
func (ps *Plugins) RegisterTransform(p TransformPlugin) {
	checkDef("transform "+p.Type, p.Def, p.New != nil, typeKey, predicateKey, negateKey)
	ps.transforms.add(p.Type, p.Aliases, p)
}

// RegisterPredicate adds a predicate. It panics on a mistake in its
// definition, as Register does.
func (ps *Plugins) RegisterPredicate(p PredicatePlugin) {
	checkDef("predicate "+p.Type, p.Def, p.New != nil, typeKey)
	ps.predicates.add(p.Type, p.Aliases, p)
}

// Transform returns the transform of a type or alias, or ErrNotFound naming
// the known types.
func (ps *Plugins) Transform(name string) (TransformPlugin, error) { return ps.transforms.find(name) }

// Predicate returns the predicate of a type or alias, or ErrNotFound naming
// the known types.
func (ps *Plugins) Predicate(name string) (PredicatePlugin, error) { return ps.predicates.find(name) }

// Transforms returns the transforms, sorted by type.
func (ps *Plugins) Transforms() []TransformPlugin { return ps.transforms.all() }

// Predicates returns the predicates, sorted by type.
func (ps *Plugins) Predicates() []PredicatePlugin { return ps.predicates.all() }
