package connect_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func TestInvariant6OrderIsKeptThroughFailuresInTheMiddleOfThePipeline(t *testing.T) {
	codes := []oms.Code{oms.ErrUnavailable, oms.ErrUnknown, oms.ErrFull, oms.ErrClosed} // the last one fails the task
	seeds(t, 12, func(w *world, r *rand.Rand) {
		w.broker.Partitions = 4
		w.broker.ConfirmAfter = time.Duration(r.IntN(400)) * time.Millisecond
		var mu sync.Mutex
		failing := 1 + r.IntN(30)
		w.broker.OnSend = func(*oms.Message) error {
			mu.Lock()
			defer mu.Unlock()
			if r.IntN(1000) < failing {
				return codes[r.IntN(len(codes))]
			}
			return nil
		}
		const last = 800
		w.start()
		w.create("in", "test-source", "last=800", "every.ms=5", "restart.max.attempts=-1", "restart.backoff.max.ms=1000",
			fmt.Sprintf("batch=%d", 5+r.IntN(600)), fmt.Sprintf("inflight.max.records=%d", 1+r.IntN(700)))
		w.eventually(10*time.Hour, "the source is finished", func() bool { return w.status("in").State == connect.Finished })
		all := 0
		for p, bodies := range w.topic("t") {
			byKey := make(map[int]int) // the last number of each key that came for the first time
			for _, body := range firsts(bodies) {
				n, _ := strconv.Atoi(body)
				if n < byKey[n%7] {
					w.t.Fatalf("partition %d: %d was delivered first after %d", p, n, byKey[n%7])
				}
				byKey[n%7] = n
				all++
			}
		}
		if all != last {
			w.t.Fatalf("%d of %d numbers arrived", all, last)
		}
	})
}

func TestInvariant6NothingOvertakesARecordThatFailsForGood(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.ConfirmAfter = time.Second
		fail := true
		w.broker.OnSend = func(m *oms.Message) error {
			if fail && string(m.Body) == "5" {
				return oms.ErrTooLarge
			}
			return nil
		}
		w.start()
		// With a window of four records the source waits to hand over what is
		// behind 5 while 5 fails.
		w.create("in", "test-source", "last=40", "every.ms=0", "inflight.max.records=4")
		w.wait(time.Minute)
		w.wantState("in", connect.Failed)
		if got, want := w.topic("t")[0], numbers(4); !slices.Equal(got, want) {
			t.Fatalf("the broker has %v, want %v: 5 failed", got, want)
		}
		fail = false
		w.do(w.catalog.Restart, "in")
		w.wait(time.Minute)
		if got, want := w.topic("t")[0], numbers(40); !slices.Equal(got, want) {
			t.Errorf("the broker has %v, want 1 to 40 in order", got)
		}
	})
}

func TestRecordsOfOnePositionAreCommittedTogether(t *testing.T) {
	inWorld(t, func(w *world) {
		// Numbers 499 to 502 come from one place. The first batch that is sent
		// would end with 500.
		w.source.message = func(m *oms.Message, n int) {
			if n >= 499 && n <= 502 {
				m.Origin.Position = `{"n":502}`
			}
		}
		w.broker.OnSend = func(m *oms.Message) error {
			if string(m.Body) == "501" {
				return oms.ErrTooLarge
			}
			return nil
		}
		w.start()
		w.create("in", "test-source", "last=600", "batch=600")
		w.wait(time.Minute)
		w.wantState("in", connect.Failed)
		if got := w.position("in"); got == 502 {
			t.Error("a position was committed of which one record is not stored")
		}
	})
}

