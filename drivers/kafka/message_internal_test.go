package kafka

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/oms"
)

// encode returns the record of a message that is a batch by itself.
func encode(m *oms.Message) *sarama.Record {
	e, r := encoder{left: 1}, new(sarama.Record)
	e.encode(r, m)
	return r
}

// decode returns the message of a record that is received by itself.
func decode(r *sarama.ConsumerMessage) *oms.Message { return newDecoder(1).decode(r) }

func received(r *sarama.Record) *sarama.ConsumerMessage {
	return &sarama.ConsumerMessage{Topic: "t", Partition: 2, Offset: 7, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: time.UnixMilli(99)}
}

func TestAMessageComesBackFromItsRecord(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*oms.Message{
		"plain":     {Body: []byte("b")},
		"tombstone": {Key: []byte("k")},
		"empty":     {Key: []byte{}, Body: []byte{}},
		"everything": {
			ID: "id", Key: []byte{0, 255}, Body: []byte{0}, BornAt: time.UnixMilli(5), CorrelationID: "c", TraceParent: "p", TraceState: "s",
			ExpiresAt: time.UnixMilli(6), Headers: oms.Headers{{Name: "a", Value: []byte{0, 1}}, {Name: "a"}, {Name: "a", Value: []byte{}}},
		},
		"headers that look like ours": {Headers: oms.Headers{
			{Name: "oms-id", Value: []byte("x")},
			{Name: "oms-h-a", Value: []byte("y")},
			{Name: "oms-", Value: nil},
			{Name: "traceparent", Value: []byte("z")},
			{Name: "tracestate", Value: []byte("z")},
			{Name: "OMS-ID", Value: []byte("upper")},
		}},
	} {
		want := m.Clone()
		want.Topic, want.Partition, want.Offset = "t", 2, 7
		if want.BornAt.IsZero() {
			want.BornAt = time.UnixMilli(99) // the record's
		}
		got := decode(received(encode(m)))
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestForeignTimesThatAreNoNumbersAreLeftOut(t *testing.T) {
	t.Parallel()
	r := &sarama.Record{Headers: []*sarama.RecordHeader{{Key: []byte(headerBorn), Value: []byte("soon")}, {Key: []byte(headerExpires), Value: nil}}}
	m := decode(received(r))
	if !m.BornAt.Equal(time.UnixMilli(99)) || !m.ExpiresAt.IsZero() {
		t.Errorf("born at %v, expires at %v; want the record's time and never", m.BornAt, m.ExpiresAt)
	}
}
