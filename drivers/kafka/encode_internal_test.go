package kafka

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/oms"
)

// someMessages returns messages of many shapes, each with its own texts.
func someMessages(n int) []*oms.Message {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(most int) string { return strings.Repeat("x", random.IntN(most)) }
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		m := &oms.Message{ID: fmt.Sprint("id-", i, text(40)), Body: fmt.Append(nil, i), BornAt: time.UnixMilli(int64(1 + i/10))}
		if random.IntN(3) == 0 {
			m.CorrelationID, m.TraceParent = fmt.Sprint("c-", i), text(3*mostText)
		}
		if random.IntN(3) == 0 {
			m.ExpiresAt = time.UnixMilli(random.Int64N(1 << 40))
		}
		for h := range random.IntN(12) {
			m.Headers = append(m.Headers, oms.Header{Name: fmt.Sprint("oms-", i, "-", h), Value: []byte(text(20))})
		}
		msgs[i] = m
	}
	return msgs
}

func TestWhatSharesSlabsIsNotMixedUp(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, mostInSlab, mostInSlab + 1, 1000} {
		msgs := someMessages(n)
		records := make([]sarama.Record, n)
		e := encoder{left: n}
		for i, m := range msgs {
			e.encode(&records[i], m)
		}
		d := newDecoder(n)
		for i, m := range msgs {
			got := d.decode(received(&records[i]))
			want := m.Clone()
			want.Topic, want.Partition, want.Offset = "t", 2, 7
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
				t.Fatalf("message %d of %d (-want +got):\n%s", i, n, diff)
			}
		}
	}
}

func TestAppendingToAPieceOfASlabLeavesTheNextAlone(t *testing.T) {
	t.Parallel()
	records := make([]sarama.Record, 2)
	e := encoder{left: 2}
	for i := range records {
		e.encode(&records[i], &oms.Message{ID: fmt.Sprint("id-", i), BornAt: time.UnixMilli(5)})
	}
	for _, r := range records[:1] {
		_ = append(r.Headers, nil)
		for _, h := range r.Headers {
			_ = append(h.Value, "overwritten"...)
		}
	}
	if got := decode(received(&records[1])); got.ID != "id-1" || !got.BornAt.Equal(time.UnixMilli(5)) {
		t.Errorf("the second message has the id %q and is born at %v", got.ID, got.BornAt)
	}
}

func TestAMessageByItselfTakesLittleMemory(t *testing.T) {
	t.Parallel()
	e, r := encoder{left: 1}, new(sarama.Record)
	e.encode(r, &oms.Message{ID: "0123456789", BornAt: time.UnixMilli(5)})
	if len(e.headers) > 1 || cap(e.headers) > ownHeaders || cap(e.lists) > ownHeaders || cap(e.text) > 64 {
		t.Errorf("its slabs have room for %d headers, %d pointers and %d bytes", cap(e.headers), cap(e.lists), cap(e.text))
	}
	d := newDecoder(1)
	d.decode(received(r))
	if d.texts.Cap() > 64 {
		t.Errorf("its texts have room for %d bytes", d.texts.Cap())
	}
}

// What many allocations for each message cost is most of what a message costs.
// The bounds leave room for the detector of races.
func TestABatchTakesFewAllocations(t *testing.T) {
	const n, most = 500, 125
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		msgs[i] = &oms.Message{ID: fmt.Sprintf("%026d", i), Body: []byte("b"), BornAt: time.UnixMilli(5)}
	}
	records := make([]sarama.Record, n)
	if got := testing.AllocsPerRun(10, func() {
		e := encoder{left: n}
		for i, m := range msgs {
			e.encode(&records[i], m)
		}
	}); got > most {
		t.Errorf("encoding %d messages takes %v allocations, want at most %d", n, got, most)
	}
	consumed := make([]*sarama.ConsumerMessage, n)
	for i := range records {
		consumed[i] = received(&records[i])
	}
	from := delivery{records: make([]fetched, n)}
	if got := testing.AllocsPerRun(10, func() {
		for i, m := range consumed {
			from.records[i] = fetched{ConsumerMessage: m}
		}
		newDecoder(n).deliver(make([]*oms.Message, 0, n), from)
	}); got > most {
		t.Errorf("decoding %d messages takes %v allocations, want at most %d", n, got, most)
	}
}
