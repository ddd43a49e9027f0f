package transform

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// TestProgramThatRunsForEverFailsByItself: before its chain gives it up, and
// with nothing left behind that runs on.
func TestProgramThatRunsForEverFailsByItself(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"def f: f; f", "last(repeat(.))", "., last(repeat(.))", "[range(1e12)] | length", "until(false; .)"} {
		plugins := new(connect.Plugins)
		Register(plugins)
		code, err := compileJQ(program)
		if err != nil {
			t.Fatal(err)
		}
		plugins.RegisterTransform(connect.TransformPlugin{Type: "Short", Doc: "JQ with a short bound.", New: func(oms.KeyValue) (connect.Transform, error) {
			return &jq{part: connect.PartValue, code: code, bound: 20 * time.Millisecond}, nil
		}})
		chain, err := connect.NewChain(plugins, connect.KindSource, oms.KeyValue{"name": "c", "transforms": "x", "transforms.x.type": "Short"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = chain.Apply(&oms.Message{Topic: "t", Body: []byte(`{"secret":"s3cr3t"}`)})
		if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "transform x") || !strings.Contains(err.Error(), "has not ended after 20ms") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: error %v, want ErrFormat that names the transform and the time", program, err)
		}
		chain.Close()
	}
}
