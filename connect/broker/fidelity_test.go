package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// weak is what a limited broker lacks here.
var weak = []oms.Capability{oms.MessageKey, oms.Tombstones, oms.BinaryHeaders, oms.NilHeaders, oms.RepeatedHeaders, oms.Expiry}

func TestNativeGoesOnWithoutWhatTheTargetCannotCarryAndCountsIt(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.limits["c"] = weak
		w.start()
		w.create("out", "broker-sink", "topics=t", "sink.broker=c", "loop.detection=off")
		for kind, becomes := range map[string]string{
			"a key": "left out", "a nil body": "an empty one", "binary headers": "base64", "repeated headers": "the last one",
			"a nil header": "an empty one", "an expiry": "left out",
		} {
			if w.log.count("cannot carry a record with "+kind+": ") != 1 || w.log.count(becomes) == 0 {
				t.Errorf("that c cannot carry %s is not said at creation, once and with %q", kind, becomes)
			}
		}
		w.send("a", odd("t")...)
		w.send("a", &oms.Message{ID: "8", Topic: "t", Key: []byte("one more")})
		w.has("c", "t", 8)
		want := odd("t")
		for _, m := range want {
			m.Key, m.ExpiresAt = nil, time.Time{}
		}
		want[1].Body = []byte{}
		want[5].Headers = oms.Headers{
			{Name: "bin", Value: []byte("//4=")},
			{Name: "nil", Value: []byte{}},
			{Name: "empty", Value: []byte{}},
			{Name: "ä \t", Value: []byte("ü")},
			{Name: "twice", Value: []byte("2")},
			{Name: "oms-id", Value: []byte("not the id")},
			{Name: "\xff", Value: []byte("a name that is no text")},
		}
		if d := diff(want, w.topic("c", "t")[:7]); d != "" {
			t.Error(d)
		}
		if n := w.log.count("further ones are counted"); n != 6 {
			t.Errorf("%d kinds of losses were warned about, want each of 6 once", n)
		}
		if w.log.count(`record="t partition 0 offset 1"`) != 1 {
			t.Error("the first record without a body is not named")
		}
		w.shutdown()
		for count, kind := range map[string]string{"records=6": "a key", "records=2": "a nil body", "records=1": "a nil header"} {
			if w.log.count(`had="`+kind+`" `+count) != 1 {
				t.Errorf("%s %s: it is not what the log says at the end", kind, count)
			}
		}
	})
}

func TestStrictRefusesWhatTheTargetCannotCarry(t *testing.T) {
	for name, c := range map[string]struct {
		class, limit, from string
		config             []string
	}{
		"source": {"broker-source", "a", "b", []string{"source.broker=b", "source.topics=t"}},
		"sink":   {"broker-sink", "c", "a", []string{"sink.broker=c", "topics=t"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.limits[c.limit] = weak
				w.start()
				w.create("x", c.class, append(c.config, "fidelity=strict")...)
				w.send(c.from, &oms.Message{Topic: "t", Body: []byte("0")}, &oms.Message{Topic: "t", Body: []byte("1")})
				w.has(c.limit, "t", 2)
				w.send(c.from, &oms.Message{Topic: "t", Body: []byte("2")},
					&oms.Message{Topic: "t", Headers: oms.Headers{{Name: "h", Value: []byte{0xff}}}}, &oms.Message{Topic: "t", Body: []byte("4")})
				cause := w.cause("x", connect.Failed)
				for _, part := range []string{"t partition 0 offset 3", "a nil body, binary headers", "fidelity", "not supported"} {
					if !strings.Contains(cause, part) {
						t.Errorf("the cause %q does not say %q", cause, part)
					}
				}
				w.wait(time.Minute)
				same(t, w.bodies(c.limit, "t"), numbers(3)) // nothing was sent past it
				if n := w.acknowledged(c.from, "connect-x", "t"); n != 3 {
					t.Errorf("%d are acknowledged, want the 3 before the one that is refused", n)
				}
			})
		})
	}
}

