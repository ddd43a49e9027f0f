// Package registry keeps named implementations: the drivers of package oms and
// the plugins of package connect register themselves in one of these.
package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Registry maps names to values of one kind. The zero Registry is empty and
// ready for use; its methods may be called concurrently.
type Registry[T any] struct {
	mu    sync.RWMutex
	items map[string]T
}

// Register adds an item. It panics when the name is empty or taken: two
// implementations of one name are a mistake in the program, to be seen when
// it starts.
func (r *Registry[T]) Register(name string, item T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == "" {
		panic("registry: an item needs a name")
	}
	if _, taken := r.items[name]; taken {
		panic(fmt.Sprintf("registry: %q is registered twice", name))
	}
	if r.items == nil {
		r.items = make(map[string]T)
	}
	r.items[name] = item
}

// Lookup returns the item of that name. The error for an unknown name lists
// the known ones.
func (r *Registry[T]) Lookup(name string) (T, error) {
	r.mu.RLock()
	item, ok := r.items[name]
	r.mu.RUnlock()
	if !ok {
		return item, fmt.Errorf("unknown name %q (known: %s)", name, strings.Join(r.Names(), ", "))
	}
	return item, nil
}

// Names returns the registered names, sorted.
func (r *Registry[T]) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.items))
}
