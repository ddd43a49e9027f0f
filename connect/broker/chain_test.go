package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// odd are messages with everything that a broker may stumble over.
func odd(topic string) []*oms.Message {
	born := time.Date(2000, 1, 1, 0, 0, 1, 5e6, time.UTC)
	return []*oms.Message{
		{ID: "1", Topic: topic, Key: []byte("k"), Body: []byte("plain"), BornAt: born},
		{ID: "2", Topic: topic, Key: []byte("k"), Body: nil, BornAt: born},
		{ID: "3", Topic: topic, Key: []byte("k"), Body: []byte{}, BornAt: born},
		{ID: "4", Topic: topic, Key: nil, Body: []byte("no key"), BornAt: born},
		{ID: "5", Topic: topic, Key: []byte{}, Body: []byte("empty key"), BornAt: born},
		{ID: "6", Topic: topic, Key: []byte{0xff, 0}, Body: []byte{0xfe, 0, 1}, BornAt: born, Headers: oms.Headers{
			{Name: "bin", Value: []byte{0xff, 0xfe}},
			{Name: "nil"},
			{Name: "empty", Value: []byte{}},
			{Name: "twice", Value: []byte("1")},
			{Name: "ä \t", Value: []byte("ü")},
			{Name: "twice", Value: []byte("2")},
			{Name: "oms-id", Value: []byte("not the id")},
			{Name: "\xff", Value: []byte("a name that is no text")},
		}},
		{
			ID: "7", Topic: topic, Body: []byte(`{"a":"<&>  "}`), BornAt: born, CorrelationID: "question \xff",
			TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", TraceState: "a=b", ExpiresAt: born.Add(time.Hour),
		},
	}
}

// withoutHops takes the header away that bridges add.
func withoutHops(msgs []*oms.Message) (plain []*oms.Message) {
	for _, m := range msgs {
		c := m.Clone()
		c.Headers = c.Headers.Without("oms-hops")
		plain = append(plain, c)
	}
	return plain
}

func TestAChainOfThreeBrokersKeepsMessagesWhole(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=alias", "source.topics=t,u", "topic=got.${topic}")
		w.create("out", "broker-sink", "topics=got.t,got.u", "sink.broker=c", "sink.topic=end")
		w.send("b", odd("t")...)
		w.send("b", &oms.Message{ID: "8", Topic: "u", Body: []byte("of another topic")})
		w.has("c", "end", 8)
		want := append(odd("end"), &oms.Message{ID: "8", Topic: "end", Body: []byte("of another topic")})
		got := w.topic("c", "end")
		for _, m := range want { // order is kept of each topic
			for _, g := range got {
				if g.ID == "8" && m.ID == "8" {
					m.BornAt = g.BornAt
				}
			}
		}
		if len(got) != 8 {
			w.t.Fatalf("%d messages have come, want 8", len(got))
		}
		byID := make(map[string]*oms.Message)
		for _, m := range got {
			byID[m.ID] = m
		}
		for _, m := range want {
			if byID[m.ID] == nil {
				w.t.Fatalf("message %s has not come", m.ID)
			}
			if d := diff([]*oms.Message{m}, withoutHops([]*oms.Message{byID[m.ID]})); d != "" {
				t.Errorf("message %s:\n%s", m.ID, d)
			}
		}
		hops := got[0].Headers.Text("oms-hops")
		if !hasHops(hops, "in", "out") {
			t.Errorf("the header oms-hops is %q, want it to name in and out", hops)
		}
	})
}

// hasHops reports whether a list of hops names bridges, in order.
func hasHops(list string, names ...string) bool {
	format := ""
	for i, n := range names {
		if i > 0 {
			format += ","
		}
		format += n + "/%8x"
	}
	args := make([]any, len(names))
	for i := range args {
		args[i] = new(uint32)
	}
	n, err := fmt.Sscanf(list, format, args...)
	return err == nil && n == len(names)
}

func TestOrderOfAKeyIsKeptOverPartitionsAndTasks(t *testing.T) {
	inWorld(t, map[string]mem.Options{"a": {Partitions: 3}, "b": {Partitions: 4}, "c": {Partitions: 5}}, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t", "tasks.max=3")
		w.create("out", "broker-sink", "topics=t", "sink.broker=c", "tasks.max=2")
		const n = 700
		w.number("b", "t", 0, n/2)
		w.number("b", "t", n/2, n/2)
		w.has("c", "t", n)
		got := w.topic("c", "t")
		last := make(map[string]int)
		for _, m := range got {
			var at int
			if _, err := fmt.Sscan(string(m.Body), &at); err != nil {
				w.t.Fatal(err)
			}
			if before, ok := last[string(m.Key)]; ok && before >= at {
				w.t.Fatalf("of key %s, %d came behind %d", m.Key, at, before)
			}
			last[string(m.Key)] = at
		}
		same(t, w.bodies("c", "t"), numbers(n))
		if s, err := w.catalog.Status(w.t.Context(), "in"); err != nil || len(s.Tasks) != 3 || s.State != connect.Running {
			t.Errorf("status %+v, %v; want three tasks running", s, err)
		}
	})
}
