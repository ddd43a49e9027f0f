package transform

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// An env is what an expression knows of a record.
type env struct {
	Topic     string            `expr:"topic"`
	Key       any               `expr:"key"`
	Value     any               `expr:"value"`
	Headers   map[string]string `expr:"headers"`
	Partition int               `expr:"partition"`
	Offset    int64             `expr:"offset"`
	Timestamp int64             `expr:"timestamp"`
}

// A program is an expression, compiled.
type program struct {
	code               *vm.Program
	key, value, header bool // it may ask for them
}

var (
	asksKey    = regexp.MustCompile(`\bkey\b|\$env`)
	asksValue  = regexp.MustCompile(`\bvalue\b|\$env`)
	asksHeader = regexp.MustCompile(`\bheaders\b|\$env`)
)

// compile compiles an expression. One without a source is nil.
func compile(source string, opts ...expr.Option) (*program, error) {
	if source == "" {
		return nil, nil
	}
	opts = append(
		opts, expr.Env(env{}), expr.DisableBuiltin("now"), // the same record gives the same result
		expr.Function("merge", mergeObjects, new(func(map[string]any, map[string]any) map[string]any), new(func(any, any) any)),
		expr.Function("number", toNumber, new(func(any) float64)),
		expr.Function("text", toText, new(func(any) string)),
	)
	code, err := expr.Compile(source, opts...)
	if err != nil {
		return nil, fmt.Errorf("it is not an expression: %w", err)
	}
	return &program{
		code: code, key: asksKey.MatchString(source), value: asksValue.MatchString(source), header: asksHeader.MatchString(source),
	}, nil
}

func checkExpression(source string) error {
	_, err := compile(source)
	return err
}

func checkCondition(source string) error {
	_, err := compile(source, expr.AsBool())
	return err
}

// run evaluates the expression for a record. What it says of a failure is kept
// back: it may quote the record.
func (p *program) run(r *connect.Record) (any, error) {
	e := env{Topic: r.Topic()}
	e.Partition, _ = r.Partition()
	e.Offset, _ = r.Offset()
	if at := r.Timestamp(); !at.IsZero() {
		e.Timestamp = at.UnixMilli()
	}
	d := dynamic{forExpression}
	for _, part := range []struct {
		name  connect.Part
		asked bool
		to    *any
	}{{connect.PartKey, p.key, &e.Key}, {connect.PartValue, p.value, &e.Value}} {
		if !part.asked {
			continue
		}
		v, err := r.Get(part.name)
		if err != nil {
			return nil, err
		}
		*part.to = d.out(v)
	}
	if p.header {
		e.Headers = make(map[string]string)
		for _, h := range r.Headers() {
			e.Headers[h.Name] = string(h.Value)
		}
	}
	result, err := expr.Run(p.code, e)
	if err != nil {
		return nil, expressionFailure(err)
	}
	return result, nil
}

func expressionFailure(err error) error {
	where := ""
	if at, ok := errors.AsType[*file.Error](err); ok {
		where = fmt.Sprintf(" at line %d, column %d", at.Line, at.Column+1)
	}
	return malformed("evaluate", "the expression fails for this record%s; the reason is not shown, since it may quote the record. Fields that may be missing are read with ?. and ??", where)
}

// holds evaluates a condition.
func (p *program) holds(r *connect.Record) (bool, error) {
	result, err := p.run(r)
	if err != nil {
		return false, err
	}
	b, ok := result.(bool)
	if !ok {
		return false, malformed("evaluate", "the condition is a %T for this record, neither true nor false", result)
	}
	return b, nil
}

func expressionPredicatePlugin() connect.PredicatePlugin {
	return connect.PredicatePlugin{
		Type: "Expression",
		Doc:  "Holds for records for which an expression is true.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "condition", Required: true, Doc: conditionDoc, Check: checkCondition},
		}},
		New: func(config oms.KeyValue) (connect.Predicate, error) {
			p, err := compile(config["condition"], expr.AsBool())
			if err != nil {
				return nil, err
			}
			return test(p.holds), nil
		},
	}
}

const conditionDoc = "Expression (expr-lang) that is true or false, of topic, key, value, headers, partition, offset and timestamp (in milliseconds), such as value.amount > 100."

func expressionPlugin() connect.TransformPlugin {
	const doc = " Expression for the new %s. merge(a, b) joins objects, number(x) and text(x) convert."
	return connect.TransformPlugin{
		Type: "Expression",
		Doc:  "Keeps the records for which an expression is true, and sets value, key, topic and headers by expressions.",
		Def: connect.ConfigDef{
			Keys: []connect.Key{
				{Name: "filter", Doc: conditionDoc + " Records for which it is false are dropped.", Check: checkCondition},
				{Name: "value", Doc: strings.TrimSpace(fmt.Sprintf(doc, "value")), Check: checkExpression},
				{Name: "key", Doc: strings.TrimSpace(fmt.Sprintf(doc, "key")), Check: checkExpression},
				{Name: "topic", Doc: strings.TrimSpace(fmt.Sprintf(doc, "topic")), Check: checkExpression},
				{Name: "headers", Doc: "Expression for an object of the headers to set; null takes one out, others stay.", Check: checkExpression},
			},
			Check: func(config oms.KeyValue) oms.KeyErrors {
				if len(config) == 0 {
					return oms.KeyErrors{{Key: "filter", Problem: "nothing is to be done: set one of filter, value, key, topic, headers"}}
				}
				return nil
			},
		},
		Effects: func(config oms.KeyValue) (effects []connect.Effect) {
			for _, part := range []connect.Part{connect.PartKey, connect.PartValue} {
				if config[string(part)] != "" {
					effects = append(effects, connect.Effect{Part: part, Leaves: func(connect.Form) connect.Form { return connect.FormAny }})
				}
			}
			return effects
		},
		New: newExpression,
	}
}

func newExpression(config oms.KeyValue) (connect.Transform, error) {
	t := new(expression)
	for _, k := range []struct {
		name string
		to   **program
	}{{"value", &t.value}, {"key", &t.key}, {"topic", &t.topic}, {"headers", &t.headers}} {
		var err error
		if *k.to, err = compile(config[k.name]); err != nil {
			return nil, oms.KeyErrors{{Key: k.name, Problem: err.Error()}}
		}
	}
	var err error
	t.filter, err = compile(config["filter"], expr.AsBool())
	return t, err
}

// An expression is the transform; each program is nil if it is not set.
type expression struct{ filter, value, key, topic, headers *program }

// Apply evaluates all expressions for the record as it came, then sets what
// they return.
func (t *expression) Apply(r *connect.Record) (*connect.Record, error) {
	if t.filter != nil {
		if keep, err := t.filter.holds(r); !keep || err != nil {
			return nil, err
		}
	}
	steps := []struct {
		program *program
		set     func(any, *connect.Record) error
	}{{t.topic, setTopic}, {t.headers, setHeaders}, {t.key, setPart(connect.PartKey)}, {t.value, setPart(connect.PartValue)}}
	results := make([]any, len(steps))
	for i, s := range steps {
		if s.program == nil {
			continue
		}
		var err error
		if results[i], err = s.program.run(r); err != nil {
			return nil, err
		}
	}
	for i, s := range steps {
		if s.program == nil {
			continue
		}
		if err := s.set(results[i], r); err != nil {
			return nil, err
		}
	}
	return r, nil
}
