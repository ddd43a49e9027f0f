package mem_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/oms"
)

func TestAMessageKeepsEverythingThatTravels(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		born := time.Now().Add(123456 * time.Nanosecond)
		sent := &oms.Message{
			ID: "id", Topic: "t", Key: []byte{0, 255}, Body: []byte{254, 0},
			Headers: oms.Headers{
				{Name: "h", Value: []byte{1}}, {Name: "h", Value: []byte{}}, {Name: "H", Value: nil},
			},
			BornAt: born, CorrelationID: "c", TraceParent: "tp", TraceState: "ts",
			ExpiresAt: born.Add(time.Hour), Origin: &oms.Origin{Partition: "{}"},
		}
		b.send(sent)
		m := b.receive(b.reader("t", "g"))[0]
		if m.ID != "id" || m.Topic != "t" || string(m.Key) != "\x00\xff" || string(m.Body) != "\xfe\x00" ||
			m.CorrelationID != "c" || m.TraceParent != "tp" || m.TraceState != "ts" {
			b.Errorf("received %+v", m)
		}
		if !m.BornAt.Equal(born.Truncate(time.Millisecond)) || !m.ExpiresAt.Equal(born.Add(time.Hour).Truncate(time.Millisecond)) {
			b.Errorf("born %v, expires %v; want %v and an hour later, in milliseconds", m.BornAt, m.ExpiresAt, born)
		}
		if m.Origin != nil || m.Delay != 0 || m.ToPartition != nil {
			b.Errorf("what belongs to the sender came along: %+v", m)
		}
		if len(m.Headers) != 3 || m.Headers[1].Value == nil || m.Headers[2].Value != nil || m.Headers[2].Name != "H" {
			b.Errorf("headers are %#v", m.Headers)
		}
	})
}

func TestNilAndEmptyDiffer(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(&oms.Message{Topic: "t"}, &oms.Message{Topic: "t", Key: []byte{}, Body: []byte{}})
		msgs := b.receive(b.reader("t", "g"))
		if m := msgs[0]; m.Key != nil || m.Body != nil || !m.BornAt.IsZero() {
			b.Errorf("nothing became %#v", m)
		}
		if m := msgs[1]; m.Key == nil || m.Body == nil {
			b.Errorf("empty became nil: %#v", m)
		}
	})
}

func TestTheBrokerHasTheBytesAsTheyWereAtTheCall(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		m := keyed("t", "key", "body")
		m.Headers = oms.Headers{{Name: "h", Value: []byte("value")}}
		b.send(m)
		m.Key[0], m.Body[0], m.Headers[0].Value[0] = 'X', 'X', 'X'
		got := b.receive(b.reader("t", "g"))[0]
		if string(got.Key) != "key" || string(got.Body) != "body" || got.Headers.Text("h") != "value" {
			b.Errorf("received %s, %s, %v", got.Key, got.Body, got.Headers)
		}
	})
}

func TestAKeyHasThePartitionThatKafkaGivesIt(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 5)
		for i := range 50 {
			b.send(keyed("t", fmt.Sprint("key-", i%10), fmt.Sprint(i)))
		}
		last := make(map[string]int64)
		for _, m := range b.receive(b.reader("t", "g")) {
			if want := murmur2.Partition(m.Key, 5); m.Partition != want {
				b.Errorf("key %s is in partition %d, want %d", m.Key, m.Partition, want)
			}
			if before, ok := last[string(m.Key)]; ok && m.Offset <= before {
				b.Errorf("key %s: offset %d came after %d", m.Key, m.Offset, before)
			}
			last[string(m.Key)] = m.Offset
		}
	})
}

func TestMessagesWithoutAKeyTakeTurns(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 3)
		b.send(numbered("t", 9)...)
		counts := make(map[int]int)
		for _, m := range b.receive(b.reader("t", "g")) {
			counts[m.Partition]++
		}
		if want := map[int]int{0: 3, 1: 3, 2: 3}; !maps.Equal(counts, want) {
			b.Errorf("partitions have %v messages, want %v", counts, want)
		}
	})
}

func TestAnExplicitPartitionWins(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 4)
		for p := range 4 {
			b.send(in(p, keyed("t", "same", fmt.Sprint(p))))
		}
		for _, m := range b.receive(b.reader("t", "g")) {
			if string(m.Body) != fmt.Sprint(m.Partition) {
				b.Errorf("message for %s is in %d", m.Body, m.Partition)
			}
		}
		s := b.sender(oms.SenderConfig{})
		b.wantError(outcome(s, in(4, text("t", "x"))), oms.ErrInvalid)
		b.wantError(outcome(s, in(-1, text("t", "x"))), oms.ErrInvalid)
	})
}

func TestABatchErrorNamesWhatFailed(t *testing.T) {
	bubble(t, mem.Options{MaxBody: 4}, func(b *bench) {
		b.topic("t", 2)
		s := b.sender(oms.SenderConfig{})
		err := outcome(s,
			in(0, text("t", "0")), in(1, text("t", "large")), in(0, text("t", "2")), in(1, text("t", "3")))
		batch, ok := errors.AsType[*oms.BatchError](err)
		if !ok || !slices.Equal(batch.Indices(), []int{1, 3}) {
			b.Fatalf("error is %v, want one that names 1 and 3", err)
		}
		b.wantError(batch.Failed[1], oms.ErrTooLarge)
		b.wantError(batch.Failed[3], oms.ErrAborted)
		b.told()
		b.noError(outcome(s, in(1, text("t", "4444"))))
		b.wantBodies(b.receive(b.reader("t", "g")), "0", "2", "4444")
	})
}

