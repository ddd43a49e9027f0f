package rocketmq

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// unwrap fills in a message from what the broker stored, whoever sent it. The
// tag of another program's message becomes the header that tagHeader names.
func unwrap(out *oms.Message, properties map[string]string, body []byte, born time.Time, tagHeader string) error {
	out.Body = body
	if out.Body == nil {
		out.Body = []byte{}
	}
	envelope, ours := properties[envelopeProperty]
	if !ours {
		out.Headers, out.BornAt = foreignHeaders(properties, tagHeader), born
		if keys := properties[primitive.PropertyKeys]; keys != "" {
			out.Key = []byte(keys)
		}
		return nil
	}
	for field := range strings.SplitSeq(envelope, ";") {
		name, value, _ := strings.Cut(field, "=")
		var err error
		switch name {
		case fieldKey:
			out.Key, err = decodeBytes(value)
		case fieldBorn:
			out.BornAt, err = decodeTime(value)
		case fieldExpires:
			out.ExpiresAt, err = decodeTime(value)
		case fieldNil:
			out.Body = nil
		case fieldEmpty:
			out.Body = []byte{}
		case fieldHeaders:
			out.Headers, err = decodeHeaders(value, properties)
		case fieldID:
			out.ID, err = url.PathUnescape(value)
		case fieldCorrelation:
			out.CorrelationID, err = url.PathUnescape(value)
		case fieldTraceParent:
			out.TraceParent, err = url.PathUnescape(value)
		case fieldTraceState:
			out.TraceState, err = url.PathUnescape(value)
		}
		if err != nil {
			return fmt.Errorf("%w: the envelope's field %s is damaged", oms.ErrFormat, name)
		}
	}
	return nil
}

// decodeHeaders undoes encodeHeaders.
func decodeHeaders(list string, properties map[string]string) (oms.Headers, error) {
	var hs oms.Headers
	for item := range strings.SplitSeq(list, ",") {
		name, value, inEnvelope := strings.Cut(item, ":")
		name, void := strings.CutSuffix(name, "!")
		name, err := url.PathUnescape(name)
		if err != nil {
			return nil, err
		}
		h := oms.Header{Name: name}
		switch {
		case void:
		case inEnvelope:
			if h.Value, err = decodeBytes(value); err != nil {
				return nil, err
			}
		default:
			text, ok := properties[warded(name)]
			if !ok {
				return nil, fmt.Errorf("the property %s is gone", warded(name))
			}
			h.Value = []byte(text)
		}
		hs = append(hs, h)
	}
	return hs, nil
}

// foreignHeaders are those of a message that was not sent by this driver,
// sorted by name: its properties without what brokers and clients write.
func foreignHeaders(properties map[string]string, tagHeader string) oms.Headers {
	var hs oms.Headers
	for name, value := range properties {
		if bookkeeping[strings.ToUpper(name)] {
			continue
		}
		hs = append(hs, oms.Header{Name: headerOf(name, tagHeader), Value: []byte(value)})
	}
	slices.SortFunc(hs, func(a, b oms.Header) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), bytes.Compare(a.Value, b.Value))
	})
	return hs
}

func decodeBytes(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

func decodeTime(s string) (time.Time, error) {
	ms, err := strconv.ParseInt(s, 10, 64)
	return time.UnixMilli(ms), err
}
