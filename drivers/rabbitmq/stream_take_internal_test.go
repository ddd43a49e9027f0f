package rabbitmq

import (
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// shelved gives a receiver another partition with messages of some size.
func shelved(r *streamReceiver, number, n, size int) *shelf {
	sh := &shelf{part: oms.Partition{Topic: "t", Number: number}, feed: &feed{prefetch: n, closed: true}}
	r.shelves[sh.part] = sh
	r.turns = append(r.turns, sh.part)
	for offset := range n {
		sh.add(&item{msg: &oms.Message{}, offset: int64(offset), size: size, feed: sh.feed})
	}
	return sh
}

// taken hands out at most limit messages, and returns how many each partition
// has given in all.
func taken(t *testing.T, r *streamReceiver, limit int) (msgs []*oms.Message, out [2]int) {
	t.Helper()
	msgs, err := r.take(limit)
	if err != nil {
		t.Error(err)
	}
	for number := range out {
		out[number] = r.shelves[oms.Partition{Topic: "t", Number: number}].out
	}
	return msgs, out
}

func TestStreamsTakeTurns(t *testing.T) {
	t.Parallel()
	r, _ := reader(t, 1<<20, 1)
	shelved(r, 0, 10, 100)
	shelved(r, 1, 10, 100)
	for _, want := range [][2]int{{3, 0}, {3, 3}, {6, 3}, {6, 6}} {
		_, out := taken(t, r, 3)
		same(t, "what is out of each", out, want)
	}
	_, out := taken(t, r, 100)
	same(t, "what is out in the end", out, [2]int{10, 10})
}

// The bounds are those of all partitions together.
func TestNoMoreOfStreamsIsHandedOutThanTheBoundsAllow(t *testing.T) {
	t.Parallel()
	r, _ := reader(t, 1000, 1)
	shelved(r, 0, 10, 300)
	shelved(r, 1, 10, 300)
	msgs, out := taken(t, r, 100)
	same(t, "what is out within 1000 bytes", out, [2]int{3, 0})
	_, out = taken(t, r, 100)
	same(t, "over them", out, [2]int{3, 0})
	if err := r.Ack(t.Context(), msgs[:1]); err != nil {
		t.Error(err)
	}
	_, out = taken(t, r, 100)
	same(t, "when one is settled", out[0]+out[1], 3)

	r, _ = reader(t, 100, 1)
	shelved(r, 0, 10, 300)
	shelved(r, 1, 10, 300)
	_, out = taken(t, r, 100)
	same(t, "one, however large", out, [2]int{1, 0})

	r, _ = reader(t, 1<<20, 1)
	r.cfg.MaxUnacked = 12
	shelved(r, 0, 10, 1)
	shelved(r, 1, 10, 1)
	_, out = taken(t, r, 100)
	same(t, "up to the bound in messages", out, [2]int{10, 2})
}

// Other members' partitions may become one's own at any time.
func TestAStreamsPrefetchIsAShare(t *testing.T) {
	t.Parallel()
	r, _ := reader(t, 32<<20, 1)
	tn := &tenure{receiver: r, topics: map[string]*streamTopic{}}
	same(t, "without topics", tn.prefetch(), 1000)
	tn.topics["a"] = &streamTopic{partitions: 3}
	tn.topics["b"] = &streamTopic{partitions: 2}
	same(t, "with five partitions", tn.prefetch(), 200)
	r.scale.overflow(4, 32<<20)
	same(t, "with large messages", tn.prefetch(), 1)
}

// Whoever acknowledged what was not noted when the session ended is told, once,
// and only then.
func TestAPositionThatWasNotNotedIsToldOfOnce(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		settle, unsure bool
		want           oms.Code
	}{
		"settled, and the session has ended": {true, true, oms.ErrUnknown},
		"settled, and noted":                 {true, false, ""},
		"nothing settled":                    {false, true, ""},
	} {
		r, first := reader(t, 1<<20, 1)
		delete(r.shelves, first.part)
		sh := shelved(r, 0, 2, 10)
		msgs, err := r.take(1)
		if err != nil {
			t.Fatal(err)
		}
		if c.settle {
			if err := r.Ack(t.Context(), msgs); err != nil {
				t.Error(err)
			}
		}
		r.leave(sh.part, c.unsure)
		same(t, what, oms.CodeOf(r.Flush(t.Context())), c.want)
		same(t, what+": once more", oms.CodeOf(r.Flush(t.Context())), oms.Code(""))
		same(t, what+": an acknowledgement afterwards", oms.CodeOf(r.Ack(t.Context(), msgs)), func() oms.Code {
			if c.settle {
				return "" // it was settled before
			}
			return oms.ErrStaleDelivery
		}())
		if _, has := r.positionOf(sh.part); has || len(r.turns) > 0 {
			t.Errorf("%s: the partition is still the receiver's", what)
		}
	}
}
