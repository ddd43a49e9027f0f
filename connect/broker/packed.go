package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// A packed is bytes in JSON: a string where they are text, so that an envelope
// can be read, else an object with their base64; null for nil.
type packed []byte

type base64Bytes struct {
	Base64 *[]byte `json:"base64"`
}

// MarshalJSON writes the bytes.
func (p packed) MarshalJSON() ([]byte, error) {
	switch {
	case p == nil:
		return []byte("null"), nil
	case !utf8.Valid(p) || bytes.ContainsFunc(p, isControl):
		return json.Marshal(base64Bytes{(*[]byte)(&p)})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(p)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// isControl reports whether a character takes more room in JSON than in
// base64.
func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }

// UnmarshalJSON reads the bytes.
func (p *packed) UnmarshalJSON(text []byte) error {
	switch {
	case string(text) == "null":
		*p = nil
		return nil
	case text[0] == '"':
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		*p = append(packed{}, s...)
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var b base64Bytes
	if err := dec.Decode(&b); err != nil {
		return err
	}
	if b.Base64 == nil {
		return errors.New(`bytes are neither a string nor an object with "base64"`)
	}
	*p = append(packed{}, *b.Base64...)
	return nil
}
