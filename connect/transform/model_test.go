package transform_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
)

// A modelled is a record as the model has it: the fields of its value in their
// order, each of them the JSON text of a column of an int64 or a text.
type modelled struct {
	names   []string
	values  map[string]string
	headers []string
	topic   string
	dropped bool
}

func (m *modelled) set(name, value string) {
	if _, there := m.values[name]; !there {
		m.names = append(m.names, name)
	}
	m.values[name] = value
}

func (m *modelled) remove(name string) {
	m.names = slices.DeleteFunc(m.names, func(n string) bool { return n == name })
	delete(m.values, name)
}

// body returns the record as an object or as a row.
func (m *modelled) body(typed bool) string {
	var parts []string
	for _, name := range m.names {
		value := m.values[name]
		if typed {
			typ := "int64"
			if strings.HasPrefix(value, `"`) {
				typ = "text"
			}
			parts = append(parts, name+":"+typ+":"+value)
		} else {
			parts = append(parts, strconv.Quote(name)+":"+value)
		}
	}
	if typed {
		return row1(parts...)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// A move is a transform with what the model makes of it.
type move struct {
	typ   string
	keys  []string
	apply func(m *modelled)
}

// moves returns a random transform that cannot fail for the record.
func randomMove(r *rand.Rand, n int, m *modelled, typed bool) move {
	some := func() string { return m.names[r.IntN(len(m.names))] }
	fresh := fmt.Sprintf("f%d", n)
	name := some()
	switch r.IntN(12) {
	case 0:
		return move{"InsertField$Value", []string{"static.field=" + fresh, "static.value=s"}, func(m *modelled) { m.set(fresh, `"s"`) }}
	case 1:
		return move{"InsertField$Value", []string{"topic.field=" + fresh}, func(m *modelled) { m.set(fresh, strconv.Quote(m.topic)) }}
	case 2:
		if len(m.names) < 3 {
			break
		}
		return move{"ReplaceField$Value", []string{"exclude=" + name}, func(m *modelled) { m.remove(name) }}
	case 3:
		return move{"ReplaceField$Value", []string{"renames=" + name + ":" + fresh}, func(m *modelled) {
			m.names[slices.Index(m.names, name)] = fresh
			m.values[fresh] = m.values[name]
			delete(m.values, name)
		}}
	case 4:
		return move{"MaskField$Value", []string{"fields=" + name}, func(m *modelled) {
			if strings.HasPrefix(m.values[name], `"`) {
				m.values[name] = `""`
			} else {
				m.values[name] = "0"
			}
		}}
	case 5:
		return move{"MaskField$Value", []string{"fields=" + name, "replacement=17"}, func(m *modelled) {
			if strings.HasPrefix(m.values[name], `"`) {
				m.values[name] = `"17"`
			} else {
				m.values[name] = "17"
			}
		}}
	case 6:
		return move{"Cast$Value", []string{"spec=" + name + ":string"}, func(m *modelled) {
			if !strings.HasPrefix(m.values[name], `"`) {
				m.values[name] = strconv.Quote(m.values[name])
			}
		}}
	case 7:
		return move{"HeaderFrom$Value", []string{"fields=" + name, "headers=h" + fresh, "operation=copy"}, func(m *modelled) {
			m.headers = append(m.headers, "h"+fresh+"="+strings.Trim(m.values[name], `"`))
		}}
	case 8:
		return move{"RegexRouter", []string{"regex=(.*)", "replacement=$1-" + fresh}, func(m *modelled) { m.topic += "-" + fresh }}
	case 9:
		return move{"Flatten$Value", nil, func(*modelled) {}}
	case 10:
		return move{"JQ", []string{`program=.` + name + ` = 5`}, func(m *modelled) { m.values[name] = "5" }}
	}
	if typed && r.IntN(50) == 0 {
		return move{"Expression", []string{"filter=value." + name + " == nil"}, func(m *modelled) { m.dropped = true }}
	}
	return move{"Expression", []string{`value=merge(value, {"` + fresh + `": "e"})`}, func(m *modelled) { m.set(fresh, `"e"`) }}
}

// TestChainsInAnyOrderAgreeWithAModel puts an object and a row of the same
// fields through chains of ten random transforms, each of them under a
// predicate or not.
func TestChainsInAnyOrderAgreeWithAModel(t *testing.T) {
	t.Parallel()
	const chains, length = 150, 10
	dropped := 0
	for seed := range uint64(chains) {
		r := rand.New(rand.NewPCG(seed, 1))
		typed := seed%2 == 0
		m := &modelled{names: []string{"a", "b", "c"}, values: map[string]string{"a": strconv.Itoa(r.IntN(1000)), "b": `"x"`, "c": "12345"}, topic: "orders"}
		in := message("null", m.body(typed))
		in.Headers = nil
		config := []string{
			"predicates=never,always", "predicates.never.type=TopicNameMatches", "predicates.never.pattern=none", "predicates.always.type=TopicNameMatches", "predicates.always.pattern=orders.*",
			// Each predicate has to be used by one.
			"transforms.n.type=Filter", "transforms.n.predicate=never", "transforms.m.type=Filter", "transforms.m.predicate=always", "transforms.m.negate=true",
		}
		aliases := []string{"n", "m"}
		for n := range length {
			alias := fmt.Sprintf("t%d", n)
			aliases = append(aliases, alias)
			next := randomMove(r, n, m, typed)
			config = append(config, "transforms."+alias+".type="+next.typ)
			for _, k := range next.keys {
				config = append(config, "transforms."+alias+"."+k)
			}
			applies := true
			switch r.IntN(4) {
			case 0:
				config = append(config, "transforms."+alias+".predicate=never")
				applies = false
			case 1:
				config = append(config, "transforms."+alias+".predicate=never", "transforms."+alias+".negate=true")
			case 2:
				config = append(config, "transforms."+alias+".predicate=always")
			}
			if applies && !m.dropped {
				next.apply(m)
			}
		}
		config = append(config, "transforms="+strings.Join(aliases, ","))
		out, err := chain(t, connect.KindSource, config...).Apply(in)
		if m.dropped {
			dropped++
			if out != nil || err != nil {
				t.Errorf("seed %d: %s, %v; want it dropped\n%s", seed, shown(out), err, strings.Join(config, "\n"))
			}
			continue
		}
		if err != nil || shown(out) != "null "+m.body(typed) || out.Topic != m.topic || headers(out.Headers) != strings.Join(m.headers, " ") {
			t.Errorf("seed %d: %s with %s in %v, %v\nwant %s with %q in %s\n%s", seed, shown(out), headers(in.Headers), out, err, m.body(typed), m.headers, m.topic, strings.Join(config, "\n"))
		}
	}
	if dropped > chains/4 {
		t.Errorf("%d of %d records were dropped: the model tests nothing", dropped, chains)
	}
}
