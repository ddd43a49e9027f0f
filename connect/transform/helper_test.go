package transform_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	_ "github.com/omconnect/omconnect/connect/transform"
	"github.com/omconnect/omconnect/oms"
)

// born is when the records of tests were made.
var born = time.Date(2024, 2, 29, 13, 4, 5, 67_000_000, time.UTC)

// chain makes a chain of the default plugins from key=value.
func chain(tb testing.TB, kind connect.Kind, config ...string) *connect.Chain {
	tb.Helper()
	c, err := tryChain(kind, config...)
	if err != nil {
		tb.Fatalf("%q: %v", config, err)
	}
	tb.Cleanup(c.Close)
	return c
}

func tryChain(kind connect.Kind, config ...string) (*connect.Chain, error) {
	kv := oms.KeyValue{"name": "orders"}
	for _, pair := range config {
		k, v, _ := strings.Cut(pair, "=")
		kv[k] = v
	}
	return connect.NewChain(&connect.DefaultPlugins, kind, kv)
}

// one is the configuration of a chain of one transform, from its type and
// key=value.
func one(typ string, keys ...string) []string {
	config := []string{"transforms=x", "transforms.x.type=" + typ}
	for _, k := range keys {
		config = append(config, "transforms.x."+k)
	}
	return config
}

// message returns a message as a source gives it; "null" stands for null.
func message(key, body string) *oms.Message {
	m := &oms.Message{ID: "1", Topic: "orders", BornAt: born, Headers: oms.Headers{{Name: "a", Value: []byte("1")}, {Name: "b"}, {Name: "a", Value: []byte("2")}}}
	if key != "null" {
		m.Key = []byte(key)
	}
	if body != "null" {
		m.Body = []byte(body)
	}
	return m
}

// received returns a message as a sink gets it.
func received(key, body string) *oms.Message {
	m := message(key, body)
	m.Receipt, m.Partition, m.Offset = "receipt", 3, 1<<53+1
	return m
}

// shown is a message as tests compare it.
func shown(m *oms.Message) string {
	if m == nil {
		return "dropped"
	}
	text := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return string(b)
	}
	return text(m.Key) + " " + text(m.Body)
}

func headers(hs oms.Headers) string {
	var b strings.Builder
	for _, h := range hs {
		if h.Value == nil {
			fmt.Fprintf(&b, "%s ", h.Name)
			continue
		}
		fmt.Fprintf(&b, "%s=%s ", h.Name, h.Value)
	}
	return strings.TrimSpace(b.String())
}

// row1 returns a row with the columns name:type:value, separated by spaces.
func row1(columns ...string) string {
	var schema, values []string
	for _, c := range columns {
		name, rest, _ := strings.Cut(c, ":")
		typ, value, _ := strings.Cut(rest, ":")
		key := ""
		if n, ok := strings.CutPrefix(name, "*"); ok {
			name, key = n, `,"key":true`
		}
		schema = append(schema, fmt.Sprintf(`{"name":%q,"type":%q%s}`, name, typ, key))
		values = append(values, fmt.Sprintf("%q:%s", name, value))
	}
	return `{"form":1,"schema":{"table":"t","columns":[` + strings.Join(schema, ",") + `]},"row":{` + strings.Join(values, ",") + `}}`
}

// A caseOf is one record through one transform.
type caseOf struct {
	name   string
	sink   bool
	config []string // as with one
	key    string   // "null" if empty
	body   string
	want   string // shown; or the error behind "error: "
}

func run(t *testing.T, cases []caseOf) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			kind, in := connect.KindSource, message
			if c.sink {
				kind, in = connect.KindSink, received
			}
			if c.key == "" {
				c.key = "null"
			}
			m := in(c.key, c.body)
			before := shown(m) + headers(m.Headers)
			out, err := chain(t, kind, one(c.config[0], c.config[1:]...)...).Apply(m)
			if wrong, ok := strings.CutPrefix(c.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), wrong) || oms.CodeOf(err) != oms.ErrFormat {
					t.Errorf("%s\n  became %s, error %v; want ErrFormat with %q", c.body, shown(out), err, wrong)
				}
			} else if got := shown(out); err != nil || got != c.want {
				t.Errorf("%s\n  became %s, error %v\n  want   %s", c.body, got, err, c.want)
			}
			if now := shown(m) + headers(m.Headers); now != before {
				t.Errorf("the message was changed from %s to %s", before, now)
			}
		})
	}
}
