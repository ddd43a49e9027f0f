package transform

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/omconnect/omconnect/connect"
)

// maxDepth is how deep JSON may be nested.
const maxDepth = 1000

// parseJSON reads one JSON text. It keeps the order of members and the digits
// of numbers; of members with the same name the last one counts.
func parseJSON(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, malformed("decode", "it is not UTF-8")
	}
	p := jsonReader{b: b}
	v, ok := p.value(0)
	if ok {
		p.space()
		ok = p.at == len(b)
	}
	if !ok {
		return nil, malformed("decode", "it is not JSON: byte %d is not what has to be there", p.at)
	}
	return v, nil
}

type jsonReader struct {
	b  []byte
	at int
}

func (p *jsonReader) space() {
	for p.at < len(p.b) {
		switch p.b[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonReader) take(c byte) bool {
	p.space()
	if p.at < len(p.b) && p.b[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *jsonReader) value(depth int) (any, bool) {
	p.space()
	if p.at >= len(p.b) || depth > maxDepth {
		return nil, false
	}
	switch c := p.b[p.at]; c {
	case '{':
		return p.object(depth)
	case '[':
		return p.list(depth)
	case '"':
		return p.text()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	}
	return p.number()
}

func (p *jsonReader) word(w string) bool {
	if len(p.b)-p.at < len(w) || string(p.b[p.at:p.at+len(w)]) != w {
		return false
	}
	p.at += len(w)
	return true
}

func (p *jsonReader) object(depth int) (any, bool) {
	p.at++
	s := &connect.Struct{}
	if p.take('}') {
		return s, true
	}
	var seen map[string]int // only of large objects
	for {
		p.space()
		name, ok := p.text()
		if !ok || !p.take(':') {
			return nil, false
		}
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		seen = add(s, seen, connect.Field{Name: name.(string), Value: v}) //nolint:forcetypeassert // text returns nothing else
		if p.take('}') {
			return s, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

// add sets a field; from some number of fields on it looks them up in a map.
func add(s *connect.Struct, seen map[string]int, f connect.Field) map[string]int {
	const many = 16
	if len(s.Fields) < many {
		s.Set(f)
		return nil
	}
	if seen == nil {
		seen = make(map[string]int)
		for i, old := range s.Fields {
			seen[old.Name] = i
		}
	}
	if i, ok := seen[f.Name]; ok {
		s.Fields[i] = f
		return seen
	}
	seen[f.Name] = len(s.Fields)
	s.Fields = append(s.Fields, f)
	return seen
}

func (p *jsonReader) list(depth int) (any, bool) {
	p.at++
	list := []any{}
	if p.take(']') {
		return list, true
	}
	for {
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		list = append(list, v)
		if p.take(']') {
			return list, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

func (p *jsonReader) text() (any, bool) {
	if p.at >= len(p.b) || p.b[p.at] != '"' {
		return nil, false
	}
	for i := p.at + 1; i < len(p.b); i++ {
		switch c := p.b[i]; {
		case c == '"':
			s := string(p.b[p.at+1 : i])
			p.at = i + 1
			return s, true
		case c == '\\':
			return p.escaped()
		case c < ' ':
			p.at = i
			return nil, false
		}
	}
	p.at = len(p.b)
	return nil, false
}

// escaped reads a string that has escapes.
func (p *jsonReader) escaped() (any, bool) {
	for i := p.at + 1; i < len(p.b); i++ {
		switch p.b[i] {
		case '\\':
			i++
		case '"':
			var s string
			if err := json.Unmarshal(p.b[p.at:i+1], &s); err != nil {
				return nil, false
			}
			p.at = i + 1
			return s, true
		}
	}
	p.at = len(p.b)
	return nil, false
}

func (p *jsonReader) number() (any, bool) {
	start := p.at
	if p.at < len(p.b) && p.b[p.at] == '-' {
		p.at++
	}
	if p.at < len(p.b) && p.b[p.at] == '0' {
		p.at++
	} else if !p.digits() {
		return nil, false
	}
	if p.at < len(p.b) && p.b[p.at] == '.' {
		p.at++
		if !p.digits() {
			return nil, false
		}
	}
	if p.at < len(p.b) && (p.b[p.at] == 'e' || p.b[p.at] == 'E') {
		p.at++
		if p.at < len(p.b) && (p.b[p.at] == '+' || p.b[p.at] == '-') {
			p.at++
		}
		if !p.digits() {
			return nil, false
		}
	}
	return json.Number(p.b[start:p.at]), true
}

func (p *jsonReader) digits() bool {
	start := p.at
	for p.at < len(p.b) && p.b[p.at] >= '0' && p.b[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}
