package omconnect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A node is a value of a YAML or JSON document, with its text as written:
// 1e3 stays 1e3, 007 stays 007.
type node struct {
	line    int
	kind    nodeKind
	text    string  // of a scalar
	literal bool    // of a scalar: a number or a boolean, not a text
	items   []*node // of a list
	entries []entry // of a mapping, in the order of the document
}

type nodeKind int

const (
	nothing nodeKind = iota // a key without a value
	refused                 // its problem is known already
	scalar
	list
	mapping
)

// An entry is one key of a mapping.
type entry struct {
	key   string
	line  int
	value *node
}

// A problem is one thing that is wrong with a file. It never quotes a value.
type problem struct {
	line int    // 0 for the file as a whole
	key  string // dotted; "" when it is not about one
	text string
}

// outside is the line of problems that are not in the file.
const outside = -1

// problems is everything that is wrong with a file.
type problems struct {
	file string
	list []problem
}

func (ps *problems) add(line int, key, format string, args ...any) {
	ps.list = append(ps.list, problem{line: line, key: key, text: fmt.Sprintf(format, args...)})
}

// has reports whether there is a problem with the key.
func (ps *problems) has(key string) bool {
	return slices.ContainsFunc(ps.list, func(p problem) bool { return p.key == key })
}

// err returns nil if there are none, else one error with a line for each, in
// the order of the file.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	lines := make([]string, 0, len(ps.list))
	for _, p := range ps.list {
		var b strings.Builder
		if ps.file != "" && p.line != outside {
			b.WriteString(ps.file + ":")
			if p.line > 0 {
				fmt.Fprintf(&b, "%d:", p.line)
			}
			b.WriteByte(' ')
		}
		if p.key != "" {
			b.WriteString(p.key + ": ")
		}
		b.WriteString(p.text)
		lines = append(lines, b.String())
	}
	return usageError{errors.New(strings.Join(slices.Compact(lines), "\n"))}
}

// parseDocument reads a YAML or JSON document, which must be a mapping or
// empty. What is wrong with it is added to ps.
func parseDocument(data []byte, ps *problems) *node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for i, line := range bytes.Split(data, []byte("\n")) {
		if !utf8.Valid(line) {
			ps.add(i+1, "", "the line is not UTF-8")
			return &node{}
		}
	}
	// Keys that stand there twice are found below, all at once.
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		// The parser's own text shows the lines around, which may hold
		// passwords: its message does not.
		if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
			ps.add(e.GetToken().Position.Line, "", "this is not YAML: %s", e.GetMessage())
		} else {
			ps.add(0, "", "this is not YAML")
		}
		return &node{}
	}
	root := &node{}
	for i, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case i > 0:
			ps.add(doc.Body.GetToken().Position.Line, "", "a second document begins here; write one document only")
		default:
			root = convert(doc.Body, ps)
		}
	}
	if root.kind == scalar || root.kind == list {
		ps.add(root.line, "", "the file must have keys and values, as in broker: embedded")
		return &node{}
	}
	return root
}

// convert makes a node of the parser's, and refuses what a configuration has
// no use for.
func convert(from ast.Node, ps *problems) *node {
	n := &node{line: from.GetToken().Position.Line}
	switch from := from.(type) {
	case *ast.MappingNode:
		n.kind = mapping
		seen := make(map[string]int)
		for _, pair := range from.Values {
			key, ok := keyOf(pair.Key)
			line := pair.Key.GetToken().Position.Line
			if !ok {
				ps.add(line, "", "only plain keys are supported, no merge keys and no complex ones; write every key out")
				continue
			}
			if first := seen[key]; first > 0 {
				ps.add(line, key, "stands there twice, first in line %d", first)
				continue
			}
			seen[key] = line
			n.entries = append(n.entries, entry{key: key, line: line, value: convert(pair.Value, ps)})
		}
	case *ast.SequenceNode:
		n.kind = list
		for _, item := range from.Values {
			n.items = append(n.items, convert(item, ps))
		}
	case *ast.StringNode:
		n.kind, n.text = scalar, from.Value
		// The parser takes a number that has too many digits for a text.
		n.literal = from.GetToken().Type == token.StringType && isNumber(from.Value)
	case *ast.LiteralNode:
		n.kind, n.text = scalar, from.Value.Value
	case *ast.NullNode:
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.text, n.literal = scalar, from.GetToken().Value, true
	default:
		n.kind = refused
		ps.add(n.line, "", "tags, anchors and aliases are not supported; write the value out, with quotes if it begins with !, & or *")
	}
	return n
}

// isNumber reports whether a text is a number as JSON has them.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

func keyOf(key ast.MapKeyNode) (string, bool) {
	switch key := key.(type) {
	case *ast.StringNode:
		return key.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return key.GetToken().Value, true
	}
	return "", false
}

// value returns the text of a node that is to be one: a scalar as written, a
// list of scalars joined by commas.
func (n *node) value(key string, ps *problems) (string, bool) {
	switch n.kind {
	case scalar:
		return n.text, true
	case list:
		texts := make([]string, 0, len(n.items))
		for _, item := range n.items {
			switch {
			case item.kind != scalar:
				ps.add(item.line, key, "a list can have plain values only")
				return "", false
			case strings.Contains(item.text, ","):
				ps.add(item.line, key, "a value of a list cannot have a comma, which separates the values")
				return "", false
			}
			texts = append(texts, item.text)
		}
		return strings.Join(texts, ","), true
	case mapping:
		ps.add(n.line, key, "must be a plain value or a list, not keys and values of its own; write the keys with dots")
	case nothing:
		ps.add(n.line, key, `has no value; write "" for an empty one, or leave the key out`)
	case refused:
	}
	return "", false
}
