package connect_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestSinkWithDropsAcknowledgesAllInOrder(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		for _, flush := range []bool{false, true} {
			t.Run(fmt.Sprint(mode, " flush ", flush), func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.sink.flush = flush
					w.start()
					w.create("in", "test-source", "last=200", "every.ms=10", "batch=20")
					w.create("out", "test-sink", append(odd, "consumer.mode="+mode, "consumer.max.poll.records=7")...)
					w.wait(time.Minute)
					if got := w.sink.bodies(); !slices.Equal(got, odds(200)) {
						t.Errorf("the sink has %v, want the odd numbers", got)
					}
					if got := w.lag("connect-out"); got != 0 {
						t.Errorf("%d messages are not acknowledged", got)
					}
				})
			})
		}
	}
}

func TestSinkOfWhichEverythingIsDroppedAcknowledges(t *testing.T) {
	for _, flush := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.sink.flush = flush
			w.start()
			w.create("in", "test-source", "last=50", "every.ms=10")
			w.create("out", "test-sink", "transforms=f", "transforms.f.type=Filter")
			w.wait(time.Minute)
			if got := w.lag("connect-out"); got != 0 || w.sink.count("Put") != 0 {
				t.Errorf("flush %v: %d messages are not acknowledged, Put was called %d times", flush, got, w.sink.count("Put"))
			}
		})
	}
}

// TestInvariant2PartialErrorsAreAboutTheOriginalMessages: the sink refuses 13,
// in a batch in which every second message was dropped.
func TestInvariant2PartialErrorsAreAboutTheOriginalMessages(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		inWorld(t, func(w *world) {
			var refused atomic.Int64
			w.sink.onPut = func(_ *lifeline, msgs []*oms.Message) {
				refused.Store(int64(slices.IndexFunc(msgs, func(m *oms.Message) bool { return string(m.Body) == "13" })))
			}
			w.sink.onCall = on("Put", func() error {
				if i := int(refused.Load()); i >= 0 {
					return &connect.PartialError{Index: i, Err: &oms.Error{Op: "put", Code: oms.ErrFormat, Err: errors.New("unlucky")}}
				}
				return nil
			})
			w.start()
			w.create("in", "test-source", "last=40", "every.ms=1", "batch=40")
			w.wait(10 * time.Second)
			w.create("out", "test-sink", append(odd, "consumer.mode="+mode, "consumer.max.poll.records=20")...)
			w.wait(time.Minute)
			w.wantState("out", connect.Failed)
			if got := w.status("out").Cause; !strings.Contains(got, "offset 12") {
				t.Errorf("%s: cause = %q, want it to name offset 12", mode, got)
			}
			if got := w.lag("connect-out"); got != 28 {
				t.Errorf("%s: %d of 40 messages are not acknowledged, want 28: 1 to 12 are safe or dropped", mode, got)
			}
		})
	}
}

func TestTombstoneRuleIsForWhatComesOutOfTheChain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.message = func(m *oms.Message, n int) {
			if n%2 == 0 {
				m.Body = nil
			}
		}
		w.start()
		w.create("in", "test-source", "last=10", "every.ms=10")
		w.create("out", "test-sink", "transforms=f", "transforms.f.type=Filter", "transforms.f.predicate=p", "predicates=p", "predicates.p.type=RecordIsTombstone")
		w.create("made", "test-sink", "transforms=v", "transforms.v.type=Expression", "transforms.v.value=value == '5' ? nil : 'x'")
		w.wait(time.Minute)
		w.wantState("out", connect.Running)
		w.wantState("made", connect.Failed)
		if got := w.status("made").Cause; !strings.Contains(got, "offset 4") || !strings.Contains(got, "tombstone") {
			t.Errorf("cause = %q, want the tombstone at offset 4", got)
		}
	})
}
