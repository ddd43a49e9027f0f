package connect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// A Converter turns the bytes of a key or value into what they mean, and back.
// On a source it writes what goes to the broker, on a sink it reads what comes
// from there; the connector's side has the form of the default converter. It
// is pure, and one goroutine at a time uses it.
type Converter interface {
	// Decode returns nil for null, a *Struct, []any, or a scalar, as they
	// stand with Struct. What is not in the form is ErrFormat. Its errors
	// never have content.
	Decode(b []byte) (any, error)
	// Encode returns the bytes of what is not null. What the form cannot have
	// is ErrFormat.
	Encode(v any) ([]byte, error)
}

// A ConverterPlugin is a type of converter that configurations can name.
type ConverterPlugin struct {
	Type    string   // the value of value.converter, such as json
	Aliases []string // further values of that key, such as Kafka Connect's class
	Doc     string   // one sentence
	Def     ConfigDef
	Gives   Form // what it decodes to
	Takes   Form // what it can encode: FormScalar, FormFlat, or FormAny
	// Raw says that bytes pass as they are where no transform changes them.
	Raw bool
	// New makes a converter for one part, as in TransformPlugin.
	New func(part Part, config oms.KeyValue) (Converter, error)
}

// DefaultConverter is the type of the converter that has the form in which
// connectors have their records: typed rows, JSON, or any bytes.
const DefaultConverter = "auto"

// RegisterConverter adds a converter to the default plugins. It panics on a
// mistake in the definition.
func RegisterConverter(p ConverterPlugin) { DefaultPlugins.RegisterConverter(p) }

// RegisterConverter adds a converter. It panics on a mistake in its
// definition, as Register does.
func (ps *Plugins) RegisterConverter(p ConverterPlugin) {
	checkDef("converter "+p.Type, p.Def, p.New != nil)
	ps.converters.add(p.Type, p.Aliases, p)
}

// Converter returns the converter of a type or alias, or ErrNotFound naming
// the known types.
func (ps *Plugins) Converter(name string) (ConverterPlugin, error) { return ps.converters.find(name) }

// Converters returns the converters, sorted by type.
func (ps *Plugins) Converters() []ConverterPlugin { return ps.converters.all() }

// noConverter stands for the default converter in a program that has none.
type noConverter struct{}

func (noConverter) Decode(b []byte) (any, error) { return b, nil }

func (noConverter) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, &oms.Error{Op: "encode", Code: oms.ErrFormat, Err: fmt.Errorf("a %T has no form: this program has no %s converter", v, DefaultConverter)}
}

// converters sets up how keys and values are decoded and encoded.
func (b *chainBuilder) converters() {
	b.chain.key = b.converter(PartKey, &b.keyForms)
	b.chain.value = b.converter(PartValue, &b.valueForms)
}

// forms is what is known of a part where it enters and leaves the chain.
type forms struct{ gives, takes Form }

func (b *chainBuilder) converter(part Part, known *forms) conversion {
	native := b.native(part)
	c := conversion{in: native, out: native}
	key := string(part) + ".converter"
	name, given := b.config[key]
	name = strings.TrimSpace(name)
	if !given {
		for _, k := range b.config.Keys() {
			if strings.HasPrefix(k, key+".") {
				b.warn(k, "ignored without "+key)
			}
		}
		return c
	}
	p, err := b.plugins.Converter(name)
	if err != nil {
		b.problem(key, "there is no converter %.100q; known are %s, and Kafka Connect's classes of these", name, strings.Join(b.plugins.converters.types.Names(), ", "))
		return c
	}
	own, ok := b.own(p.Def, key+".", b.converterKeys(p, key+"."))
	if !ok {
		return c
	}
	asked, err := made(func() (Converter, error) { return p.New(part, own) })
	if err != nil {
		b.failed(p.Def, key+".", key, own, err)
		return c
	}
	c.always = !p.Raw
	if b.kind == KindSink {
		c.in, known.gives = asked, p.Gives
	} else {
		c.out, known.takes = asked, p.Takes
	}
	return c
}

// native returns the converter of the connector's side.
func (b *chainBuilder) native(part Part) Converter {
	p, err := b.plugins.Converter(DefaultConverter)
	if err != nil {
		return noConverter{}
	}
	c, err := made(func() (Converter, error) { return p.New(part, p.Def.Complete(nil)) })
	if err != nil {
		b.problem(string(part)+".converter", "the default converter cannot be made: %v", err)
		return noConverter{}
	}
	return c
}

// converterKeys returns the keys of a converter. Kafka Connect gives all keys
// to any converter, and users leave schemas.enable beside one that has no
// schemas: what another converter knows is ignored.
func (b *chainBuilder) converterKeys(p ConverterPlugin, prefix string) oms.KeyValue {
	config := oms.KeyValue{}
	for _, k := range b.config.Keys() {
		name, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		_, known := p.Def.Key(name)
		if !known && slices.ContainsFunc(b.plugins.Converters(), func(other ConverterPlugin) bool { _, has := other.Def.Key(name); return has }) {
			b.warn(k, "ignored, the converter "+p.Type+" has no such key")
			continue
		}
		config[name] = b.config[k]
	}
	return config
}
