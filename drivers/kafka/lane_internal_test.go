package kafka

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// laneOf returns a lane that has something of these sizes to send.
func laneOf(most int, sizes ...int) *lane {
	l := &lane{sender: &sender{conn: &conn{options: options{maxMessage: most}}}, running: true}
	for _, size := range sizes {
		l.queue = append(l.queue, &parcel{size: size})
	}
	return l
}

func TestABatchIsAsLargeAsTheBrokersTake(t *testing.T) {
	t.Parallel()
	const most = 1000
	room := most + headerRoom - batchRoom // that is left for records
	for what, c := range map[string]struct {
		sizes []int
		want  []int // records in each batch
	}{
		"all at once":      {[]int{10, 20, 30}, []int{3}},
		"to the last byte": {[]int{room - 10, 10, 1}, []int{2, 1}},
		"one too many":     {[]int{room - 10, 11}, []int{1, 1}},
		"one for itself":   {[]int{room, 1, room, room}, []int{1, 1, 1, 1}},
		"nothing":          {nil, nil},
	} {
		l := laneOf(most, c.sizes...)
		for i, want := range c.want {
			if got := len(l.take()); got != want {
				t.Errorf("%s: batch %d has %d records, want %d", what, i, got, want)
			}
		}
		if load := l.take(); load != nil || l.running {
			t.Errorf("%s: there are %d records more, and the lane runs: %v", what, len(load), l.running)
		}
	}
	many := laneOf(most, make([]int, mostRecords+1)...)
	if got := len(many.take()); got != mostRecords {
		t.Errorf("a batch of small records has %d, want %d", got, mostRecords)
	}
}

func TestSequenceNumbersBeginAnewBehindTheLargest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at   int32
		n    int
		want int32
	}{{0, 5, 5}, {math.MaxInt32 - 1, 1, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 2, 10, 7}} {
		l := &lane{sequence: c.at}
		l.advance(c.n)
		if l.sequence != c.want {
			t.Errorf("%d records behind %d is %d, want %d", c.n, c.at, l.sequence, c.want)
		}
	}
}

func TestABatchHasTheNumbersOfItsProducer(t *testing.T) {
	t.Parallel()
	l := laneOf(1000, 1, 1, 1)
	l.producer, l.epoch, l.sequence = 7, 3, 40
	l.sender.conn.options.compression = sarama.CompressionZSTD
	load := l.take()
	for _, p := range load {
		p.record = *encode(&oms.Message{Body: []byte("b"), BornAt: time.Unix(1, 0)})
	}
	before := time.Now().Truncate(time.Millisecond)
	b := l.records(load)
	if b.ProducerID != 7 || b.ProducerEpoch != 3 || b.FirstSequence != 40 || b.LastOffsetDelta != 2 || b.Codec != sarama.CompressionZSTD {
		t.Errorf("the batch is %+v", b)
	}
	if b.FirstTimestamp.Before(before) || b.MaxTimestamp != b.FirstTimestamp {
		t.Errorf("the batch is of %v to %v, want when it is sent, %v", b.FirstTimestamp, b.MaxTimestamp, before)
	}
	for i, r := range b.Records {
		if r.OffsetDelta != int64(i) || r.TimestampDelta != 0 {
			t.Errorf("record %d is %d behind the first, and %v later", i, r.OffsetDelta, r.TimestampDelta)
		}
	}
}

func TestAnUnknownOutcomeMakesTheBrokersRefuseWhatIsLeftOfIt(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	l := laneOf(1000)
	l.sender.ctx = ctx
	l.producer, l.epoch, l.sequence = 7, 3, 40
	if err := l.lost(sarama.ErrRequestTimedOut); !errors.Is(err, oms.ErrUnknown) {
		t.Errorf("lost: %v, want %v", err, oms.ErrUnknown)
	}
	if l.producer != 7 || l.epoch != 4 || l.sequence != 0 {
		t.Errorf("the lane goes on as producer %d, epoch %d, from %d, want 7, 4, 0", l.producer, l.epoch, l.sequence)
	}
	l.epoch = math.MaxInt16 // the last there is
	_ = l.lost(sarama.ErrRequestTimedOut)
	if l.producer != noProducer {
		t.Errorf("the lane goes on as producer %d with epoch %d", l.producer, l.epoch)
	}
	giveUp()
	if err := l.lost(context.Canceled); !errors.Is(err, oms.ErrUnknown) {
		t.Errorf("lost when the sender gives up: %v, want %v", err, oms.ErrUnknown)
	}
	if err := l.refused(context.Canceled, false); !errors.Is(err, oms.ErrAborted) {
		t.Errorf("what was never sent: %v, want %v", err, oms.ErrAborted)
	}
}
