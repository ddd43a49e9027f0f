package connect_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

const scenarioLast = 60

// scenario runs a source and a sink through everything that calls the store
// and the broker: start, pause, resume, restart, stop, delete, and a new start
// of the gateway. In the end all is delivered, whatever was spoilt. Of unknown
// numbers the broker says that it does not know whether it has them.
func scenario(w *world, m *meddler, unknown ...int) {
	w.t.Helper()
	w.broker.ConfirmAfter, w.broker.DurableAfter = 30*time.Millisecond, 20*time.Millisecond
	wit := w.watch(m)
	for _, n := range unknown {
		wit.unknown[n]++
	}
	w.start()
	in := settings("test-source", fmt.Sprintf("last=%d", scenarioLast), "every.ms=200", "batch=2", "restart.backoff.max.ms=4000")
	w.insist(func(ctx context.Context) error { return w.createAgain(ctx, "in", in) })
	w.insist(func(ctx context.Context) error {
		return w.createAgain(ctx, "out", settings("test-sink", "restart.backoff.max.ms=4000"))
	})
	w.insist(func(ctx context.Context) error { return w.createAgain(ctx, "other", settings("test-sink")) })
	for _, step := range []struct {
		call func(context.Context, string) error
		name string
	}{
		{w.catalog.Pause, "in"},
		{w.catalog.Resume, "in"},
		{w.catalog.Restart, "out"},
		{w.catalog.Stop, "in"},
		{w.catalog.Delete, "other"},
		{w.catalog.Resume, "in"},
	} {
		w.wait(700 * time.Millisecond)
		w.insist(func(ctx context.Context) error {
			err := step.call(ctx, step.name)
			if step.name == "other" && errors.Is(err, oms.ErrNotFound) {
				return nil // it was carried out the first time
			}
			return err
		})
	}
	w.wait(time.Second)
	w.shutdown()
	w.start()
	w.recover("in", connect.Finished)
	w.recover("out", connect.Running)
	w.eventually(5*time.Minute, "all is delivered", func() bool { return len(missing(w.sink.bodies(), scenarioLast)) == 0 })
	if got := w.position("in"); got != scenarioLast {
		w.t.Errorf("position = %d at the end, want %d", got, scenarioLast)
	}
	w.eventually(5*time.Minute, "the deleted connector is gone", func() bool {
		defs, err := w.store.List(w.t.Context())
		return err == nil && len(defs) == 2
	})
	wit.wantDelivered(scenarioLast, 0)
}

// createAgain creates a connector, which may be there from a try before.
func (w *world) createAgain(ctx context.Context, name string, config oms.KeyValue) error {
	_, err := w.catalog.Create(ctx, connect.Request{Name: name, Config: config})
	if errors.Is(err, oms.ErrExists) {
		return nil
	}
	return err
}

// insist repeats what a user asks for until it is answered.
func (w *world) insist(ask func(context.Context) error) {
	w.t.Helper()
	var err error
	for range 5 {
		ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
		err = ask(ctx)
		cancel()
		if err == nil {
			return
		}
		w.wait(100 * time.Millisecond)
	}
	w.t.Fatalf("asked five times: %v", err)
}

// recover waits for the state. What stands in FAILED must have lost its state,
// as the store says; it is restarted.
func (w *world) recover(name string, want connect.State) {
	w.t.Helper()
	w.eventually(10*time.Minute, fmt.Sprintf("%s is %s", name, want), func() bool {
		var s connect.Status
		w.insist(func(ctx context.Context) (err error) {
			s, err = w.catalog.Status(ctx, name)
			return err
		})
		if s.State == connect.Failed {
			if !strings.Contains(s.Cause, string(offsets.ErrStateLost)) {
				w.t.Fatalf("%s is FAILED: %s", name, s.Cause)
			}
			w.insist(func(ctx context.Context) error { return w.catalog.Restart(ctx, name) })
		}
		return s.State == want
	})
}

