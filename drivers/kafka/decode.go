package kafka

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// A delivery is what was taken of a claim at once.
type delivery struct {
	claim      *claim
	generation int64
	records    []fetched
}

// A decoder makes the messages of what is received at once. They and what they
// consist of come in slabs, as those of an encoder do.
type decoder struct {
	messages []oms.Message
	receipts []receipt
	texts    strings.Builder
}

func newDecoder(n int) *decoder {
	return &decoder{messages: make([]oms.Message, 0, n), receipts: make([]receipt, 0, n)}
}

// deliver appends the messages of a delivery, of whose records nothing is kept.
func (d *decoder) deliver(to []*oms.Message, from delivery) []*oms.Message {
	for _, r := range from.records {
		d.receipts = append(d.receipts, receipt{claim: from.claim, generation: from.generation, offset: r.Offset})
		m := d.decode(r.ConsumerMessage)
		m.Receipt = &d.receipts[len(d.receipts)-1] // boxing a pointer allocates nothing
		to = append(to, m)
	}
	clear(from.records)
	return to
}

// decode returns the message of a record. One without our headers, from a
// program that knows nothing of them, was born when the broker says.
func (d *decoder) decode(r *sarama.ConsumerMessage) *oms.Message {
	d.messages = d.messages[:len(d.messages)+1]
	m := &d.messages[len(d.messages)-1]
	m.Topic, m.Partition, m.Offset = r.Topic, int(r.Partition), r.Offset
	m.Key, m.Body, m.BornAt = r.Key, r.Value, r.Timestamp
	for i, h := range r.Headers {
		switch string(h.Key) {
		case headerID:
			m.ID = d.text(h.Value)
		case headerBorn:
			if at, ok := instant(h.Value); ok {
				m.BornAt = at
			}
		case headerCorrelation:
			m.CorrelationID = d.text(h.Value)
		case headerExpires:
			if at, ok := instant(h.Value); ok {
				m.ExpiresAt = at
			}
		case headerTraceParent:
			m.TraceParent = d.text(h.Value)
		case headerTraceState:
			m.TraceState = d.text(h.Value)
		default:
			if m.Headers == nil {
				m.Headers = make(oms.Headers, 0, len(r.Headers)-i)
			}
			m.Headers = append(m.Headers, oms.Header{Name: d.text(bytes.TrimPrefix(h.Key, nameWard)), Value: h.Value})
		}
	}
	return m
}

// mostText bounds how much text shares one string, in bytes: who keeps a piece
// of it keeps it all.
const mostText = 1024

// text is the string of some bytes, a piece of a larger one.
func (d *decoder) text(b []byte) string {
	if d.texts.Cap()-d.texts.Len() < len(b) {
		left := cap(d.messages) - len(d.messages) + 1 // messages, with this one
		d.texts = strings.Builder{}
		d.texts.Grow(max(len(b), min(mostText, left*len(b))))
	}
	from := d.texts.Len()
	d.texts.Write(b)
	return d.texts.String()[from:]
}

func instant(text []byte) (time.Time, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return time.UnixMilli(n), err == nil
}