func TestAnEnvelopeGoesThereAndBackWhole(t *testing.T) {
	inWorld(t, map[string]mem.Options{"b": {Partitions: 3}}, func(w *world) {
		w.limits["c"], w.limits["b"] = weak, append([]oms.Capability{oms.OrderPerKey}, weak...)
		w.start()
		const exact, whole = "loop.detection=off", "fidelity=envelope"
		w.create("to-c", "broker-sink", "topics=t", "sink.broker=c", whole, exact)                              // a → c
		w.create("on", "broker-sink", "broker=c", "topics=t", "sink.broker=b", exact)                           // c → b: envelopes go on as they are
		w.create("back", "broker-source", "source.broker=b", "source.topics=t", "topic=back", whole, exact)     // b → a
		w.create("again", "broker-sink", "topics=back", "sink.broker=a", "sink.topic=wrapped", whole, exact)    // a → a
		w.create("open", "broker-sink", "topics=wrapped", "sink.broker=a", "sink.topic=opened", whole, exact)   // a → a
		w.create("plain", "broker-sink", "topics=wrapped", "sink.broker=a", "sink.topic=${topic}.still", exact) // a → a
		w.send("a", odd("t")...)
		w.has("a", "opened", 7)
		w.has("a", "wrapped.still", 7)
		for topic, of := range map[string][]*oms.Message{"back": odd("back"), "opened": odd("opened")} {
			byID := make(map[string]*oms.Message)
			got := w.topic("a", topic)
			for _, m := range got {
				byID[m.ID] = m
			}
			if len(got) != 7 {
				t.Errorf("%d messages in %s, want 7", len(got), topic)
			}
			for _, m := range of {
				if d := diff([]*oms.Message{m}, []*oms.Message{byID[m.ID]}); d != "" {
					t.Errorf("message %s in %s:\n%s", m.ID, topic, d)
				}
			}
		}
		for _, m := range w.topic("c", "t") {
			if m.Key != nil || m.Headers.Text("oms-envelope") != "1" || len(m.Headers) != 1 {
				t.Errorf("at c a message has the key %q and the headers %q, want the one of envelopes", m.Key, m.Headers)
			}
		}
		if n := w.log.count("cannot carry"); n != 0 {
			t.Errorf("%d times it is said that something cannot be carried", n)
		}
		text := string(w.topic("a", "wrapped.still")[0].Body)
		for _, part := range []string{`{"oms.envelope":1,`, `"topic":"back"`, `"headers":`} {
			if !strings.Contains(text, part) {
				t.Errorf("the envelope %s has no %s", text, part)
			}
		}
	})
}

func TestAnEnvelopeIsNotOpenedWhereSomethingWouldBeLost(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.limits["b"] = []oms.Capability{oms.Tombstones}
		w.start()
		w.create("wrap", "broker-sink", "topics=t", "sink.broker=c", "fidelity=envelope")
		w.create("open", "broker-sink", "broker=c", "topics=t", "sink.broker=b", "fidelity=envelope")
		w.send("a", &oms.Message{Topic: "t", Body: []byte("0")}, &oms.Message{Topic: "t", Key: []byte("k")})
		cause := w.cause("open", connect.Failed)
		for _, part := range []string{"t partition 0 offset 1", "a nil body", "fidelity to native"} {
			if !strings.Contains(cause, part) {
				t.Errorf("the cause %q does not say %q", cause, part)
			}
		}
		same(t, w.bodies("b", "t"), numbers(1))
	})
}

func TestABrokenEnvelopeFailsItsTask(t *testing.T) {
	for name, c := range map[string]struct{ version, body, say string }{
		"no JSON":         {"1", "not an envelope", "no envelope"},
		"another version": {"2", `{"oms.envelope":2}`, "version"},
		"a newer body":    {"1", `{"oms.envelope":2,"key":null,"body":null,"headers":null}`, "version is 2"},
		"something else":  {"1", `{"oms.envelope":1,"steer":"me"}`, "steer"},
		"more behind it":  {"1", `{"oms.envelope":1} x`, "behind it"},
		"bytes that are":  {"1", `{"oms.envelope":1,"body":{}}`, "base64"},
		"half a header":   {"1", `{"oms.envelope":1,"headers":[["a"]]}`, "name and a value"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.start()
				w.create("x", "broker-sink", "topics=t", "sink.broker=c", "fidelity=envelope")
				w.send("a", &oms.Message{Topic: "t", Body: []byte("0")},
					&oms.Message{Topic: "t", Body: []byte(c.body), Headers: oms.Headers{}.With("oms-envelope", c.version)})
				cause := w.cause("x", connect.Failed)
				for _, part := range []string{"t partition 0 offset 1", "malformed", c.say, "oms-envelope"} {
					if !strings.Contains(cause, part) {
						t.Errorf("the cause %q does not say %q", cause, part)
					}
				}
				if n := len(w.topic("c", "t")); n != 1 {
					t.Errorf("%d records are at c, want the one before it", n)
				}
			})
		})
	}
}
