package transform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/itchyny/gojq"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func jqPlugin(part connect.Part) connect.TransformPlugin {
	typ, _ := partNames("JQ", part)
	var aliases []string
	if part == connect.PartValue {
		aliases = []string{"JQ"}
	}
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc: "Makes the " + string(part) + " what a jq program returns for it. No result drops the record, several fail.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "program", Required: true, Doc: "Program in jq's language, such as {id, name: .user.name}. Null is not given to it; it may take 30 s for a record.", Check: func(value string) error { _, err := compileJQ(value); return err }},
		}},
		Effects: func(oms.KeyValue) []connect.Effect {
			return []connect.Effect{{Part: part, Leaves: func(connect.Form) connect.Form { return connect.FormAny }}}
		},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			code, err := compileJQ(config["program"])
			return &jq{part: part, code: code, bound: jqBound}, err
		},
	}
}

func compileJQ(program string) (*gojq.Code, error) {
	query, err := gojq.Parse(program)
	if err != nil {
		return nil, fmt.Errorf("it is not a jq program: %w", err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, fmt.Errorf("it is not a jq program: %w", err)
	}
	return code, nil
}

// jqBound is how long a program may run for one record. It is shorter than
// what a chain may take: a program that never ends fails by itself, and leaves
// nothing behind that runs on.
const jqBound = 30 * time.Second

type jq struct {
	part  connect.Part
	code  *gojq.Code
	bound time.Duration
}

// Apply runs the program; null stays null.
func (t *jq) Apply(r *connect.Record) (*connect.Record, error) {
	v, err := r.Get(t.part)
	if v == nil || err != nil {
		return r, err
	}
	if b, ok := v.([]byte); ok {
		return nil, malformed("jq", "the %s is %d bytes that are no text, and jq knows text and JSON only", t.part, len(b))
	}
	d := dynamic{forJQ}
	ctx, cancel := context.WithTimeout(context.Background(), t.bound)
	defer cancel()
	results := t.code.RunWithContext(ctx, d.out(v))
	now, ok := results.Next()
	if !ok {
		return nil, nil
	}
	if failure, ok := now.(error); ok {
		return nil, t.failed(failure)
	}
	if next, more := results.Next(); more {
		if failure, ok := next.(error); ok {
			return nil, t.failed(failure)
		}
		return nil, malformed("jq", "the program has more than one result; collect them in a list: [ … ]")
	}
	after, err := d.in(v, now)
	if err != nil {
		return nil, err
	}
	r.Set(t.part, after)
	return r, nil
}

// failed says that the program has failed. What jq says quotes the record.
func (t *jq) failed(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return malformed("jq", "the program has not ended after %v for this record; it may run for ever", t.bound)
	}
	if _, ok := errors.AsType[*gojq.HaltError](err); ok {
		return malformed("jq", "the program halts; use empty to drop a record")
	}
	return malformed("jq", "the program fails for this record; what jq says is not shown, since it quotes the record")
}
