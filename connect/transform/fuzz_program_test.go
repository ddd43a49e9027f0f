package transform_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// compiled holds that a program is made, or refused with its key and without a
// panic.
func compiled(t *testing.T, key, program string, config ...string) {
	t.Helper()
	c, err := tryChain(connect.KindSource, config...)
	if err == nil {
		c.Close()
		return
	}
	wrong, ok := errors.AsType[oms.KeyErrors](err)
	if !ok || len(wrong) != 1 || wrong[0].Key != key || strings.Contains(err.Error(), "panic") {
		t.Fatalf("%q: %v, want one problem of %s", program, err, key)
	}
}

// FuzzCompileExpression compiles and does not run: what an expression may cost
// is another matter.
func FuzzCompileExpression(f *testing.F) {
	for _, seed := range []string{
		`value.a > 1`, `merge(value, {"a": [1, nil]})`, `map(value.l, # + 1)`, `text(key) + "x"`, `number("1") ?? 2`, `headers["a"] matches "("`, `let x = value; x?.a[1:2]`,
		`filter(1..3, {# > 1}) | sum()`, `"\u{10ffff}"`, `1 / 0`, `value.`, `{`, "\xff", `not not true`, `[[[[[[[[]]]]]]]]`, `a ? b : c ? d : e`, `0x1p3`, `#`, `$env.value`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program string) {
		if program == "" || len(program) > 2000 {
			return
		}
		compiled(t, "transforms.x.value", program, one("Expression", "value="+program)...)
	})
}

// FuzzCompileJQ is FuzzCompileExpression for jq.
func FuzzCompileJQ(f *testing.F) {
	for _, seed := range []string{
		`.a`, `.a.b[1:2]?`, `def f(x): x | f(.); f(1)`, `reduce .[] as [$a, {b: $c}] (0; . + $a)`, `try error catch .`, `"a\(.b)c"`, `@base64 "x\(.)"`, `.. | numbers`, `.[] //= 1`,
		`label $f | break $f`, `import "a" as b; .`, `$x`, `.a |`, `{(.a): 1, $__loc__}`, "\xff", `limit(3; repeat(1))`, `?//`, `. as [$a] ?// $a | $a`, `input`, `@nosuch`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program string) {
		if program == "" || len(program) > 2000 {
			return
		}
		compiled(t, "transforms.x.program", program, one("JQ", "program="+program)...)
	})
}
