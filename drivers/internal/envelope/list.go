package envelope

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// AppendList writes a list of headers behind e: name for one that the broker
// carries, name:value for one that it does not, name! for one without a value.
// Carry is that of [AppendHeaders].
func AppendList(e []byte, hs oms.Headers, carry func(i int) bool) []byte {
	for i, h := range hs {
		if i > 0 {
			e = append(e, ',')
		}
		e = append(e, escapeName(h.Name)...)
		switch {
		case h.Value == nil:
			e = append(e, '!')
		case carry(i):
		default:
			e = base64.RawURLEncoding.AppendEncode(append(e, ':'), h.Value)
		}
	}
	return e
}

// ReadList undoes [AppendList]. Carried is that of [Read]. The error is
// ErrFormat.
func ReadList(list string, carried func(name string) (value []byte, ok bool)) (oms.Headers, error) {
	hs := make(oms.Headers, 0, 1+strings.Count(list, ","))
	for item := range strings.SplitSeq(list, ",") {
		escaped, value, inEnvelope := strings.Cut(item, ":")
		escaped, void := strings.CutSuffix(escaped, "!")
		name, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, damaged("list of headers")
		}
		h := oms.Header{Name: name}
		switch {
		case void:
		case inEnvelope:
			if h.Value, err = readBytes(value); err != nil {
				return nil, damaged("list of headers")
			}
		default:
			var ok bool
			if h.Value, ok = carried(name); !ok {
				return nil, damaged("list of headers")
			}
		}
		hs = append(hs, h)
	}
	return hs, nil
}

func damaged(what string) error {
	return &oms.Error{Code: oms.ErrFormat, Err: fmt.Errorf("the envelope's %s is damaged", what)}
}

// listsOwn are the characters that mean something in a list, or in an envelope.
var listsOwn = strings.NewReplacer(",", "%2C", ";", "%3B", ":", "%3A", "!", "%21", "=", "%3D")

// escapeName encodes a name so that it has none of them.
func escapeName(name string) string { return listsOwn.Replace(url.PathEscape(name)) }
