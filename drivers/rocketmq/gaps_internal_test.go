package rocketmq

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// trim removes what is before an offset of a topic's first queue, as retention
// does.
func (f *fake) trim(topic string, before int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.topics[topic]
	at.queues[0] = at.queues[0][before-at.first[0]:]
	at.first[0] = before
}

func (w *watched) told() []oms.Gap {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]oms.Gap(nil), w.gaps...)
}

// Messages go while a member has some in hand, and has not yet asked for them.
func TestRetentionInTheMiddleIsAGap(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	fill(t, c, "t", 1, 10)
	w := c.watch(t, oms.ReceiverConfig{Topics: []string{"t"}, MaxUnacked: 2})
	msgs := next(t, w)
	if len(msgs) == 1 {
		msgs = append(msgs, next(t, w)...)
	}
	f.trim("t", 6)
	if err := w.Ack(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	want := []oms.Gap{{Partition: oms.Partition{Topic: "t"}, From: 2, To: 6}}
	after := next(t, w)
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("when the next message comes, told of (-want +got):\n%s", diff)
	}
	if after[0].Offset != 6 || string(after[0].Body) != "6" {
		t.Errorf("behind the gap comes offset %d, %q", after[0].Offset, after[0].Body)
	}
	if err := w.Ack(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := f.position("t"); n != 6+int64(len(after)) {
		t.Errorf("the position is %d", n)
	}
}

// A member that comes back after the retention has a gap from its position on,
// and so has one whose position is behind the end.
func TestAPositionOutsideOfTheLogIsAGap(t *testing.T) {
	t.Parallel()
	for position, want := range map[int64]oms.Gap{
		1:  {Partition: oms.Partition{Topic: "t"}, From: 1, To: 4},
		50: {Partition: oms.Partition{Topic: "t"}, From: 50, To: 10},
	} {
		f := startFake(t)
		c := connTo(t, f)
		fill(t, c, "t", 1, 10)
		f.trim("t", 4)
		f.mu.Lock()
		f.positions[positionKey(map[string]string{"consumerGroup": "g", "topic": "t", "queueId": "0"})] = position
		f.mu.Unlock()
		w := c.watch(t, oms.ReceiverConfig{Topics: []string{"t"}})
		until(t, "a gap", func() bool { return len(w.told()) > 0 })
		if diff := cmp.Diff([]oms.Gap{want}, w.told()); diff != "" {
			t.Errorf("position %d (-want +got):\n%s", position, diff)
		}
		fill(t, c, "t", 1, 1)
		if first := next(t, w)[0]; first.Offset != want.To {
			t.Errorf("position %d: the first message is at %d, want %d", position, first.Offset, want.To)
		}
	}
}

// Whatever removed the messages, a topic that is trimmed to its end is one gap.
func TestALogThatIsEmptiedIsOneGap(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	fill(t, c, "t", 1, 5)
	f.trim("t", 5)
	w := c.watch(t, oms.ReceiverConfig{Topics: []string{"t"}})
	until(t, "the position of a group that begins", func() bool { _, there := f.position("t"); return there })
	fill(t, c, "t", 1, 1)
	if m := next(t, w)[0]; m.Offset != 5 {
		t.Errorf("the first message is at %d, want 5", m.Offset)
	}
	if got := w.told(); len(got) != 0 {
		t.Errorf("a group that begins is told of gaps: %v", got)
	}
}

// raw stores what a foreign program has sent: properties as they are on the
// wire.
func (f *fake) raw(topic, properties string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.topics[topic]
	at.queues[0] = append(at.queues[0], fakeMessage{properties: properties, body: body, at: time.Now()})
	close(f.changed)
	f.changed = make(chan struct{})
}

// Nobody keeps other programs from writing what they like. It arrives, also
// where it looks like the driver's own.
func TestForeignPropertiesArriveHoweverOddTheyAre(t *testing.T) {
	t.Parallel()
	one := func(name, value string) oms.Header { return oms.Header{Name: name, Value: []byte(value)} }
	for properties, want := range map[string]oms.Message{
		"":                              {},
		"a\x011\x02b\x012":              {Headers: oms.Headers{one("a", "1"), one("b", "2")}},
		"a\x01\x02b\x012\x02":           {Headers: oms.Headers{one("a", ""), one("b", "2")}},
		"no separator":                  {},
		"\x02\x02\x02a\x011\x02":        {Headers: oms.Headers{one("a", "1")}},
		"a\x011\x02a\x012\x02":          {Headers: oms.Headers{one("a", "2")}},
		"a b=c;\x01ü\n\x02":             {Headers: oms.Headers{one("a b=c;", "ü\n")}},
		"KEYS\x01k1 k2\x02TAGS\x01t":    {Key: []byte("k1 k2"), Headers: oms.Headers{one("TAGS", "t")}},
		"UNIQ_KEY\x01x\x02CLUSTER\x01c": {},
		"DELAY\x013\x02":                {Headers: oms.Headers{one("DELAY", "3")}},
		"OMS\x01nothing of ours\x02":    {},
		"OMS\x01v=1;h=gone\x02a\x011":   {Headers: oms.Headers{one("OMS", "v=1;h=gone"), one("a", "1")}},
		"OMS\x01key=%\x02":              {Headers: oms.Headers{one("OMS", "key=%")}},
		"OMS\x01v=1;id=7;later=x\x02":   {ID: "7"},
	} {
		f := startFake(t)
		c := connTo(t, f)
		f.raw("t", properties, []byte("x"))
		w := c.watch(t, oms.ReceiverConfig{Topics: []string{"t"}})
		got := next(t, w)[0]
		if string(got.Body) != "x" || got.ID != want.ID || string(got.Key) != string(want.Key) {
			t.Errorf("%q: body %q, id %q, key %q", properties, got.Body, got.ID, got.Key)
		}
		if diff := cmp.Diff(want.Headers, got.Headers); diff != "" {
			t.Errorf("%q: headers (-want +got):\n%s", properties, diff)
		}
	}
}
