package connect_test

import (
	"bytes"
	"log/slog"
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

func TestNothingBehindAGapIsTakenBeforeItIsDealtWith(t *testing.T) {
	t.Parallel()
	gap := oms.Gap{Partition: oms.Partition{Topic: "t", Number: 1}, From: 10, To: 15}
	other := oms.Partition{Topic: "t", Number: 2}
	for policy, want := range map[string]struct{ behind, other bool }{
		connect.OutOfRangeFail:     {true, true}, // the task is about to end
		connect.OutOfRangeEarliest: {false, false},
		connect.OutOfRangeLatest:   {true, false},
	} {
		gaps := connect.NewGaps(policy)
		if gaps.Hold(gap.Partition) {
			t.Errorf("%s: a partition without a gap is held", policy)
		}
		gaps.Found(gap)
		if behind, of := gaps.Hold(gap.Partition), gaps.Hold(other); behind != want.behind || of != want.other {
			t.Errorf("%s: held are the partition %v and the other %v, want %+v", policy, behind, of, want)
		}
	}
}

func TestAGapThatFailsStaysOne(t *testing.T) {
	t.Parallel()
	gaps := connect.NewGaps(connect.OutOfRangeFail)
	log := slog.New(slog.DiscardHandler)
	if err := gaps.Resolve(t.Context(), nil, log, nil); err != nil {
		t.Errorf("without a gap: %v", err)
	}
	gaps.Found(oms.Gap{Partition: oms.Partition{Topic: "t"}, From: 10, To: 15})
	for range 2 {
		if err := gaps.Resolve(t.Context(), nil, log, nil); oms.CodeOf(err) != oms.ErrInvalid || !strings.Contains(err.Error(), connect.OutOfRange) {
			t.Errorf("with a gap: %v, want ErrInvalid that names the key", err)
		}
	}
}

func TestAGapIsDealtWithOnceItsPartitionGoesOn(t *testing.T) {
	t.Parallel()
	gaps := connect.NewGaps(connect.OutOfRangeEarliest)
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	gaps.Found(oms.Gap{Partition: oms.Partition{Topic: "t", Number: 3}, From: 10, To: 15})
	for range 2 {
		if err := gaps.Resolve(t.Context(), nil, log, nil); err != nil {
			t.Error(err)
		}
	}
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "topic=t partition=3 from=10 to=15") {
		t.Errorf("the log has %s, want the gap once", text)
	}
}
