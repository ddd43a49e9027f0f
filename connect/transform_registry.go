package connect

import (
	"fmt"
	"slices"

	"github.com/omconnect/omconnect/internal/registry"
	"github.com/omconnect/omconnect/oms"
)

// An aliased keeps plugins by their type, and other names for the types.
type aliased[T any] struct {
	types registry.Registry[T]
	names registry.Registry[string] // every name, to its type
}

func (a *aliased[T]) add(typ string, aliases []string, p T) {
	a.names.Register(typ, typ)
	for _, alias := range aliases {
		a.names.Register(alias, typ)
	}
	a.types.Register(typ, p)
}

func (a *aliased[T]) find(name string) (p T, err error) {
	typ, err := a.names.Lookup(name)
	if err != nil {
		typ = name // which is not known either: the error lists the types only
	}
	if p, err = a.types.Lookup(typ); err != nil {
		return p, &oms.Error{Op: "find plugin", Code: oms.ErrNotFound, Err: err}
	}
	return p, nil
}

func (a *aliased[T]) all() []T {
	var all []T
	for _, typ := range a.types.Names() {
		if p, err := a.types.Lookup(typ); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// checkDef panics on a mistake in the definition of a plugin's keys. The
// reserved keys have a meaning already.
func checkDef(who string, def ConfigDef, hasNew bool, reserved ...string) {
	if !hasNew {
		panic(who + " has no New")
	}
	seen := make(map[string]bool)
	for _, k := range def.Keys {
		if k.Name == "" || seen[k.Name] || k.Doc == "" {
			panic(fmt.Sprintf("%s: key %q has no name, no documentation, or stands there twice", who, k.Name))
		}
		seen[k.Name] = true
		if slices.Contains(reserved, k.Name) {
			panic(fmt.Sprintf("%s: key %s has a meaning already", who, k.Name))
		}
		if !slices.Contains([]Type{"", String, Int, Long, Double, Bool, List, Millis, URL}, k.Type) {
			panic(fmt.Sprintf("%s: key %s has the unknown type %q", who, k.Name, k.Type))
		}
		if k.Default == "" {
			continue
		}
		r := oms.KeyValue{k.Name: k.Default}.Reader()
		k.validate(r, oms.KeyValue{k.Name: k.Default})
		if err := r.Err(); err != nil {
			panic(fmt.Sprintf("%s: a default is wrong: %v", who, err))
		}
	}
}
