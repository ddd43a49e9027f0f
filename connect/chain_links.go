package connect

import (
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// A linkPlan is what validation knows of a link.
type linkPlan struct {
	alias   string
	always  bool // it has no predicate
	effects []Effect
}

// predicateKeys are the keys of one predicate, checked.
type predicateKeys struct {
	plugin PredicatePlugin
	config oms.KeyValue
	used   bool
	good   bool
}

// links makes the transforms with their predicates.
func (b *chainBuilder) links() {
	predicates := b.predicates()
	aliases := b.aliases("transforms")
	keys := b.byAlias("transforms", aliases)
	for _, alias := range aliases {
		config := keys[alias]
		if config == nil {
			config = oms.KeyValue{}
		}
		b.link(alias, config, predicates)
	}
	for alias, p := range predicates {
		if !p.used {
			b.problem("predicates", "the predicate %.100q is used by no transform; name it in transforms.ALIAS.predicate, or take it out", alias)
		}
	}
}

// predicates checks all predicates. Each transform gets an instance of its
// own.
func (b *chainBuilder) predicates() map[string]*predicateKeys {
	aliases := b.aliases("predicates")
	keys := b.byAlias("predicates", aliases)
	checked := make(map[string]*predicateKeys, len(aliases))
	for _, alias := range aliases {
		p := new(predicateKeys)
		checked[alias] = p
		prefix := "predicates." + alias + "."
		config := keys[alias]
		typ, ok := b.typeOf(prefix, config, b.plugins.predicates.types.Names())
		if !ok {
			continue
		}
		var err error
		if p.plugin, err = b.plugins.Predicate(typ); err != nil {
			b.problem(prefix+typeKey, "there is no predicate %.100q; known are %s", typ, strings.Join(b.plugins.predicates.types.Names(), ", "))
			continue
		}
		if p.config, ok = b.own(p.plugin.Def, prefix, config); !ok {
			continue
		}
		if _, err := made(func() (Predicate, error) { return p.plugin.New(p.config.Clone()) }); err != nil {
			b.failed(p.plugin.Def, prefix, prefix+typeKey, p.config, err)
			continue
		}
		p.good = true
	}
	return checked
}

// link makes one transform.
func (b *chainBuilder) link(alias string, config oms.KeyValue, predicates map[string]*predicateKeys) {
	prefix := "transforms." + alias + "."
	l := link{alias: alias}
	named, conditional := b.condition(&l, prefix, config, predicates)
	typ, ok := b.typeOf(prefix, config, b.plugins.transforms.types.Names())
	if !ok {
		return
	}
	p, err := b.plugins.Transform(typ)
	if err != nil {
		b.problem(prefix+typeKey, "there is no transform %.100q; known are %s", typ, strings.Join(b.plugins.transforms.types.Names(), ", "))
		return
	}
	if config, ok = b.own(p.Def, prefix, config); !ok {
		return
	}
	l.typ = p.Type
	if l.transform, err = made(func() (Transform, error) { return p.New(config.Clone()) }); err != nil {
		b.failed(p.Def, prefix, prefix+typeKey, config, err)
		return
	}
	if p.Check != nil {
		if err := p.Check(b.kind, config).OrNil(); err != nil {
			b.failed(p.Def, prefix, prefix+typeKey, config, err)
		}
	}
	if named != nil && named.good {
		l.predicate, err = made(func() (Predicate, error) { return named.plugin.New(named.config.Clone()) })
		if err != nil {
			b.problem(prefix+predicateKey, "the predicate cannot be made: %v", err)
		}
	}
	plan := linkPlan{alias: alias, always: !conditional}
	if p.Effects != nil {
		plan.effects = p.Effects(config)
	}
	b.plans = append(b.plans, plan)
	b.chain.links = append(b.chain.links, l)
}

// condition takes predicate and negate out of the keys of a transform.
func (b *chainBuilder) condition(l *link, prefix string, config oms.KeyValue, predicates map[string]*predicateKeys) (named *predicateKeys, conditional bool) {
	alias, conditional := config[predicateKey]
	alias = strings.TrimSpace(alias)
	negate, hasNegate := config[negateKey]
	delete(config, predicateKey)
	delete(config, negateKey)
	if hasNegate {
		r := oms.KeyValue{negateKey: strings.TrimSpace(negate)}.Reader()
		l.negate = r.Bool(negateKey)
		if r.Problems() > 0 {
			b.problem(prefix+negateKey, "%.100q is neither true nor false", negate)
		}
		if !conditional {
			b.problem(prefix+negateKey, "there is no predicate to negate; set %s, or take this key out", prefix+predicateKey)
		}
	}
	if !conditional {
		return nil, false
	}
	named = predicates[alias]
	if named == nil {
		b.problem(prefix+predicateKey, "predicates does not list %.100q", alias)
		return nil, true
	}
	named.used = true
	return named, true
}

// checkForms finds chains that fail for every record that is not null. What
// stands under a predicate may not be applied: it contradicts nothing.
func (b *chainBuilder) checkForms() {
	now := map[Part]Form{PartKey: b.keyForms.gives, PartValue: b.valueForms.gives}
	by := map[Part]string{PartKey: "key.converter", PartValue: "value.converter"}
	for _, p := range b.plans {
		for _, e := range p.effects {
			key := "transforms." + p.alias + "." + typeKey
			before := now[e.Part]
			if e.Needs.structured() && before == FormScalar && p.always {
				b.problem(key, "it needs a structure, and the %s is a single value after %s; change the order, or set a predicate", e.Part, by[e.Part])
				return
			}
			if e.Leaves == nil {
				continue
			}
			after := e.Leaves(before)
			if !p.always && after != before {
				after = FormAny
			}
			now[e.Part], by[e.Part] = after, key
		}
	}
	for part, takes := range map[Part]Form{PartKey: b.keyForms.takes, PartValue: b.valueForms.takes} {
		last, key := now[part], string(part)+".converter"
		switch {
		case takes == FormScalar && last.structured():
			b.problem(key, "it writes single values only, and the %s is a structure after %s", part, by[part])
		case takes.structured() && last == FormScalar:
			b.problem(key, "it writes structures only, and the %s is a single value after %s", part, by[part])
		}
	}
}