func TestInvariant7RecordThatFailsForGoodIsNamedAndTheNextStartGoesOnWithIt(t *testing.T) {
	errBad := &oms.Error{Op: "write", Code: oms.ErrFormat, Err: errors.New("no date")}
	for name, c := range map[string]struct {
		set    func(w *world, on *bool)
		failed string // the connector
		cause  []string
	}{
		"send": {func(w *world, on *bool) {
			w.broker.OnSend = func(m *oms.Message) error {
				if *on && string(m.Body) == "4" {
					return oms.ErrTooLarge
				}
				return nil
			}
		}, "in", []string{"send", `{"task":0}`, `{"n":4}`, `key "k4"`, "too large"}},
		"poll": {func(w *world, on *bool) {
			w.source.onCall = onWhile(on, "Poll 4", errBad)
		}, "in", []string{"poll", "no date"}},
		"no origin": {func(w *world, on *bool) {
			w.source.message = func(m *oms.Message, n int) {
				if *on && n == 4 {
					m.Origin = nil
				}
			}
		}, "in", []string{"poll", "Origin"}},
		"bad position": {func(w *world, on *bool) {
			w.source.message = func(m *oms.Message, n int) {
				if *on && n == 4 {
					m.Origin.Position = "four"
				}
			}
		}, "in", []string{"poll", "four", "JSON object"}},
		"put": {func(w *world, on *bool) {
			w.sink.onCall = onWhile(on, "Put 4", errBad)
		}, "out", []string{"put of t partition 0 offset 3", `key "k4"`, "no date"}},
		"part of a put": {func(w *world, on *bool) {
			w.sink.onCall = onWhile(on, "Put 4", &connect.PartialError{Index: 0, Err: errBad})
		}, "out", []string{"put of t partition 0 offset 3", "no date"}},
		"impossible part of a put": {func(w *world, on *bool) {
			w.sink.onCall = onWhile(on, "Put 4", &connect.PartialError{Index: 7, Err: oms.ErrInvalid})
		}, "out", []string{"put", "index 7", "batch of 1"}},
		"tombstone": {func(w *world, _ *bool) {
			w.source.message = func(m *oms.Message, n int) {
				if n == 4 {
					m.Body = nil
				}
			}
			w.sink.graves = false
		}, "out", []string{"put of t partition 0 offset 3", "tombstone"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				on := true
				c.set(w, &on)
				w.start()
				w.create("in", "test-source", "last=9", "restart.max.attempts=0")
				w.create("out", "test-sink", "restart.max.attempts=0")
				w.wait(time.Minute)
				w.wantState(c.failed, connect.Failed)
				for _, want := range c.cause {
					if got := w.status(c.failed).Cause; !strings.Contains(got, want) {
						t.Errorf("the cause %q does not have %q", got, want)
					}
				}
				if got := w.position("in"); c.failed == "in" && got != 3 {
					t.Errorf("position = %d, want 3: what was before the record", got)
				}
				if got := w.sink.bodies(); !slices.Equal(got, numbers(3)) {
					t.Errorf("the sink has %v, want 1 to 3", got)
				}
				on, w.sink.graves = false, true
				w.do(w.catalog.Restart, c.failed)
				w.wait(time.Minute)
				want := numbers(9)
				if name == "tombstone" {
					want[3] = ""
				}
				if got := firsts(w.sink.bodies()); !slices.Equal(got, want) {
					t.Errorf("mended, the sink has %v, want %v", got, want)
				}
			})
		})
	}
}

// onWhile returns an onCall that fails in one hook as long as on is set.
func onWhile(set *bool, hook string, err error) onCall {
	return on(hook, func() error {
		if *set {
			return err
		}
		return nil
	})
}

func TestPartialErrorLeavesTheRestToBePutAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		first := true
		w.sink.onCall = on("Put 1", func() error {
			if !first {
				return nil
			}
			first = false
			return &connect.PartialError{Index: 4, Err: errors.New("locked"), Also: map[int]error{7: errors.New("locked too")}}
		})
		w.start()
		w.create("in", "test-source", "last=10", "batch=10")
		w.wait(5 * time.Second)
		w.create("out", "test-sink")
		w.wait(time.Minute)
		if got := w.sink.bodies(); !slices.Equal(got, numbers(10)) {
			t.Errorf("the sink has %v, want 1 to 10, none twice: the first four were safe", got)
		}
	})
}
