package broker

import (
	"encoding/base64"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/omconnect/omconnect/oms"
)

// A feature is something that a record may have and a broker may not carry.
type feature struct {
	capability oms.Capability
	kind       string // as it is logged
	becomes    string // what native makes of it
	used       func(*oms.Message) bool
	native     func(*oms.Message) // takes it away; headers are replaced, never written to
}

// features are all of them. Delays and chosen partitions are not: what was
// received has neither.
var features = []feature{
	{
		oms.MessageKey, "a key", "the key is left out",
		func(m *oms.Message) bool { return m.Key != nil },
		func(m *oms.Message) { m.Key = nil },
	},
	{
		oms.Tombstones, "a nil body", "the body becomes an empty one",
		func(m *oms.Message) bool { return m.Body == nil },
		func(m *oms.Message) { m.Body = []byte{} },
	},
	{
		oms.BinaryHeaders, "binary headers", "their values become base64",
		func(m *oms.Message) bool { return slices.ContainsFunc(m.Headers, isBinary) },
		func(m *oms.Message) {
			m.Headers = eachHeader(m.Headers, isBinary, func(v []byte) []byte { return base64.StdEncoding.AppendEncode(nil, v) })
		},
	},
	{
		oms.NilHeaders, "a nil header", "its value becomes an empty one",
		func(m *oms.Message) bool { return slices.ContainsFunc(m.Headers, isNil) },
		func(m *oms.Message) {
			m.Headers = eachHeader(m.Headers, isNil, func([]byte) []byte { return []byte{} })
		},
	},
	{
		oms.RepeatedHeaders, "repeated headers", "the last one is kept",
		func(m *oms.Message) bool { return len(lastOnes(m.Headers)) < len(m.Headers) },
		func(m *oms.Message) { m.Headers = lastOnes(m.Headers) },
	},
	{
		oms.Expiry, "an expiry", "the expiry is left out",
		func(m *oms.Message) bool { return !m.ExpiresAt.IsZero() },
		func(m *oms.Message) { m.ExpiresAt = time.Time{} },
	},
	{
		oms.Priority, "a priority", "the priority is left out",
		func(m *oms.Message) bool { return m.Priority != 0 },
		func(m *oms.Message) { m.Priority = 0 },
	},
}

func isBinary(h oms.Header) bool { return !utf8.Valid(h.Value) }

func isNil(h oms.Header) bool { return h.Value == nil }

// eachHeader returns headers with other values for some.
func eachHeader(hs oms.Headers, which func(oms.Header) bool, change func([]byte) []byte) oms.Headers {
	out := slices.Clone(hs)
	for i, h := range out {
		if which(h) {
			out[i].Value = change(h.Value)
		}
	}
	return out
}

// lastOnes returns the last header of each name.
func lastOnes(hs oms.Headers) oms.Headers {
	left := make(map[string]int, len(hs))
	for _, h := range hs {
		left[h.Name]++
	}
	if len(left) == len(hs) {
		return hs
	}
	out := make(oms.Headers, 0, len(left))
	for _, h := range hs {
		left[h.Name]--
		if left[h.Name] == 0 {
			out = append(out, h)
		}
	}
	return out
}