func TestAnEmptyBatchIsConfirmed(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.noError(outcome(b.sender(oms.SenderConfig{})))
	})
}

func TestAMissingTopicIsNotFound(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		s := b.sender(oms.SenderConfig{})
		b.wantError(outcome(s, text("t", "x")), oms.ErrNotFound)
		b.topic("t", 1)
		b.told()
		b.noError(outcome(s, text("t", "y")))
	})
}

func TestReservedAndMalformedTopicsAreInvalid(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		s := b.sender(oms.SenderConfig{})
		for _, name := range []string{"", "$SYS", "__offsets", "a\x00b", "a\nb", "\xff", strings.Repeat("x", 250)} {
			b.wantError(outcome(s, text(name, "x")), oms.ErrInvalid)
			b.wantError(b.admin().CreateTopic(b.Context(), oms.TopicSpec{Name: name}), oms.ErrInvalid)
			_, err := b.conn.OpenReceiver(b.Context(), oms.ReceiverConfig{Topics: []string{name}, Group: "g"})
			b.wantError(err, oms.ErrInvalid)
		}
		for _, name := range []string{"a.b", "a$", "_x", "größe", strings.Repeat("x", 249)} {
			b.topic(name, 1)
			b.noError(outcome(s, text(name, "x")))
		}
	})
}

func TestNothingIsConfirmedBeforeItsTime(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second}, func(b *bench) {
		b.topic("t", 1)
		s, begun := b.sender(oms.SenderConfig{}), time.Now()
		for i := range 3 { // a pipeline: each waits for itself only
			b.noError(func() error {
				first, second := start(s, text("t", "x")), start(s, text("t", "y"))
				return errors.Join(<-first, <-second)
			}())
			if took := time.Since(begun); took != time.Duration(i+1)*time.Second {
				b.Errorf("round %d was confirmed after %v", i, took)
			}
		}
	})
}

func TestManySendersLoseNothing(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Millisecond}, func(b *bench) {
		const senders, each = 20, 50
		b.topic("t", 3)
		s := b.sender(oms.SenderConfig{MaxInFlight: 7})
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for j := range each {
					if err := outcome(s, keyed("t", fmt.Sprint(i), fmt.Sprint(j))); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		r := b.reader("t", "g")
		next := make(map[string]int)
		for range senders * each {
			msgs, err := r.Receive(b.Context(), 1)
			b.noError(err)
			if m := msgs[0]; string(m.Body) != fmt.Sprint(next[string(m.Key)]) {
				b.Fatalf("key %s: got %s, want %d", m.Key, m.Body, next[string(m.Key)])
			}
			next[string(msgs[0].Key)]++
			b.noError(r.Ack(b.Context(), msgs))
		}
	})
}

func TestAContextBoundsAdmissionOnly(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Minute}, func(b *bench) {
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{MaxInFlight: 1})
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		admitted, refused := make(chan error, 1), make(chan error, 1)
		s.SendAsync(ctx, numbered("t", 1), func(err error) { admitted <- err })
		s.SendAsync(ctx, numbered("t", 1), func(err error) { refused <- err })
		synctest.Wait()
		err := <-refused
		b.wantError(err, oms.ErrAborted)
		if !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("error %v does not say that the context was done", err)
		}
		b.noError(<-admitted)
		s.SendAsync(ctx, numbered("t", 1), func(err error) { refused <- err })
		b.wantError(<-refused, oms.ErrAborted)
		b.wantLag("g", "t", 1)
	})
}

func TestSendersWaitForRoomInTheOrderOfTheirCalls(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second}, func(b *bench) {
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{MaxInFlight: 1})
		start(s, text("t", "first"))
		go start(s, numbered("t", 1)...)
		synctest.Wait() // it is next
		ctx, cancel := context.WithTimeout(b.Context(), time.Millisecond)
		defer cancel()
		refused := make(chan error, 1)
		s.SendAsync(ctx, []*oms.Message{text("t", "impatient")}, func(err error) { refused <- err })
		b.wantError(<-refused, oms.ErrAborted)
		go start(s, numbered("t", 2)[1:]...)
		time.Sleep(time.Minute)
		b.wantBodies(b.receive(b.reader("t", "g")), "first", "0", "1")
	})
}

func TestAFullWindowBlocks(t *testing.T) {
	for name, cfg := range map[string]oms.SenderConfig{
		"records": {MaxInFlight: 2},
		"bytes":   {MaxInFlightBytes: 2 * text("t", "x").Size()},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, mem.Options{ConfirmAfter: time.Second}, func(b *bench) {
				b.topic("t", 1)
				s, begun := b.sender(cfg), time.Now()
				var last <-chan error
				for range 6 {
					last = start(s, text("t", "x"))
				}
				if took := time.Since(begun); took != 2*time.Second {
					b.Errorf("six messages through a window of two took %v to be admitted, want 2s", took)
				}
				b.noError(<-last)
			})
		})
	}
}

func TestABatchLargerThanTheWindowGetsItForItself(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second}, func(b *bench) {
		b.topic("t", 1)
		s, begun := b.sender(oms.SenderConfig{MaxInFlight: 2, MaxInFlightBytes: 1}), time.Now()
		first, second := start(s, text("t", "x")), start(s, numbered("t", 5)...)
		b.noError(<-first)
		b.noError(<-second)
		if took := time.Since(begun); took != 2*time.Second {
			b.Errorf("took %v, want one second after the other", took)
		}
	})
}
