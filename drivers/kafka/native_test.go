package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// The tests in this file hold the table of the package comment to a client
// that is none of ours and not of the library that the driver uses, on a real
// broker.

// stranger returns that client.
func (b *broker) stranger(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.AddrOf(servers.Plain))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// read returns the records of a topic, as the stranger gets them.
func (b *broker) read(t *testing.T, topic string, n int) []*kgo.Record {
	t.Helper()
	c := b.stranger(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%d of %d records came: %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// all receives n messages of a topic.
func (b *broker) all(t *testing.T, topic string, n int) []*oms.Message {
	t.Helper()
	msgs, _ := get(t, receiver(t, openAt(t, b.point("")), oms.ReceiverConfig{Group: "all." + topic, Topics: []string{topic}}), n)
	return msgs
}

func header(name string, value []byte) kgo.RecordHeader {
	return kgo.RecordHeader{Key: name, Value: value}
}

// pairs are records of a stranger and the messages that they are. What is not
// said in a message is zero, but for the time.
var pairs = map[string]struct {
	record  kgo.Record
	message oms.Message
}{
	"a key and a value":      {kgo.Record{Key: []byte("k"), Value: []byte("v")}, oms.Message{Key: []byte("k"), Body: []byte("v")}},
	"bytes that are no text": {kgo.Record{Key: []byte{0xff, 0}, Value: []byte{0xfe, 0, '\n'}}, oms.Message{Key: []byte{0xff, 0}, Body: []byte{0xfe, 0, '\n'}}},
	"a tombstone":            {kgo.Record{Key: []byte("k")}, oms.Message{Key: []byte("k")}},
	"nothing but emptiness":  {kgo.Record{Key: []byte{}, Value: []byte{}}, oms.Message{Key: []byte{}, Body: []byte{}}},
	"no key":                 {kgo.Record{Value: []byte("v")}, oms.Message{Body: []byte("v")}},
	"headers of every kind": {
		kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{
			header("text", []byte("one")), header("binary", []byte{0xff, 0, 1}), header("text", []byte("two")),
			header("null", nil), header("empty", []byte{}), header("", []byte("no name")),
		}},
		oms.Message{Body: []byte("v"), Headers: oms.Headers{
			{Name: "text", Value: []byte("one")},
			{Name: "binary", Value: []byte{0xff, 0, 1}},
			{Name: "text", Value: []byte("two")},
			{Name: "null"},
			{Name: "empty", Value: []byte{}},
			{Name: "", Value: []byte("no name")},
		}},
	},
	"our own headers": {
		kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{
			header("oms-id", []byte("id 1")), header("oms-correlation-id", []byte("c")), header("oms-expires", []byte("4102444800000")),
			header("traceparent", []byte("tp")), header("tracestate", []byte("ts")), header("oms-born", []byte("1000")),
		}},
		oms.Message{
			Body: []byte("v"), ID: "id 1", CorrelationID: "c", TraceParent: "tp", TraceState: "ts",
			ExpiresAt: time.UnixMilli(4102444800000), BornAt: time.UnixMilli(1000),
		},
	},
	"names that look like ours": {
		kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{header("oms-h-oms-id", []byte("x")), header("oms-h-traceparent", []byte("y"))}},
		oms.Message{Body: []byte("v"), Headers: oms.Headers{{Name: "oms-id", Value: []byte("x")}, {Name: "traceparent", Value: []byte("y")}}},
	},
}

// onlyContents leaves out of a message what is not of its sender's making.
var onlyContents = cmp.Options{
	cmpopts.IgnoreFields(oms.Message{}, "Topic", "Partition", "Offset", "Receipt", "ToPartition"),
	cmpopts.IgnoreUnexported(oms.Message{}),
}

