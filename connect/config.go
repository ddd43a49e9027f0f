package connect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// A Type is the type of a key's value.
type Type string

// The types.
const (
	String Type = "string"
	Int    Type = "int"    // 32 bits
	Long   Type = "long"   // 64 bits
	Double Type = "double" // a floating-point number
	Bool   Type = "boolean"
	List   Type = "list"   // comma-separated
	Millis Type = "millis" // a whole number of milliseconds
	URL    Type = "url"    // its user part may hold a password, which is never shown
)

// A Key defines one key of a connector's configuration.
type Key struct {
	Name     string
	Type     Type // String if empty
	Doc      string
	Default  string // "" for none
	Required bool
	Values   []string // the allowed ones; any if empty
	Min, Max int64    // of a number; not checked if both are 0
	Secret   bool     // never shown
	// Check returns what else is wrong with a value that has the right type.
	// It does no I/O.
	Check func(value string) error
}

// A ConfigDef defines the keys of a connector: the only truth about them, for
// validation, documentation and masking.
type ConfigDef struct {
	Keys []Key
	// Check finds problems between keys. It sees only configurations whose
	// keys are right one by one, with their defaults. It does no I/O.
	Check func(config oms.KeyValue) oms.KeyErrors
}

// Key returns the key of that name.
func (d ConfigDef) Key(name string) (Key, bool) {
	i := slices.IndexFunc(d.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return d.Keys[i], true
}

// Complete returns the configuration with the defaults of missing keys, and
// without keys that the definition does not have.
func (d ConfigDef) Complete(config oms.KeyValue) oms.KeyValue {
	complete := make(oms.KeyValue, len(d.Keys))
	for _, k := range d.Keys {
		if v, ok := config[k.Name]; ok {
			complete[k.Name] = v
		} else if k.Default != "" {
			complete[k.Name] = k.Default
		}
	}
	return complete
}

// Validate returns everything that is wrong with a configuration, as
// oms.KeyErrors sorted by key, or nil.
func (d ConfigDef) Validate(config oms.KeyValue) error {
	r := config.Reader()
	for _, k := range d.Keys {
		k.validate(r, config)
	}
	if err := r.Err(); err != nil {
		return err
	}
	if d.Check == nil {
		return nil
	}
	return d.Check(d.Complete(config)).OrNil()
}

func (k Key) validate(r *oms.KeyValueReader, config oms.KeyValue) {
	value, given := config[k.Name]
	if !given && !k.Required {
		r.Ignore(k.Name)
		return
	}
	before := r.Problems()
	k.read(r, config)
	if r.Problems() > before {
		return
	}
	if len(k.Values) > 0 && !slices.Contains(k.Values, value) {
		r.Problem(k.Name, "%s is not one of %s", k.show(value), strings.Join(k.Values, ", "))
		return
	}
	if k.Check != nil {
		if err := k.Check(value); err != nil {
			r.Problem(k.Name, "%s", k.hide(err.Error(), value))
		}
	}
}

// read checks the type of the value, and its range.
func (k Key) read(r *oms.KeyValueReader, config oms.KeyValue) {
	own := config.Reader() // of this key only: its problems may show the value
	var n int64
	switch k.Type {
	case Int, Long:
		n = own.Int64(k.Name)
	case Millis:
		n = own.Millis(k.Name).Milliseconds()
	case Double:
		own.Float(k.Name)
	case Bool:
		own.Bool(k.Name)
	case List:
		if k.Required {
			own.List(k.Name)
		}
	case String, URL, "":
		if k.Required {
			own.String(k.Name)
		}
	default:
		panic(fmt.Sprintf("key %s has the unknown type %q", k.Name, k.Type))
	}
	if own.Problems() == 0 {
		k.inRange(own, n)
	}
	r.Ignore(k.Name)
	own.Ignore(config.Keys()...)
	if wrong, ok := errors.AsType[oms.KeyErrors](own.Err()); ok {
		r.Problem(k.Name, "%s", k.hide(wrong[0].Problem, config[k.Name]))
	}
}

// inRange checks a number; of another value it is given 0.
func (k Key) inRange(r *oms.KeyValueReader, n int64) {
	low, high := k.Min, k.Max
	if low == 0 && high == 0 {
		low, high = math.MinInt64, math.MaxInt64
	}
	if k.Type == Int {
		low, high = max(low, math.MinInt32), min(high, math.MaxInt32)
	}
	if numeric := k.Type == Int || k.Type == Long || k.Type == Millis; numeric && (n < low || n > high) {
		r.Problem(k.Name, "%d is not between %d and %d", n, low, high)
	}
}

// hide takes a secret out of what is said about it.
func (k Key) hide(text, value string) string {
	if !k.Secret || value == "" {
		return text
	}
	quoted := strconv.Quote(value)
	return strings.NewReplacer(value, "xxxxx", quoted[1:len(quoted)-1], "xxxxx").Replace(text)
}

func (k Key) show(value string) string {
	if k.Secret {
		return "the value"
	}
	return fmt.Sprintf("%.100q", value)
}
