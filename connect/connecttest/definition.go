package connecttest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var definitionRules = []rule{
	{"Registers", "the plugin can be registered: it has a class, a kind, a New and a sentence about itself, and each key a name, a type, documentation and a default that passes its own check", always, checkRegisters},
	{"SecretKeys", "a key that holds a password, a secret or a token is marked Secret", always, checkSecretKeys},
	{"ConfigValid", "a configuration that works is valid, and still is once its defaults are filled in", always, checkConfigValid},
	{"RequiredKeys", "a key that cannot be left out is marked Required, or missed by the definition's Check: all that are missing are named at once, before OnStart", always, checkRequiredKeys},
	{"OddValues", "whatever stands in a key, it is taken or refused with the name of a key, and without a panic", always, checkOddValues},
}

func checkRegisters(_ context.Context, b *bench) {
	ok("register the plugin", guarded(func() error {
		new(connect.Plugins).Register(b.plugin)
		return nil
	}))
	switch {
	case b.plugin.Class == "":
		fail("the plugin has no Class, the value of connector.class")
	case b.plugin.Kind != b.kind:
		fail("the plugin's kind is %q, and it is checked as a %s", b.plugin.Kind, b.kind)
	case b.plugin.Doc == "":
		fail("the plugin has no Doc, a sentence that says what it does")
	}
}

// guarded turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f()
}

// revealing are the last words of names whose values are secret.
var revealing = regexp.MustCompile(`(?i)(^|[._-])(password|passwd|passphrase|secret|token|credentials?|api[._-]?key|private[._-]?key)$`)

func checkSecretKeys(_ context.Context, b *bench) {
	for _, k := range b.plugin.Def.Keys {
		if revealing.MatchString(k.Name) && !k.Secret {
			fail("key %s is not marked Secret, so its value would be shown", k.Name)
		}
	}
}

func checkConfigValid(_ context.Context, b *bench) {
	for _, key := range b.config.Keys() {
		if _, known := b.plugin.Def.Key(key); !known {
			fail("the configuration of the harness has the key %s, which the definition does not have", key)
		}
	}
	ok("the configuration of the harness", b.validate(b.config))
	ok("the configuration of the harness with its defaults", b.validate(b.complete()))
}

// validate checks a configuration by the definition. An error that is none of
// oms.KeyErrors about keys of the definition ends the check.
func (b *bench) validate(config oms.KeyValue) error {
	var err error
	ok("the definition's check of a configuration", guarded(func() error {
		err = b.plugin.Def.Validate(config)
		return nil
	}))
	if err == nil {
		return nil
	}
	b.said.note("the definition's check", err.Error())
	problems, is := errors.AsType[oms.KeyErrors](err)
	if !is || len(problems) == 0 {
		fail("the definition refuses a configuration with %q, which names no key", err)
	}
	for _, p := range problems {
		_, known := b.plugin.Def.Key(p.Key)
		if _, given := config[p.Key]; !known && !given || p.Problem == "" {
			fail("the definition refuses a configuration with %q, which names no key and problem", err)
		}
	}
	return err
}

// without returns the configuration of the harness without some keys.
func (b *bench) without(keys ...string) oms.KeyValue {
	config := b.config.Clone()
	for _, key := range keys {
		delete(config, key)
	}
	return config
}

func checkRequiredKeys(ctx context.Context, b *bench) {
	var required []string
	for _, k := range b.plugin.Def.Keys {
		if k.Required {
			required = append(required, k.Name)
			ok("without key "+k.Name, missed(b.validate(b.without(k.Name)), k.Name))
		}
	}
	ok("without any key that is required", missed(b.validate(b.without(required...)), required...))
	for _, key := range b.config.Keys() {
		k, known := b.plugin.Def.Key(key)
		if !known || k.Required || k.Default != "" || b.validate(b.without(key)) != nil {
			continue
		}
		// The definition says that it may be missing: the connector must not
		// say otherwise. It may fail for other reasons.
		config := b.plugin.Def.Complete(b.without(key))
		l := b.createTask(ctx, config, 0, 1)
		err := l.tryStart(ctx, nil)
		l.stop(ctx)
		if missed(err, key) == nil {
			fail("key %s is not required by the definition, and the connector does not start without it: %v", key, err)
		}
	}
}

// missed returns nil when err is about every one of the keys.
func missed(err error, keys ...string) error {
	problems, _ := errors.AsType[oms.KeyErrors](err)
	for _, key := range keys {
		if !slices.ContainsFunc(problems, func(p oms.KeyError) bool { return p.Key == key }) {
			return fmt.Errorf("that %s is missing is not among what is said: %v", key, err)
		}
	}
	return nil
}

// odd are values that somebody may write by mistake or malice.
var odd = []string{
	"", " ", ",", "\x00", "\xff", "-1", "0", "1", "99999999999999999999", "NaN", "true", "null", "a b", "ü", "*", "%", "(",
	"{}", "[", `"`, "x://", "://", "x://y:z@host:99999/%zz", "${env:X}", "${", "../..", "/", strings.Repeat("x", 5000),
}

func checkOddValues(_ context.Context, b *bench) {
	for _, k := range b.plugin.Def.Keys {
		for _, value := range odd {
			config := b.config.Clone()
			config[k.Name] = value
			_ = b.validate(config) // it fails by itself
		}
	}
}
