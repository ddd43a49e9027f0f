package row

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// quick reads the values of a row that is written as an Encoder writes it, and
// has the schema of the one before. It returns false for everything else and
// for everything that may be wrong, which decode reads or explains: what quick
// takes, decode takes with the same result.
func (d *Decoder) quick(body []byte) ([]any, bool) {
	if len(d.head) == 0 || !bytes.HasPrefix(body, d.head) || !utf8.Valid(body[len(d.head):]) {
		return nil, false
	}
	s := scanner{b: body, at: len(d.head)}
	values := make([]any, len(d.columns))
	for i, c := range d.columns {
		if i > 0 && !s.take(',') || !s.word(d.names[i]) {
			return nil, false
		}
		var ok bool
		if values[i], ok = s.value(c.Type); !ok {
			return nil, false
		}
	}
	return values, s.word([]byte("}}")) && s.at == len(body)
}

// prepare notes what rows of a schema begin with, and what their values.
func (d *Decoder) prepare() {
	d.head = append(append([]byte(`{"form":1,"schema":`), d.schema...), `,"row":{`...)
	d.names = make([][]byte, len(d.columns))
	for i, c := range d.columns {
		d.names[i] = append(appendString(nil, c.Name), ':')
	}
}

// A scanner reads JSON without white space.
type scanner struct {
	b  []byte
	at int
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.b) && s.b[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) word(w []byte) bool {
	if !bytes.HasPrefix(s.b[s.at:], w) {
		return false
	}
	s.at += len(w)
	return true
}

// value reads a value of a column of type t.
func (s *scanner) value(t Type) (any, bool) {
	if s.at < len(s.b) && s.b[s.at] == 'n' {
		return nil, s.word([]byte("null"))
	}
	if s.take('{') {
		tag, ok := s.token()
		name, isText := tag.(string)
		if !ok || !isText || !s.take(':') || name == string(TypeAny) || name != rawText && !known(Type(name)) {
			return nil, false
		}
		token, ok := s.token()
		if !ok {
			return nil, false
		}
		v, err := plainValue(token, Type(name))
		return v, err == nil && s.take('}')
	}
	token, ok := s.token()
	if !ok {
		return nil, false
	}
	var v any
	var err error
	if t == TypeAny {
		v, err = anyValue(token)
	} else {
		v, err = plainValue(token, t)
	}
	return v, err == nil
}

// token reads a text, a number or a boolean.
func (s *scanner) token() (json.Token, bool) {
	if s.at >= len(s.b) {
		return nil, false
	}
	switch s.b[s.at] {
	case '"':
		return s.text()
	case 't':
		return true, s.word([]byte("true"))
	case 'f':
		return false, s.word([]byte("false"))
	}
	return s.number()
}

func (s *scanner) text() (json.Token, bool) {
	start := s.at
	escaped := false
	for i := start + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return nil, false
		case c == '"':
			s.at = i + 1
			if !escaped {
				return string(s.b[start+1 : i]), true
			}
			return unescape(s.b[start:s.at])
		}
	}
	return nil, false
}

func unescape(quoted []byte) (json.Token, bool) {
	var text string
	if checkText(quoted) != nil || json.Unmarshal(quoted, &text) != nil {
		return nil, false
	}
	return text, true
}

func (s *scanner) number() (json.Token, bool) {
	start := s.at
	s.take('-')
	if !s.take('0') && !s.digits() {
		return nil, false
	}
	if s.take('.') && !s.digits() {
		return nil, false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return nil, false
		}
	}
	return json.Number(s.b[start:s.at]), true
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}
