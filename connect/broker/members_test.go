package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestASourceDoesNotShareItsGroupWithOtherPrograms(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		leave := w.drivers["b"].Stranger("theirs", "somebody at 10.0.0.1", "t")
		w.start()
		w.number("b", "t", 0, 10)
		w.create("in", "broker-source", "source.broker=b", "source.topics=t", "source.group=theirs")
		w.wait(2500 * time.Millisecond)
		cause := w.cause("in", connect.Retrying)
		for _, part := range []string{"theirs", "somebody at 10.0.0.1", "choose another source.group", "source.group.shared=true"} {
			if !strings.Contains(cause, part) {
				t.Errorf("the cause does not say %q: %s", part, cause)
			}
		}
		if got := w.bodies("a", "t"); len(got) != 0 {
			t.Errorf("%d records have come, want none while others are in the group", len(got))
		}
		leave()
		w.wait(10 * time.Second)
		same(t, w.bodies("a", "t"), numbers(10))
	})
}

func TestASourceSharesItsGroupIfItIsToldToOrTheBrokerDoesNotTell(t *testing.T) {
	for name, config := range map[string][]string{
		"told to":             {"source.group.shared=true"},
		"its own group":       {"source.group=mine"},
		"broker without tell": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				if config == nil {
					w.limits["b"] = []oms.Capability{oms.ForeignMembers}
				}
				leave := w.drivers["b"].Stranger("connect-in", "somebody", "t")
				w.start()
				w.create("in", "broker-source", append(config, "source.broker=b", "source.topics=t")...)
				w.wait(time.Second / 2)
				w.cause("in", connect.Running)
				leave()
			})
		})
	}
}
