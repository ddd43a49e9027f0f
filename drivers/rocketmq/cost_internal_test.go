package rocketmq

import (
	"context"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// A nowhere is a producer of the library whose messages are all confirmed at
// once.
type nowhere struct{}

func (nowhere) Start() error { return nil }

func (nowhere) SendSync(context.Context, ...*primitive.Message) (*primitive.SendResult, error) {
	return &primitive.SendResult{Status: primitive.SendOK}, nil
}

// nowhereConn opens a connection without a broker, with a topic of 4
// partitions.
func nowhereConn(tb testing.TB) *conn {
	tb.Helper()
	c := newConn(options{hosts: []string{"127.0.0.1:1"}, timeout: time.Minute, maxMessage: defaultMaxMessage})
	c.library = &library{sender: nowhere{}}
	r := &route{topic: "t", native: "t", asked: time.Now().Add(time.Hour), masters: map[string]string{"b": "127.0.0.1:1"}}
	for id := range 4 {
		r.queues = append(r.queues, queue{broker: "b", id: id})
	}
	c.routes.by["t"] = r
	tb.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// sendBatch returns when a batch is done.
func sendBatch(tb testing.TB, s oms.Sender, msgs []*oms.Message) {
	tb.Helper()
	done := make(chan error, 1)
	s.SendAsync(tb.Context(), msgs, func(err error) { done <- err })
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
}

func costly(n int, hs oms.Headers) []*oms.Message {
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		msgs[i] = &oms.Message{Topic: "t", ID: "source-1-0-42", Body: make([]byte, 1<<10), Headers: hs}
	}
	return msgs
}

func BenchmarkSend(b *testing.B) {
	s, err := nowhereConn(b).OpenSender(b.Context(), oms.SenderConfig{})
	if err != nil {
		b.Fatal(err)
	}
	msgs := costly(500, nil)
	b.ReportAllocs()
	for b.Loop() {
		sendBatch(b, s, msgs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(msgs)), "ns/record")
}

// A batch costs what its messages' properties take, and little more: the
// buffer of the last one is used again.
func TestSendingAllocatesLittle(t *testing.T) {
	s, err := nowhereConn(t).OpenSender(t.Context(), oms.SenderConfig{})
	s = open(t, s, err)
	for name, test := range map[string]struct {
		headers oms.Headers
		most    float64 // for each message
	}{
		"no headers":   {nil, 2},
		"text headers": {oms.Headers{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}}, 4},
	} {
		msgs := costly(500, test.headers)
		each := math.Inf(1)
		for range 5 { // the least, since what else runs in the process allocates, too
			each = min(each, testing.AllocsPerRun(20, func() { sendBatch(t, s, msgs) })/float64(len(msgs)))
		}
		if each > test.most {
			t.Errorf("%s: %.1f allocations for each message, at most %.0f are meant", name, each, test.most)
		}
	}
}

// The library keeps nothing of a batch, so the next is written into its buffer.
// What is in it meanwhile is the batch alone.
func TestBatchesDoNotShareABuffer(t *testing.T) {
	t.Parallel()
	at := &primitive.MessageQueue{Topic: "t", BrokerName: "b"}
	pack := func(body string) (*primitive.Message, func()) {
		properties, b, err := wrap(&oms.Message{Body: []byte(body), ID: body}, "")
		if err != nil {
			t.Fatal(err)
		}
		return packed(at.Topic, queue{broker: at.BrokerName}, []outgoing{{properties: properties, body: b}, {properties: properties, body: b}})
	}
	first, recycleFirst := pack("first")
	second, recycleSecond := pack("second")
	for body, m := range map[string]*primitive.Message{"first": first, "second": second} {
		keys := make(map[string]bool)
		for _, got := range batched(m.Body) {
			keys[got.property(primitive.PropertyUniqueClientMessageIdKeyIndex)] = true
			if string(got.body) != body {
				t.Errorf("the batch of %s has %q", body, got.body)
			}
		}
		if len(keys) != 2 || !m.Batch || m.Topic != at.Topic || *m.Queue != *at {
			t.Errorf("the batch is %+v with the keys %v", m.Queue, keys)
		}
	}
	recycleFirst()
	recycleSecond()
	if third, recycle := pack("third"); string(batched(third.Body)[0].body) != "third" {
		t.Errorf("a batch in a used buffer has %q", third.Body)
	} else {
		recycle()
	}
}

func TestUniqueKeysAreLikeRocketMQs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	seen := make(map[string]bool)
	for _, at := range []time.Time{now, now.Add(time.Millisecond), time.Date(2026, 1, 31, 23, 59, 59, 999e6, time.UTC)} {
		u := newUniqIDs(at)
		for range 20_000 {
			key := u.next()
			if seen[key] {
				t.Fatalf("%s is there twice", key)
			}
			seen[key] = true
			if len(key) != uniqLength || len(key) != len(primitive.CreateUniqID()) {
				t.Fatalf("%s has %d characters", key, len(key))
			}
		}
	}
	key := newUniqIDs(now).next()
	ms, err := strconv.ParseUint(key[20:28], 16, 32)
	month := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	if got := month.Add(time.Duration(ms) * time.Millisecond); err != nil || !got.Equal(now) {
		t.Errorf("tools read %v out of %s, want %v (%v)", got, key, now, err)
	}
	if key[:12] != primitive.CreateUniqID()[:12] {
		t.Errorf("%s does not begin with the address and the process", key)
	}
}
