package mem

import (
	"bytes"
	"slices"
	"sort"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A record is a stored message. It is not changed once it is in a log.
type record struct {
	msg    oms.Message // as it is delivered, without what differs per delivery
	size   int
	sentAt time.Time // when the broker took it
	dueAt  time.Time // when it entered, or is to enter, the log
}

// newRecord copies what a real broker would have in its own memory.
func newRecord(m *oms.Message, p int, now time.Time) *record {
	headers := make(oms.Headers, len(m.Headers))
	for i, h := range m.Headers {
		headers[i] = oms.Header{Name: h.Name, Value: bytes.Clone(h.Value)}
	}
	return &record{
		msg: oms.Message{
			ID:            m.ID,
			Topic:         m.Topic,
			Key:           bytes.Clone(m.Key),
			Body:          bytes.Clone(m.Body),
			Headers:       headers,
			BornAt:        millis(m.BornAt),
			CorrelationID: m.CorrelationID,
			TraceParent:   m.TraceParent,
			TraceState:    m.TraceState,
			ExpiresAt:     millis(m.ExpiresAt),
			Partition:     p,
		},
		size:   m.Size(),
		sentAt: now,
		dueAt:  now.Add(max(m.Delay, 0)),
	}
}

func millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli())
}

// A partition is one log, and the messages that wait to enter it. The broker's
// mutex guards it.
type partition struct {
	start   int64     // the offset of the first record that is retained
	records []*record // records[i] is at offset start+i
	delayed []*record // by due time
}

func (p *partition) end() int64 { return p.start + int64(len(p.records)) }

func (p *partition) at(offset int64) *record { return p.records[offset-p.start] }

func (p *partition) add(r *record, now time.Time) {
	p.advance(now)
	if !r.dueAt.After(now) {
		p.records = append(p.records, r)
		return
	}
	i := sort.Search(len(p.delayed), func(i int) bool { return p.delayed[i].dueAt.After(r.dueAt) })
	p.delayed = slices.Insert(p.delayed, i, r)
}

// advance lets in what is due. Everything that looks at a log does that first,
// which spares the broker a goroutine.
func (p *partition) advance(now time.Time) {
	n := sort.Search(len(p.delayed), func(i int) bool { return p.delayed[i].dueAt.After(now) })
	p.records = append(p.records, p.delayed[:n]...)
	p.delayed = slices.Delete(p.delayed, 0, n)
}

// nextDue returns when the next delayed message enters; zero for never.
func (p *partition) nextDue() time.Time {
	if len(p.delayed) == 0 {
		return time.Time{}
	}
	return p.delayed[0].dueAt
}

// offsetAt returns the offset of the first record that entered at or after t.
func (p *partition) offsetAt(t time.Time) int64 {
	i := sort.Search(len(p.records), func(i int) bool { return !p.records[i].dueAt.Before(t) })
	return p.start + int64(i)
}

func (p *partition) offsetOf(s oms.Start) int64 {
	switch s.From {
	case oms.StartLatest:
		return p.end()
	case oms.StartAtTime:
		return p.offsetAt(s.At)
	default:
		return p.start
	}
}

// trim removes the records before an offset.
func (p *partition) trim(before int64) {
	n := min(max(before-p.start, 0), int64(len(p.records)))
	p.records = slices.Clone(p.records[n:])
	p.start += n
}

// lose removes what was sent after a point in time, and returns the offsets
// that are gone. Later records move up, as no offset is without a record.
func (p *partition) lose(after time.Time) []int64 {
	var gone []int64
	var kept []*record
	for i, r := range p.records {
		if r.sentAt.After(after) {
			gone = append(gone, p.start+int64(i))
			continue
		}
		kept = append(kept, r)
	}
	p.records = kept
	p.delayed = slices.DeleteFunc(p.delayed, func(r *record) bool { return r.sentAt.After(after) })
	return gone
}
