package connect

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/omconnect/omconnect/oms"
)

// The stages of a chain.
const (
	StageTransform Stage = "transform"
	StageConvert   Stage = "convert"
)

// A Chain is the transforms and converters of one connector. One goroutine at
// a time uses it.
type Chain struct {
	connector  string
	kind       Kind
	key, value conversion
	links      []link
}

// A link is one transform of a chain, with its condition.
type link struct {
	alias     string
	typ       string
	transform Transform
	predicate Predicate // nil: always
	negate    bool
}

// NewChain makes the chain of a connector from its configuration, of which it
// reads the name, transforms, predicates and converters with their keys; other
// keys are not looked at. It returns oms.KeyErrors with everything that is
// wrong. The caller closes the chain.
func NewChain(plugins *Plugins, kind Kind, config oms.KeyValue) (*Chain, error) {
	_, config = splitChain(config)
	chain, _, problems := buildChain(plugins, kind, config)
	if err := problems.OrNil(); err != nil {
		return nil, err
	}
	return chain, nil
}

// Passes reports whether the chain changes no message at all.
func (c *Chain) Passes() bool { return len(c.links) == 0 && !c.key.always && !c.value.always }

// Apply returns what a message becomes: nil when it is dropped, else a copy
// that shares what was not changed, or the message itself where the chain
// changes nothing. The message is not changed. The error is an *Outcome that
// names connector, transform and record, never content.
func (c *Chain) Apply(m *oms.Message) (*oms.Message, error) {
	if c.Passes() {
		return m, nil
	}
	out, where, err := c.apply(m)
	if err == nil {
		return out, nil
	}
	stage := StageTransform
	if isConvert(err) {
		stage = StageConvert
	}
	if where != "" {
		where = ", " + where
	}
	return nil, &Outcome{Stage: stage, Messages: []*oms.Message{m}, Err: fmt.Errorf("connector %s%s: %w", c.connector, where, err)}
}

// apply returns what a message becomes, or in which link it failed.
func (c *Chain) apply(m *oms.Message) (out *oms.Message, where string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	r := &Record{
		msg:   m.Clone(),
		key:   data{conversion: c.key, raw: m.Key},
		value: data{conversion: c.value, raw: m.Body},
	}
	for i := range c.links {
		l := &c.links[i]
		where = "transform " + l.alias
		if l.predicate != nil {
			holds, err := l.predicate.Test(r)
			if err != nil {
				return nil, where + ", its predicate", err
			}
			if holds == l.negate {
				continue
			}
		}
		if r, err = l.transform.Apply(r); err != nil {
			return nil, fmt.Sprintf("%s (%s)", where, l.typ), err
		}
		if r == nil {
			return nil, "", nil
		}
	}
	if out, err = r.message(); err != nil {
		return nil, "", err
	}
	if out.Topic != m.Topic {
		if err := oms.ValidTopic(out.Topic); err != nil {
			return nil, "", fmt.Errorf("the transforms have made a topic that cannot be: %w", &oms.Error{Op: "route", Code: oms.ErrInvalid, Err: err})
		}
	}
	return out, "", nil
}

// Close closes the transforms and predicates.
func (c *Chain) Close() {
	for _, l := range c.links {
		for _, p := range []any{l.transform, l.predicate} {
			if closer, ok := p.(io.Closer); ok {
				_ = closer.Close() // pure: there is nothing that could be lost
			}
		}
	}
}
