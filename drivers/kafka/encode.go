package kafka

import (
	"strconv"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// An encoder makes the records of a batch. What they consist of comes in
// slabs: one by one these are ten small allocations for each record, and
// collecting them costs more than making them.
type encoder struct {
	left    int // records still to come, for which slabs are made
	headers []sarama.RecordHeader
	lists   []*sarama.RecordHeader
	text    []byte
	// Messages of a batch are often born in the same millisecond: they share
	// the header.
	born   *sarama.RecordHeader
	bornAt int64
}

// mostInSlab is for how many records a slab is made at most, so that nothing
// that lives longer keeps much.
const mostInSlab = 128

// ownHeaders is how many headers of ours a record has at most.
const ownHeaders = 6

// encode makes the record of a message.
func (e *encoder) encode(r *sarama.Record, m *oms.Message) {
	e.lists = room(e.lists, len(m.Headers)+ownHeaders, e.left)
	from := len(e.lists)
	for _, h := range m.Headers {
		e.lists = append(e.lists, e.header(e.bytes(warded(h.Name)), h.Value))
	}
	e.own(nameID, m.ID)
	if !m.BornAt.IsZero() {
		if at := m.BornAt.UnixMilli(); e.born == nil || at != e.bornAt {
			e.born, e.bornAt = e.header(nameBorn, e.number(at)), at
		}
		e.lists = append(e.lists, e.born)
	}
	e.own(nameCorrelation, m.CorrelationID)
	if !m.ExpiresAt.IsZero() {
		e.lists = append(e.lists, e.header(nameExpires, e.number(m.ExpiresAt.UnixMilli())))
	}
	e.own(nameTraceParent, m.TraceParent)
	e.own(nameTraceState, m.TraceState)
	r.Key, r.Value, r.Headers = m.Key, m.Body, e.lists[from:len(e.lists):len(e.lists)]
	e.left = max(e.left-1, 1)
}

// own adds a header of ours, unless it is empty.
func (e *encoder) own(name []byte, value string) {
	if value != "" {
		e.lists = append(e.lists, e.header(name, e.bytes(value)))
	}
}

func (e *encoder) header(name, value []byte) *sarama.RecordHeader {
	e.headers = append(room(e.headers, 1, e.left), sarama.RecordHeader{Key: name, Value: value})
	return &e.headers[len(e.headers)-1]
}

func (e *encoder) bytes(text string) []byte {
	e.text = room(e.text, len(text), e.left)
	from := len(e.text)
	e.text = append(e.text, text...)
	return e.text[from:len(e.text):len(e.text)]
}

func (e *encoder) number(n int64) []byte {
	const longest = 20
	e.text = room(e.text, longest, e.left)
	from := len(e.text)
	e.text = strconv.AppendInt(e.text, n, 10)
	return e.text[from:len(e.text):len(e.text)]
}

// room returns a slab that n more fit into: this one, or a new one that is
// made for as many records as are left. A slab never moves, since what is in
// it is pointed at.
func room[T any](slab []T, n, left int) []T {
	if cap(slab)-len(slab) >= n {
		return slab
	}
	return make([]T, 0, n*min(left, mostInSlab))
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
