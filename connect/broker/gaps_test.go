package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// gap makes a world in which records 10 to 14 of 20 were removed before they
// were read, the reader being stopped.
func gap(t *testing.T, policy string, test func(*world)) {
	t.Helper()
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t,u", "consumer.offset.out.of.range="+policy)
		w.number("b", "t", 0, 10)
		w.number("b", "u", 0, 3)
		w.has("a", "t", 10)
		w.do(w.catalog.Stop, "in")
		w.cause("in", connect.Stopped)
		w.number("b", "t", 10, 10)
		w.number("b", "u", 3, 3)
		w.drivers["b"].Trim(oms.Partition{Topic: "t"}, 15)
		w.do(w.catalog.Resume, "in")
		test(w)
	})
}

func TestAGapFailsTheTask(t *testing.T) {
	gap(t, "fail", func(w *world) {
		cause := w.cause("in", connect.Failed)
		for _, part := range []string{"t", "partition 0", "offset 10", "15", "consumer.offset.out.of.range"} {
			if !strings.Contains(cause, part) {
				t.Errorf("the cause %q does not say %q", cause, part)
			}
		}
		w.wait(time.Minute)
		same(t, w.bodies("a", "t"), numbers(10)) // nothing from behind it
	})
}

func TestAGapIsPassedWhereItIsAllowed(t *testing.T) {
	for policy, want := range map[string][]string{"earliest": numbers(21)[15:], "latest": {"20"}} {
		t.Run(policy, func(t *testing.T) {
			gap(t, policy, func(w *world) {
				w.wait(20 * time.Second)
				w.number("b", "t", 20, 1)
				w.wait(20 * time.Second)
				same(t, w.bodies("a", "t"), append(numbers(10), want...))
				same(t, w.bodies("a", "u"), numbers(6)) // of others nothing is left out
				if w.log.count("messages were removed before they were read") != 1 {
					t.Error("it is not logged once")
				}
				if n := w.acknowledged("b", "connect-in", "t"); n != 21 {
					t.Errorf("the group is at %d, want 21", n)
				}
			})
		})
	}
}
