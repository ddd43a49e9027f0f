package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestACircleOfBridgesFails(t *testing.T) {
	for _, fidelity := range []string{"native", "envelope"} {
		t.Run(fidelity, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.start()
				w.create("there", "broker-sink", "topics=t", "sink.broker=b", "fidelity="+fidelity)
				w.create("back", "broker-source", "source.broker=b", "source.topics=t", "fidelity="+fidelity)
				w.number("a", "t", 0, 5)
				cause := w.cause("there", connect.Failed)
				for _, part := range []string{"circle", "oms-hops", "loop.detection", "t partition 0 offset 5"} {
					if !strings.Contains(cause, part) {
						t.Errorf("the cause %q does not say %q", cause, part)
					}
				}
				w.wait(time.Minute)
				if n := len(w.topic("a", "t")); n != 10 {
					t.Errorf("%d records at a, want 5 and what came back of them once", n)
				}
			})
		})
	}
}

func TestACircleThatIsWantedGoesRound(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("there", "broker-sink", "topics=t", "sink.broker=b", "loop.detection=off", "rate.records.per.second=10")
		w.create("back", "broker-source", "source.broker=b", "source.topics=t", "loop.detection=off")
		w.number("a", "t", 0, 1)
		w.has("a", "t", 4)
		if m := w.topic("a", "t")[3]; len(m.Headers) > 0 {
			t.Errorf("the bridges have added the headers %q", m.Headers)
		}
	})
}

func TestARecordThatHasPassedTooManyBridgesFails(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("x", "broker-sink", "topics=t", "sink.broker=b")
		hops := strings.Repeat("some/00000000,", 31) + "x/00000000" // of another installation
		w.send("a", &oms.Message{Topic: "t", Headers: oms.Headers{}.With("oms-hops", hops[len("some/00000000,"):])})
		w.has("b", "t", 1)
		w.send("a", &oms.Message{Topic: "t", Headers: oms.Headers{}.With("oms-hops", hops)})
		if cause := w.cause("x", connect.Failed); !strings.Contains(cause, "32 bridges") {
			t.Errorf("the cause is %q", cause)
		}
	})
}
