package rabbitmq_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// briefly has streams keep some forty messages of bulky.
const briefly = asStream + "&retention.bytes=40000&segment.bytes=20000"

// bulky returns messages of about 1 kB that begin with their number.
func bulky(topic string, from, to int) (msgs []*oms.Message) {
	for i := from; i < to; i++ {
		msgs = append(msgs, &oms.Message{Topic: topic, Body: fmt.Appendf(nil, "%d %s", i, bytes.Repeat([]byte("x"), 1000))})
	}
	return msgs
}

// firstOf returns where a partition begins.
func firstOf(t *testing.T, c oms.Conn, p oms.Partition) int64 {
	t.Helper()
	offsets, err := c.(oms.OffsetFinder).Offsets(within(t), []string{p.Topic}, oms.Start{})
	must(t, err)
	return offsets[p]
}

// outgrow sends bulky messages until the broker has removed all before an
// offset, and returns how many there are. Retention runs a moment behind.
func outgrow(t *testing.T, c oms.Conn, s oms.Sender, p oms.Partition, sent int, before int64) int {
	t.Helper()
	until(t, "removing what is old", func() bool {
		must(t, outcome(t, start(t, s, bulky(p.Topic, sent, sent+20)...)))
		sent += 20
		return firstOf(t, c, p) > before
	})
	return sent
}

// readOn receives until the message with the last number has come, from an
// offset on, and fails unless each offset that is left out is in a gap that was
// told before.
func readOn(t *testing.T, r oms.Receiver, w *told, next int64, last int) {
	t.Helper()
	for done := false; !done; {
		msgs := receive(t, r, 1)
		gaps, _, _ := w.all()
		for _, m := range msgs {
			if !isTold(gaps, next, m.Offset) {
				t.Fatalf("offset %d comes where %d is due, and the gaps are %v", m.Offset, next, gaps)
			}
			next = m.Offset + 1
			done = strings.HasPrefix(string(m.Body), fmt.Sprint(last, " "))
		}
		must(t, r.Ack(within(t), msgs))
	}
}

// isTold reports whether gaps explain that one offset comes where another is
// due. One may be the broker's own.
func isTold(gaps []oms.Gap, due, came int64) bool {
	for _, g := range gaps {
		if g.From == due && g.To <= came {
			due = g.To
		}
	}
	return came == due || came == due+1
}

// A member that is slow is overtaken by retention, and told of it before what
// follows comes. What was delivered ahead is not in the gap.
func TestRetentionThatOvertakesAMemberIsAGap(t *testing.T) {
	t.Parallel()
	for name, pauses := range map[string]bool{"holds": false, "pauses": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := realBroker(t).open(t, briefly)
			topic, group := "streams.overtaken."+name, "of-overtaken-streams"
			at := oms.Partition{Topic: topic}
			begin(t, c, group, topic)
			w := &told{}
			cfg := w.config(group, topic)
			cfg.MaxUnacked = 5
			r := receiver(t, c, cfg)
			s := sender(t, c)
			must(t, outcome(t, start(t, s, bulky(topic, 0, 10)...)))
			held := receive(t, r, 5)
			if pauses {
				must(t, r.(oms.Pauser).Pause(within(t), []oms.Partition{at}))
				must(t, r.Ack(within(t), held))
			}
			sent := outgrow(t, c, s, at, 10, held[4].Offset+100)
			if pauses {
				must(t, r.(oms.Pauser).Resume(within(t), []oms.Partition{at}))
			} else {
				must(t, r.Ack(within(t), held))
			}
			readOn(t, r, w, held[4].Offset+1, sent-1)
			if gaps, _, _ := w.all(); len(gaps) == 0 {
				t.Error("there was no gap")
			}
		})
	}
}

func TestASeekToWhatRetentionRemovedMovesNothing(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, briefly)
	const topic, group = "streams.sought.behind", "of-streams-sought-behind"
	at := oms.Partition{Topic: topic}
	begin(t, c, group, topic)
	s := sender(t, c)
	sent := outgrow(t, c, s, at, 0, 10)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	seeker := r.(oms.Seeker)
	held := receive(t, r, 1)
	err := seeker.Seek(within(t), map[oms.Partition]int64{at: 0})
	want(t, "seek to the first message that ever was", err, oms.ErrInvalid)
	if err == nil || !strings.Contains(err.Error(), "has the offsets ") {
		t.Errorf("%v: it does not say which offsets there are", err)
	}
	must(t, r.Ack(within(t), held)) // it is still the member's
	var again []*oms.Message
	until(t, "a seek to the beginning", func() bool { // which retention may still move
		err := seeker.Seek(within(t), map[oms.Partition]int64{at: firstOf(t, c, at)})
		if err != nil {
			want(t, "seek to the beginning", err, oms.ErrInvalid)
			return false
		}
		again = receive(t, r, 1)
		return true
	})
	if again[0].Offset < held[0].Offset {
		t.Errorf("offset %d comes, and the stream began at %d", again[0].Offset, held[0].Offset)
	}
	readOn(t, r, &told{}, again[0].Offset+1, sent-1)
}

// What a member has in hand of a stream that is deleted means nothing in the
// one that is made instead, whose offsets begin anew.
func TestWhatIsInHandGoesWithItsStream(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream), b.native(t)
	const topic, group = "streams.replaced", "of-replaced-streams"
	at := of10(t, c, topic, group)
	w := &told{}
	r := receiver(t, c, w.config(group, topic))
	held := receive(t, r, 10)
	must(t, r.Ack(within(t), held[:5]))
	_, err := ch.QueueDelete("oms.stream:"+topic+":0", false, false, false)
	must(t, err)
	until(t, "a gap", func() bool { gaps, _, _ := w.all(); return len(gaps) > 0 })
	gaps, _, revoked := w.all()
	equal(t, "the gaps", gaps, []oms.Gap{{Partition: at, From: 10, To: 0}})
	want(t, "acknowledge what went with the stream", r.Ack(within(t), held[5:6]), oms.ErrStaleDelivery)
	must(t, r.Ack(within(t), held[:5])) // settled before
	s := sender(t, c)
	until(t, "sending to the new stream", func() bool { return follow(t, s, numbered(topic, 10, 11)...) == nil })
	got := receive(t, r, 1)
	equal(t, "what comes of it", bodies(got), []string{"10"})
	must(t, r.Ack(within(t), got))
	must(t, r.Flush(within(t)))
	positions, err := c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
	must(t, err)
	equal(t, "positions", positions, map[oms.Partition]int64{at: got[0].Offset + 1})
	equal(t, "what was revoked", revoked, []oms.Partition(nil))
}
