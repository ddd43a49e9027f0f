package connect

import (
	"strings"

	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/oms"
)

// Redactor returns a function that takes the secrets of configurations of a
// plugin out of texts: the values of its secret keys and of those of its
// transforms, predicates and converters, and the passwords in URLs and access
// points. Causes of failures are made by connectors and client libraries, which
// quote what they were given. The function may be called by several goroutines.
func Redactor(ps *Plugins, p Plugin, configs ...oms.KeyValue) func(text string) string {
	s := new(redact.Secrets)
	for _, config := range configs {
		addSecrets(s, definition(p), "", config)
		for key, typ := range config {
			if def, prefix, ok := chainDefinition(ps, key, strings.TrimSpace(typ)); ok {
				addSecrets(s, def, prefix, config)
			}
		}
	}
	return s.Hide
}

// addSecrets adds the secrets among the keys of a definition.
func addSecrets(s *redact.Secrets, def ConfigDef, prefix string, config oms.KeyValue) {
	for _, k := range def.Keys {
		switch value := config[prefix+k.Name]; {
		case k.Secret:
			s.Add(value)
		case k.Type == URL, k.Name == "broker":
			s.AddURL(value)
		}
	}
}

// chainDefinition returns the definition that a key names a transform,
// predicate or converter by, and what its keys begin with.
func chainDefinition(ps *Plugins, key, typ string) (def ConfigDef, prefix string, ok bool) {
	prefix, isType := strings.CutSuffix(key, "type")
	switch {
	case isType && strings.HasPrefix(key, "transforms."):
		p, err := ps.Transform(typ)
		return p.Def, prefix, err == nil
	case isType && strings.HasPrefix(key, "predicates."):
		p, err := ps.Predicate(typ)
		return p.Def, prefix, err == nil
	case key == "key.converter" || key == "value.converter":
		p, err := ps.Converter(typ)
		return p.Def, key + ".", err == nil
	}
	return def, "", false
}
