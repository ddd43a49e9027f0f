package connect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A record that fails after the connector was told to pause or to stop, while
// what was read is being finished: it is a failure like any other. An instance
// that went on behind it after a pause would lose it.
func TestInvariant7FailureWhileAPauseOrStopFinishesIsSeen(t *testing.T) {
	for _, code := range []oms.Code{oms.ErrTooLarge, oms.ErrBusy} {
		for _, event := range []string{"pause", "stop"} {
			for _, resume := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, resumer %v", code, event, resume), func(t *testing.T) {
					inWorld(t, func(w *world) {
						w.source.resume = resume
						w.broker.ConfirmAfter = 3 * time.Second
						rough := true
						w.broker.OnSend = func(m *oms.Message) error {
							if rough && string(m.Body) == "5" {
								return &oms.Error{Op: "send", Code: code, Err: errors.New("rough")}
							}
							return nil
						}
						w.start()
						w.create("it", "test-source", "last=12")
						w.wait(5500 * time.Millisecond) // five are polled, and the fifth has not failed yet
						w.source.forget()
						w.do(map[string]func(context.Context, string) error{"pause": w.catalog.Pause, "stop": w.catalog.Stop}[event], "it")
						w.wait(time.Minute)
						if got := w.source.hooks(); got != "OnFailed OnStop" {
							t.Errorf("hooks = %q, want OnFailed OnStop", got)
						}
						if event == "pause" {
							s := w.status("it")
							want := map[oms.Code]connect.State{oms.ErrTooLarge: connect.Failed, oms.ErrBusy: connect.Paused}[code]
							if s.State != connect.Paused || s.Tasks[0].State != want || s.Tasks[0].Cause == "" {
								t.Errorf("status %+v, want PAUSED with a task %s and its cause", s, want)
							}
						}
						if got := w.position("it"); got != 4 {
							t.Errorf("position = %d, want 4", got)
						}
						rough = false
						w.do(w.catalog.Resume, "it")
						w.wait(5 * time.Minute)
						w.wantState("it", connect.Finished)
						wantOnce(w.t, w.topic("t")[0])
						if got := w.position("it"); got != 12 {
							t.Errorf("position = %d at the end, want 12", got)
						}
					})
				})
			}
		}
	}
}

// The end of a source is no stop: nothing presses, and what was read waits for
// a broker and a store that are away, however long.
func TestEndOfASourceWaitsForBrokerAndStore(t *testing.T) {
	for name, away := range map[string]func(*world){
		"broker":          func(w *world) { w.driver.SetDown(oms.ErrUnavailable) },
		"store":           func(w *world) { w.store.setFault(away("Commit")) },
		"a hanging store": func(w *world) { w.store.setFault(hanging("Commit")) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.options.Grace = 5 * time.Second
				w.start()
				w.create("it", "test-source", "last=4")
				w.wait(3500 * time.Millisecond)
				away(w)
				w.wait(10 * time.Minute)
				w.wantState("it", connect.Running)
				w.driver.SetDown(nil)
				w.store.setFault(nil)
				w.wait(time.Minute)
				w.wantState("it", connect.Finished)
				if got := w.source.hooks(); got != "OnStart Seek OnStop" {
					t.Errorf("hooks = %q, want no failure", got)
				}
				if got := firsts(w.topic("t")[0]); !slices.Equal(got, numbers(4)) || w.position("it") != 4 {
					t.Errorf("the broker has %v and the position is %d, want 1 to 4", got, w.position("it"))
				}
			})
		})
	}
}

func TestStopDuringTheEndOfASourceIsBoundedByItsGrace(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.Grace = 5 * time.Second
		w.broker.ConfirmAfter = time.Hour
		w.start()
		w.create("it", "test-source", "last=2")
		w.wait(time.Minute)
		w.wantState("it", connect.Running)
		began := time.Now()
		w.do(w.catalog.Stop, "it")
		w.eventually(20*time.Second, "the connector is STOPPED", func() bool { return w.status("it").State == connect.Stopped })
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("stopping took %v, want about the grace of 5 s", took)
		}
		if got := w.source.hooks(); !strings.HasSuffix(got, "OnFailed OnStop") {
			t.Errorf("hooks = %q, want OnFailed: two records were given up", got)
		}
	})
}

// A broker that takes longer to make records durable than a stop may take: the
// cause says what was waited for, and it passes by itself.
func TestTimeToMakeDurableThatIsOverIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.Grace = 2 * time.Second
		w.broker.DurableAfter = 10 * time.Second
		w.start()
		w.create("it", "test-source")
		w.wait(5500 * time.Millisecond)
		w.do(w.catalog.Pause, "it")
		w.wait(10 * time.Second)
		s := w.status("it")
		if s.State != connect.Paused || s.Tasks[0].State != connect.Paused || s.Tasks[0].Cause == "" {
			t.Errorf("status %+v, want PAUSED with a cause that passes", s)
		}
		w.do(w.catalog.Resume, "it")
		w.wait(time.Minute)
		w.wantState("it", connect.Running)
		if got := firsts(w.topic("t")[0]); !slices.Equal(got, numbers(len(got))) || len(got) < 50 {
			t.Errorf("the broker has %v, want the numbers in order", got)
		}
	})
}