func TestRecordsOfOthersAreTheMessagesOfTheTable(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	born := time.UnixMilli(1_700_000_000_123)
	for what, pair := range pairs {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			topic := b.topic(t, 1)
			record, want := pair.record, pair.message
			record.Topic, record.Timestamp = topic, born
			if err := b.stranger(t).ProduceSync(t.Context(), &record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if want.BornAt.IsZero() {
				want.BornAt = born
			}
			if diff := cmp.Diff(&want, b.all(t, topic, 1)[0], onlyContents); diff != "" {
				t.Errorf("the message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMessagesAreTheRecordsOfTheTable(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	for what, pair := range pairs {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			topic := b.topic(t, 1)
			m, want := pair.message, pair.record
			m.Topic = topic
			before := time.Now().Truncate(time.Millisecond)
			if err := outcome(t, sender(t, openAt(t, b.point(""))), &m); err != nil {
				t.Fatal(err)
			}
			got := b.read(t, topic, 1)[0]
			if got.Timestamp.Before(before) || got.Timestamp.After(time.Now()) {
				t.Errorf("the record's timestamp is %v, want when it was sent, after %v", got.Timestamp, before)
			}
			sorted := cmpopts.SortSlices(func(a, b kgo.RecordHeader) bool { return a.Key < b.Key && m.ID != "" })
			for _, field := range []struct {
				name      string
				want, got any
			}{{"key", want.Key, got.Key}, {"value", want.Value, got.Value}, {"headers", want.Headers, got.Headers}} {
				if diff := cmp.Diff(field.want, field.got, sorted, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("the record's %s (-want +got):\n%s", field.name, diff)
				}
			}
			if (got.Key == nil) != (want.Key == nil) || (got.Value == nil) != (want.Value == nil) {
				t.Errorf("null and empty are confused: %q, %q, want %q, %q", got.Key, got.Value, want.Key, want.Value)
			}
		})
	}
}

func TestKeysLandWhereOthersPutThem(t *testing.T) {
	t.Parallel()
	const partitions, n = 7, 300
	b := realBroker(t)
	topic := b.topic(t, partitions)
	theirs, ours := b.stranger(t), sender(t, openAt(t, b.point("")))
	var msgs []*oms.Message
	for i := range n {
		key := fmt.Appendf(nil, "%*d", i%20, i) // of every length
		if err := theirs.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: key}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, &oms.Message{Topic: topic, Key: key})
	}
	if err := outcome(t, ours, msgs...); err != nil {
		t.Fatal(err)
	}
	where := make(map[string]int32)
	for _, r := range b.read(t, topic, 2*n) {
		if at, ok := where[string(r.Key)]; ok && at != r.Partition {
			t.Errorf("key %q stands in the partitions %d and %d", r.Key, at, r.Partition)
		}
		where[string(r.Key)] = r.Partition
	}
}

func TestCompressedBatchesAreRead(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	for name, codec := range map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 200
			topic := b.topic(t, 1)
			theirs := b.stranger(t, kgo.ProducerBatchCompression(codec))
			var records []*kgo.Record
			var msgs []*oms.Message
			for i := range n {
				body := fmt.Appendf(nil, "the body of message %d", i)
				records = append(records, &kgo.Record{Topic: topic, Value: body})
				msgs = append(msgs, &oms.Message{Topic: topic, Body: body})
			}
			if err := theirs.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := outcome(t, sender(t, openAt(t, b.point("&compression.type="+name))), msgs...); err != nil {
				t.Fatal(err)
			}
			for i, m := range b.all(t, topic, 2*n) {
				if string(m.Body) != string(msgs[i%n].Body) {
					t.Fatalf("message %d is %q, want %q", i, m.Body, msgs[i%n].Body)
				}
			}
			for i, r := range b.read(t, topic, 2*n) {
				if string(r.Value) != string(msgs[i%n].Body) {
					t.Fatalf("record %d is %q, want %q", i, r.Value, msgs[i%n].Body)
				}
			}
		})
	}
}

func TestOnlyWhatATransactionCommittedIsDelivered(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	topic := b.topic(t, 1)
	conn := openAt(t, b.point(""))
	theirs := b.stranger(t, kgo.TransactionalID("transactions."+topic))
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := theirs.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}
		if err := errors.Join(theirs.ProduceSync(t.Context(), r).FirstErr(), theirs.EndTransaction(t.Context(), end)); err != nil {
			t.Fatal(err)
		}
	}
	r := receiver(t, conn, oms.ReceiverConfig{
		Group: "g." + topic, Topics: []string{topic},
		OnGap: func(g oms.Gap) { t.Errorf("told of the gap %v, which is none", g) },
	})
	msgs, got := get(t, r, 2)
	if !cmp.Equal(got, []string{"0", "2"}) {
		t.Errorf("received %q, want 0 and 2", got)
	}
	if err := errors.Join(r.Ack(t.Context(), msgs), r.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	// An open one holds back what is behind it, and is no lag.
	if err := theirs.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := theirs.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	send(t, conn, topic, "behind")
	end, err := conn.(oms.OffsetFinder).Offsets(t.Context(), []string{topic}, oms.Start{From: oms.StartLatest})
	if err != nil {
		t.Fatal(err)
	}
	if at := end[oms.Partition{Topic: topic}]; at != 8 { // 4 records and 4 marks
		t.Errorf("the end is %d while a transaction is open, want 8", at)
	}
	if err := theirs.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if _, got := get(t, r, 2); !cmp.Equal(got, []string{"open", "behind"}) {
		t.Errorf("received %q, want open and behind", got)
	}
}
