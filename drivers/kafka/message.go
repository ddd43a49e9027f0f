package kafka

import (
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// The headers that carry the parts of a message for which a record has no
// place of its own.
const (
	headerID          = "oms-id"
	headerBorn        = "oms-born"
	headerCorrelation = "oms-correlation-id"
	headerExpires     = "oms-expires"
	headerTraceParent = "traceparent"
	headerTraceState  = "tracestate"
	headerPrefix      = "oms-"   // of all that are ours
	headerWard        = "oms-h-" // before the name of one that looks like ours and is not
)

// warded is the name under which a header travels.
func warded(name string) string {
	if strings.HasPrefix(name, headerPrefix) || name == headerTraceParent || name == headerTraceState {
		return headerWard + name
	}
	return name
}

// encode returns the record of a message.
func encode(m *oms.Message) *sarama.Record {
	r := &sarama.Record{Key: m.Key, Value: m.Body, Headers: make([]*sarama.RecordHeader, 0, len(m.Headers)+4)}
	own := func(name, value string) {
		if value != "" {
			r.Headers = append(r.Headers, &sarama.RecordHeader{Key: []byte(name), Value: []byte(value)})
		}
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, &sarama.RecordHeader{Key: []byte(warded(h.Name)), Value: h.Value})
	}
	own(headerID, m.ID)
	own(headerBorn, milliseconds(m.BornAt))
	own(headerCorrelation, m.CorrelationID)
	own(headerExpires, milliseconds(m.ExpiresAt))
	own(headerTraceParent, m.TraceParent)
	own(headerTraceState, m.TraceState)
	return r
}

// sizeOf is about what a record takes in a batch that is not compressed; it is
// never less.
func sizeOf(r *sarama.Record) int {
	const record, header = 40, 10 // lengths and deltas at their longest
	n := record + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += header + len(h.Key) + len(h.Value)
	}
	return n
}

// decode returns the message of a record. One without our headers, from a
// program that knows nothing of them, was born when the broker says.
func decode(r *sarama.ConsumerMessage) *oms.Message {
	m := &oms.Message{
		Topic: r.Topic, Partition: int(r.Partition), Offset: r.Offset,
		Key: r.Key, Body: r.Value, BornAt: r.Timestamp,
	}
	for _, h := range r.Headers {
		name := string(h.Key)
		switch name {
		case headerID:
			m.ID = string(h.Value)
		case headerBorn:
			if at, ok := instant(h.Value); ok {
				m.BornAt = at
			}
		case headerCorrelation:
			m.CorrelationID = string(h.Value)
		case headerExpires:
			if at, ok := instant(h.Value); ok {
				m.ExpiresAt = at
			}
		case headerTraceParent:
			m.TraceParent = string(h.Value)
		case headerTraceState:
			m.TraceState = string(h.Value)
		default:
			m.Headers = append(m.Headers, oms.Header{Name: strings.TrimPrefix(name, headerWard), Value: h.Value})
		}
	}
	return m
}

func milliseconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func instant(text []byte) (time.Time, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return time.UnixMilli(n), err == nil
}
