package rocketmq

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

// unwrap fills in a message from what the broker stored, whoever sent it. The
// tag of another program's message becomes the header that tagHeader names.
func unwrap(out *oms.Message, properties map[string]string, body []byte, born time.Time, tagHeader string) error {
	out.Body = body
	if out.Body == nil {
		out.Body = []byte{}
	}
	sealed, ours := properties[envelopeProperty]
	if !ours {
		out.Headers, out.BornAt = foreignHeaders(properties, tagHeader), born
		if keys := properties[primitive.PropertyKeys]; keys != "" {
			out.Key = []byte(keys)
		}
		return nil
	}
	return envelope.Read(out, sealed, func(name string) ([]byte, bool) {
		text, ok := properties[warded(name)]
		return []byte(text), ok
	})
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
