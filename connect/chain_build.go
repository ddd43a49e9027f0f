package connect

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// chainPrefixes are the keys that belong to a chain, beside those in
// chainLists.
var (
	chainLists    = []string{"transforms", "predicates", "key.converter", "value.converter"}
	chainPrefixes = []string{"transforms.", "predicates.", "key.converter.", "value.converter."}
)

// splitChain takes the keys of the chain out of a configuration. The name goes
// with both.
func splitChain(config oms.KeyValue) (rest, chain oms.KeyValue) {
	rest, chain = make(oms.KeyValue, len(config)), oms.KeyValue{}
	for key, value := range config {
		own := slices.ContainsFunc(chainPrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
		switch {
		case own || slices.Contains(chainLists, key):
			chain[key] = value
		case key == "name":
			chain[key] = value
			rest[key] = value
		default:
			rest[key] = value
		}
	}
	return rest, chain
}

// checkChain takes the keys of the chain out of a configuration, and returns
// what is wrong with them.
func checkChain(plugins *Plugins, kind Kind, config oms.KeyValue) (rest oms.KeyValue, warnings []string, problems oms.KeyErrors) {
	rest, own := splitChain(config)
	chain, warnings, problems := buildChain(plugins, kind, own)
	chain.Close()
	return rest, warnings, problems
}

// A chainBuilder makes a chain, and collects everything that is wrong.
type chainBuilder struct {
	plugins  *Plugins
	kind     Kind
	config   oms.KeyValue
	chain    *Chain
	problems oms.KeyErrors
	warnings []string

	keyForms, valueForms forms
	plans                []linkPlan
}

// buildChain makes a chain from its keys. The chain is whole only when there
// are no problems.
func buildChain(plugins *Plugins, kind Kind, config oms.KeyValue) (*Chain, []string, oms.KeyErrors) {
	b := &chainBuilder{plugins: plugins, kind: kind, config: config, chain: &Chain{connector: config["name"], kind: kind}}
	b.converters()
	b.links()
	if len(b.problems) == 0 {
		b.checkForms()
	}
	slices.SortStableFunc(b.problems, func(a, c oms.KeyError) int { return strings.Compare(a.Key, c.Key) })
	return b.chain, b.warnings, b.problems
}

func (b *chainBuilder) problem(key, format string, args ...any) {
	b.problems = append(b.problems, oms.KeyError{Key: key, Problem: fmt.Sprintf(format, args...)})
}

func (b *chainBuilder) warn(key, text string) { b.warnings = append(b.warnings, key+": "+text) }

// own checks the keys of one plugin, which have no prefix here, and completes
// them with their defaults.
func (b *chainBuilder) own(def ConfigDef, prefix string, config oms.KeyValue) (oms.KeyValue, bool) {
	if err := def.Validate(config); err != nil {
		b.failed(def, prefix, strings.TrimSuffix(prefix, "."), config, err)
		return nil, false
	}
	return def.Complete(config), true
}

// failed notes what is wrong with the keys of one plugin: what names no key of
// its own is about the one that named the plugin.
func (b *chainBuilder) failed(def ConfigDef, prefix, named string, config oms.KeyValue, err error) {
	wrong, ok := errors.AsType[oms.KeyErrors](err)
	if !ok {
		wrong = oms.KeyErrors{{Problem: err.Error()}}
	}
	for _, w := range wrong {
		key := prefix + w.Key
		if w.Key == "" {
			key = named
		}
		for _, k := range def.Keys {
			w.Problem = k.hide(w.Problem, config[k.Name])
		}
		b.problem(key, "%s", w.Problem)
	}
}

// made calls a New; a panic is its failure.
func made[T any](call func() (T, error)) (made T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return call()
}

// aliases returns the values of a list of aliases, each once.
func (b *chainBuilder) aliases(list string) []string {
	var all []string
	for _, alias := range oms.SplitList(b.config[list]) {
		switch {
		case strings.ContainsAny(alias, " \t\n"):
			b.problem(list, "the alias %.100q has a space", alias)
		case slices.Contains(all, alias):
			b.problem(list, "the alias %.100q stands there twice", alias)
		default:
			all = append(all, alias)
		}
	}
	return all
}

// byAlias sorts the keys below a prefix by the alias that they belong to. An
// alias may have dots: the longest one that fits counts.
func (b *chainBuilder) byAlias(list string, aliases []string) map[string]oms.KeyValue {
	sorted := make(map[string]oms.KeyValue, len(aliases))
	for _, key := range b.config.Keys() {
		rest, ok := strings.CutPrefix(key, list+".")
		if !ok {
			continue
		}
		best := ""
		for _, alias := range aliases {
			if strings.HasPrefix(rest, alias+".") && len(alias) > len(best) {
				best = alias
			}
		}
		if best == "" {
			alias, _, _ := strings.Cut(rest, ".")
			b.problem(key, "unknown key: %s does not list the alias %.100q", list, alias)
			continue
		}
		if sorted[best] == nil {
			sorted[best] = oms.KeyValue{}
		}
		sorted[best][rest[len(best)+1:]] = b.config[key]
	}
	return sorted
}

// typeOf takes the type out of the keys of an alias.
func (b *chainBuilder) typeOf(prefix string, config oms.KeyValue, known []string) (string, bool) {
	typ, ok := config[typeKey]
	delete(config, typeKey)
	if !ok || strings.TrimSpace(typ) == "" {
		b.problem(prefix+typeKey, "missing: this key is required; one of %s", strings.Join(known, ", "))
		return "", false
	}
	return strings.TrimSpace(typ), true
}
