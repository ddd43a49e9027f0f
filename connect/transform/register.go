package transform

import (
	"fmt"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const (
	kafkaTransforms = "org.apache.kafka.connect.transforms."
	kafkaPredicates = kafkaTransforms + "predicates."
	kafkaStorage    = "org.apache.kafka.connect.storage."
)

func init() { Register(&connect.DefaultPlugins) }

// Register adds everything in this package to plugins. The default ones have
// it when the package is imported.
func Register(ps *connect.Plugins) {
	for _, p := range []connect.TransformPlugin{
		filterPlugin(), regexRouterPlugin(), timestampRouterPlugin(), valueToKeyPlugin(),
		insertHeaderPlugin(), dropHeadersPlugin(), expressionPlugin(),
	} {
		ps.RegisterTransform(p)
	}
	for _, family := range []func(connect.Part) connect.TransformPlugin{
		insertFieldPlugin, replaceFieldPlugin, maskFieldPlugin, extractFieldPlugin, flattenPlugin, castPlugin, headerFromPlugin, jqPlugin,
	} {
		ps.RegisterTransform(family(connect.PartKey))
		ps.RegisterTransform(family(connect.PartValue))
	}
	for _, p := range []connect.PredicatePlugin{topicNameMatchesPlugin(), hasHeaderKeyPlugin(), recordIsTombstonePlugin(), expressionPredicatePlugin()} {
		ps.RegisterPredicate(p)
	}
	for _, p := range []connect.ConverterPlugin{autoPlugin(), stringPlugin(), bytesPlugin(), jsonPlugin(), rowPlugin()} {
		ps.RegisterConverter(p)
	}
}

// partNames returns type and aliases of a transform for one part.
func partNames(name string, part connect.Part) (typ string, aliases []string) {
	suffix := "$Value"
	if part == connect.PartKey {
		suffix = "$Key"
	}
	return name + suffix, []string{kafkaTransforms + name + suffix}
}

// malformed is the error for a record that a transform cannot work on.
func malformed(op, format string, args ...any) error {
	return &oms.Error{Op: op, Code: oms.ErrFormat, Err: fmt.Errorf(format, args...)}
}

// defaultsKey is a key that many of Kafka Connect's transforms have.
func defaultsKey() connect.Key {
	return connect.Key{
		Name: "replace.null.with.default", Type: connect.Bool, Default: "true",
		Doc: "Whether a null field whose schema has a default is taken for the default.",
	}
}

// needs are the effects of a transform that works on a structure and leaves
// one.
func needs(part connect.Part, leaves func(connect.Form) connect.Form) func(oms.KeyValue) []connect.Effect {
	return func(oms.KeyValue) []connect.Effect {
		return []connect.Effect{{Part: part, Needs: connect.FormStruct, Leaves: leaves}}
	}
}

// sameStruct is the form after a transform that adds or takes single fields.
func sameStruct(before connect.Form) connect.Form {
	if before == connect.FormFlat {
		return connect.FormFlat
	}
	return connect.FormStruct
}
