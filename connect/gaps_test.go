package connect_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// inGap makes a world in which messages 10 to 14 of 20 were removed while the
// sink that was to read them was stopped.
func inGap(t *testing.T, mode, policy string, test func(*world, *ledger)) {
	t.Helper()
	inWorld(t, func(w *world) {
		got := w.keepLedger()
		w.start()
		w.fill("t", 0, 10)
		w.create("out", "test-sink", "topics=t", "consumer.mode="+mode, "consumer.offset.out.of.range="+policy)
		w.wait(20 * time.Second)
		w.do(w.catalog.Stop, "out")
		w.wait(20 * time.Second)
		w.fill("t", 10, 10)
		w.driver.Trim(oms.Partition{Topic: "t"}, 15)
		w.do(w.catalog.Resume, "out")
		w.wait(20 * time.Second)
		test(w, got)
	})
}

var modes = []string{"pull", "push"}

func TestAGapFailsTheSink(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			inGap(t, mode, "fail", func(w *world, got *ledger) {
				w.wantState("out", connect.Failed)
				cause := w.status("out").Tasks[0].Trace
				for _, part := range []string{"t", "partition 0", "offset 10", "before 15", "consumer.offset.out.of.range"} {
					if !strings.Contains(cause, part) {
						t.Errorf("the cause %q does not say %q", cause, part)
					}
				}
				wantSame(t, "the sink", got.of("out"), filled("t", 0, 10))
			})
		})
	}
}

func TestASinkGoesOnBehindAGapWhereItMay(t *testing.T) {
	for policy, behind := range map[string][]string{"earliest": filled("t", 15, 6), "latest": filled("t", 20, 1)} {
		for _, mode := range modes {
			t.Run(policy+" "+mode, func(t *testing.T) {
				inGap(t, mode, policy, func(w *world, got *ledger) {
					w.fill("t", 20, 1)
					w.wait(20 * time.Second)
					w.wantState("out", connect.Running)
					want := slices.Sorted(slices.Values(slices.Concat(filled("t", 0, 10), behind)))
					wantSame(t, "the sink", got.of("out"), want)
					if lag := w.lagOf("connect-out", "t"); lag != 0 {
						t.Errorf("the group has a lag of %d, want 0: what is passed over is acknowledged", lag)
					}
				})
			})
		}
	}
}