// tricksOf returns what can be done to a call.
func tricksOf(op string) []trick {
	codes := []oms.Code{oms.ErrUnavailable, oms.ErrTimeout, oms.ErrBusy, oms.ErrFull, oms.ErrNoSubscription, oms.ErrUnknown, oms.ErrDenied}
	rand.Shuffle(len(codes), func(i, j int) { codes[i], codes[j] = codes[j], codes[i] })
	var tricks []trick
	for _, c := range codes[:schedules(2, len(codes))] {
		tricks = append(tricks, refused(c))
	}
	tricks = append(tricks, uncoded)
	switch op {
	case "Open": // does no I/O, and holds others up
		return tricks
	case "Watch":
		return tricks
	case "OpenSender", "OpenReceiver", "Receive": // wait as long as the broker is away
		return append(tricks, slow(3*time.Second), deaf)
	case "Ack", "CreateTopic", "EnsureGroup":
		return append(tricks, slow(3*time.Second), deaf, answerLost(oms.ErrUnknown))
	case "CloseSender", "CloseReceiver", "FlushReceiver":
		return append(tricks, slow(3*time.Second), stuck, deaf, answerLost(oms.ErrUnknown))
	case "CloseConn":
		return nil // its error is the gateway's to tell
	case "Renew", "Commit":
		tricks = append(tricks, refused(oms.ErrFenced), refused(offsets.ErrStateLost))
	case "Acquire":
		tricks = append(tricks, refused(oms.ErrHeld))
	case "Put", "Adopt":
		tricks = append(tricks, refused(oms.ErrAborted))
	}
	return append(tricks, slow(3*time.Second), stuck, deaf, answerLost(oms.ErrUnavailable), answerLost(oms.ErrUnknown))
}

// Every call that a gateway makes of its store and its broker fails once, in a
// run of its own, in each way it can: all records arrive all the same, in
// order, nothing is committed that is not confirmed, and all states recover.
func TestAnyCallMayFailOnce(t *testing.T) {
	whole := newMeddler()
	inWorld(t, func(w *world) { scenario(w, whole) })
	counts := whole.counted()
	for _, op := range []string{
		"Acquire", "Renew", "Release", "Load", "Commit", "Broker", "Adopt", "List", "Put", "Remove", "Publish", "Withdraw", "Statuses", "Watch",
		"Open", "OpenSender", "OpenReceiver", "CreateTopic", "EnsureGroup", "CloseSender", "Receive", "Ack", "CloseReceiver",
	} {
		if counts[op] == 0 {
			t.Errorf("the scenario never calls %s; it calls %v", op, counts)
		}
	}
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		for _, trick := range tricksOf(op) {
			// All calls, where time is no matter: else the first and one more.
			calls := []int{1, 2 + r.IntN(max(1, counts[op]-1))}
			if most := schedules(0, 40); most > 0 {
				calls = r.Perm(counts[op])
				calls = calls[:min(most, len(calls))]
			}
			for _, n := range calls {
				if n < 1 || n > counts[op] {
					continue
				}
				t.Run(fmt.Sprintf("%s %d %s", op, n, trick.name), func(t *testing.T) {
					inWorld(t, func(w *world) {
						m := newMeddler()
						m.op, m.nth, m.trick = op, n, trick
						scenario(w, m)
						if !m.spoilt() && n == 1 {
							w.t.Errorf("the call was not made: %v", m.counted())
						}
					})
				})
			}
		}
	}
}

// Tasks list what is defined before they send and receive. A store that does
// not answer any one of these questions holds nobody up for ever.
func TestAListOfConnectorsThatHangsIsAskedForAgain(t *testing.T) {
	whole := newMeddler()
	inWorld(t, func(w *world) { scenario(w, whole) })
	for n := 1; n <= whole.counted()["List"]; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inWorld(t, func(w *world) {
				m := newMeddler()
				m.op, m.nth, m.trick = "List", n, stuck
				scenario(w, m)
			})
		})
	}
}

// As TestAnyCallMayFailOnce, for each message that is sent: some of the first, of the middle and
// of the last, with each code that passes by itself.
func TestAnySendMayFailOnce(t *testing.T) {
	codes := []oms.Code{oms.ErrUnavailable, oms.ErrTimeout, oms.ErrBusy, oms.ErrFull, oms.ErrNoSubscription, oms.ErrUnknown, oms.ErrDenied, "slow"}
	for _, number := range []int{1, 2, 7, 8, 30, scenarioLast - 1, scenarioLast} {
		for _, code := range codes {
			t.Run(fmt.Sprintf("%d %s", number, code), func(t *testing.T) {
				inWorld(t, func(w *world) {
					failed := false
					w.broker.OnSend = func(m *oms.Message) error {
						if failed || string(m.Body) != fmt.Sprint(number) {
							return nil
						}
						failed = true
						if code == "slow" {
							time.Sleep(4 * time.Second)
							return nil
						}
						return &oms.Error{Op: "send", Code: code, Err: errors.New("spoilt")}
					}
					if code == oms.ErrUnknown {
						scenario(w, newMeddler(), number)
					} else {
						scenario(w, newMeddler())
					}
					if !failed {
						w.t.Error("nothing failed")
					}
				})
			})
		}
	}
}
