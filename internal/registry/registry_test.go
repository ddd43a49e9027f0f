package registry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/internal/registry"
)

func TestLookupNamesWhatItKnows(t *testing.T) {
	var r registry.Registry[int]
	r.Register("two", 2)
	r.Register("one", 1)
	if got, err := r.Lookup("two"); got != 2 || err != nil {
		t.Errorf("Lookup(two) = %d, %v; want 2, nil", got, err)
	}
	_, err := r.Lookup("three")
	if err == nil || !strings.Contains(err.Error(), `"three" (known: one, two)`) {
		t.Errorf("Lookup(three) = %v, want an error that lists one and two", err)
	}
	if got := r.Names(); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("Names() = %v, want them sorted", got)
	}
}

func TestRegisterRefusesMistakes(t *testing.T) {
	for name, names := range map[string][]string{"twice": {"a", "a"}, "without a name": {""}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Register did not panic")
				}
			}()
			var r registry.Registry[string]
			for _, n := range names {
				r.Register(n, n)
			}
		})
	}
}
