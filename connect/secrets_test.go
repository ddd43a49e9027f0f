package connect

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// A configuration's secrets stand in keys of the connector and of everything
// that it names, and in URLs.
func TestARedactorKnowsEverySecretOfAConfiguration(t *testing.T) {
	def := ConfigDef{Keys: []Key{{Name: "password", Doc: "A secret.", Secret: true, Default: "none"}, {Name: "mask", Doc: "Not one."}}}
	ps := new(Plugins)
	ps.RegisterTransform(TransformPlugin{Type: "Seal", Doc: "Seals.", Def: def, New: func(oms.KeyValue) (Transform, error) { return nil, nil }})
	ps.RegisterPredicate(PredicatePlugin{Type: "IsSealed", Doc: "Asks.", Def: def, New: func(oms.KeyValue) (Predicate, error) { return nil, nil }})
	ps.RegisterConverter(ConverterPlugin{Type: "sealed", Doc: "Converts.", Def: def, New: func(Part, oms.KeyValue) (Converter, error) { return nil, nil }})
	plugin := Plugin{Class: "db-source", Kind: KindSource, Def: ConfigDef{Keys: []Key{
		{Name: "password", Secret: true}, {Name: "token", Secret: true}, {Name: "url", Type: URL}, {Name: "table"},
	}}}
	config := oms.KeyValue{
		"password": "own-secret", "table": "shown-table",
		"url":             "mysql://u:url%40secret@h/db?api_token=option-secret",
		"broker":          "oms:nats://u:broker-secret@h:1/",
		"transforms":      "seal,unknown",
		"transforms.seal": "no key of anything", "transforms.seal.type": " Seal ", "transforms.seal.password": "transform-secret", "transforms.seal.mask": "shown-mask",
		"transforms.unknown.type": "Unknown", "transforms.unknown.password": "shown-unknown",
		"predicates": "p", "predicates.p.type": "IsSealed", "predicates.p.password": "predicate-secret",
		"key.converter": "sealed", "key.converter.password": "key-secret",
		"value.converter": "sealed", "value.converter.password": "value-secret",
	}
	hide := Redactor(ps, plugin, config, oms.KeyValue{"token": "other-secret"})
	for _, secret := range []string{
		"own-secret", "url%40secret", "url@secret", "option-secret", "broker-secret", "transform-secret",
		"predicate-secret", "key-secret", "value-secret", "other-secret",
	} {
		if got := hide("it is " + secret + "."); got != "it is xxxxx." {
			t.Errorf("%s: got %q", secret, got)
		}
	}
	for value := range strings.FieldsSeq("shown-table shown-mask shown-unknown") {
		if got := hide(value); got != value {
			t.Errorf("%s, which is no secret, became %q", value, got)
		}
	}
}

func TestOfAnUnknownPluginARedactorKnowsPasswordsOfURLs(t *testing.T) {
	hide := Redactor(new(Plugins), Plugin{}, oms.KeyValue{"password": "swordfish"})
	if got := hide("mysql://u:pw@h/ and swordfish"); got != "mysql://u:xxxxx@h/ and swordfish" {
		t.Errorf("got %q", got)
	}
}
