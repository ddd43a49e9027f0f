package broker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// A clerk notes what is acknowledged.
type clerk struct {
	acked   []int64
	flushed int
	ack     error
	flush   error
}

func (c *clerk) Ack(_ context.Context, msgs ...*oms.Message) error {
	for _, m := range msgs {
		c.acked = append(c.acked, m.Offset)
	}
	return c.ack
}

func (c *clerk) Flush(context.Context) error {
	c.flushed++
	return c.flush
}

// take notes messages of a partition, and returns their origins.
func take(in *intake, partition int, offsets ...int64) (origins []oms.Origin) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, o := range offsets {
		origins = append(origins, *in.note(&oms.Message{Topic: "t", Partition: partition, Offset: o, Body: []byte("body")}))
	}
	return origins
}

func wantAcked(t *testing.T, c *clerk, want ...int64) {
	t.Helper()
	if d := cmp.Diff(want, c.acked); d != "" {
		t.Errorf("acknowledged (-want +got):\n%s", d)
	}
	c.acked = nil
}

func TestWhatIsBeforeAPositionIsAcknowledgedAndNoMore(t *testing.T) {
	in, c := newIntake(true, 0), new(clerk)
	zero, one := take(in, 0, 5, 6, 9), take(in, 1, 5, 6)
	for _, step := range []struct {
		positions []oms.Origin
		want      []int64
	}{
		{[]oms.Origin{zero[1]}, []int64{5, 6}},
		{[]oms.Origin{zero[1]}, nil}, // again
		{[]oms.Origin{{Partition: `{"partition":7,"topic":"t"}`, Position: `{"offset":10}`}}, nil},
		{[]oms.Origin{{Partition: zero[0].Partition, Position: `{"offset":99}`}}, nil},
		{[]oms.Origin{one[0], zero[2]}, []int64{5, 9}},
	} {
		if err := in.acknowledge(t.Context(), step.positions, c); err != nil {
			t.Fatal(err)
		}
		wantAcked(t, c, step.want...)
	}
	if c.flushed != 2 {
		t.Errorf("flushed %d times, want once for each that acknowledged something", c.flushed)
	}
}

func TestWhatCannotBeAcknowledgedNowIsKeptForLater(t *testing.T) {
	in, c := newIntake(true, 0), &clerk{ack: oms.ErrUnavailable}
	at := take(in, 0, 1, 2)
	if err := in.acknowledge(t.Context(), at[:1], c); oms.CodeOf(err) != oms.ErrUnavailable {
		t.Errorf("acknowledge: %v", err)
	}
	c.acked, c.ack = nil, oms.ErrStaleDelivery // of another generation: it comes again, there
	if err := in.acknowledge(t.Context(), at[1:], c); err != nil {
		t.Errorf("acknowledge of an earlier generation: %v, want nil", err)
	}
	wantAcked(t, c, 1, 2)
	if err := in.acknowledge(t.Context(), at[1:], c); err != nil {
		t.Error(err)
	}
	wantAcked(t, c)
}

// A partition that went away and came back has records of two times. What is
// confirmed of the first does not lose one of the second.
func TestWhatWasRevokedIsNotAcknowledged(t *testing.T) {
	in, c := newIntake(true, 0), new(clerk)
	at := take(in, 0, 1, 2, 3)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	in.revoked(gone, []oms.Partition{{Topic: "t"}})
	if err := in.acknowledge(t.Context(), at[2:], c); err != nil {
		t.Error(err)
	}
	wantAcked(t, c)
	take(in, 0, 1, 2)
	if err := in.acknowledge(t.Context(), at[2:], c); err != nil {
		t.Error(err)
	}
	wantAcked(t, c)
	if err := in.acknowledge(t.Context(), at[:1], c); err != nil {
		t.Error(err)
	}
	wantAcked(t, c, 1)
}

func TestARevokedPartitionWaitsForItsRecordsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, c := newIntake(true, 5*time.Second), new(clerk)
		mine, other := take(in, 0, 1, 2), take(in, 1, 1)
		var took time.Duration
		began := time.Now()
		done := make(chan struct{})
		go func() {
			in.revoked(t.Context(), []oms.Partition{{Topic: "t"}, {Topic: "t", Number: 9}})
			took = time.Since(began)
			close(done)
		}()
		for _, o := range [][]oms.Origin{other, mine[:1], mine[1:]} {
			time.Sleep(time.Second)
			if err := in.acknowledge(t.Context(), o, c); err != nil {
				t.Error(err)
			}
		}
		<-done
		if took != 3*time.Second {
			t.Errorf("it waited %v, want the 3s until its last record was acknowledged", took)
		}
		take(in, 0, 3)
		in.revoked(t.Context(), []oms.Partition{{Topic: "t"}})
		if waited := time.Since(began) - took; waited != handoverWait+5*time.Second {
			t.Errorf("for a record that nothing acknowledges it waited %v", waited)
		}
	})
}

func TestRecordsWithoutOffsetsHavePlacesOfTheirOwn(t *testing.T) {
	first, second := newIntake(false, 0), newIntake(false, 0)
	seen := make(map[oms.Origin]bool)
	for _, in := range []*intake{first, second} { // the second after a restart
		for _, o := range take(in, 0, 0, 0, 0) {
			if seen[o] {
				t.Errorf("%v stands for two records", o)
			}
			seen[o] = true
		}
	}
}

func TestNothingOfARecordIsKeptButItsReceipt(t *testing.T) {
	in := newIntake(true, 0)
	in.mu.Lock()
	defer in.mu.Unlock()
	m := &oms.Message{Topic: "t", Key: []byte("k"), Body: []byte("b"), Headers: oms.Headers{}.With("h", "v"), Receipt: 7}
	in.note(m)
	kept := in.waiting[m.At()].records[0].msg
	if kept.Key != nil || kept.Body != nil || kept.Headers != nil || kept.Receipt != 7 {
		t.Errorf("%+v is kept", kept)
	}
	if m.Key == nil || m.Body == nil || m.Headers == nil {
		t.Error("the message itself was changed")
	}
}
