package connect_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestSinksThatBreakTheContractAreNamed(t *testing.T) {
	returns := func(err error) foreign {
		return foreign{put: func(context.Context, *foreign, []*oms.Message) error { return err }}
	}
	bad := errors.New("bad row")
	var noError *connect.PartialError
	for name, c := range map[string]struct {
		err    error
		causes []string
	}{
		"an index below 0":               {&connect.PartialError{Index: -1, Err: bad}, []string{"put of t", "index -1", "batch of"}},
		"an index behind the batch":      {&connect.PartialError{Index: 1 << 40, Err: bad}, []string{"put of t", "index 1099511627776", "batch of"}},
		"an index without a cause":       {&connect.PartialError{}, []string{"put of t", "index 0", "cause <nil>"}},
		"Also before Index":              {&connect.PartialError{Err: bad, Also: map[int]error{-3: bad}}, []string{"put of t", "also names index -3"}},
		"Also behind the batch":          {&connect.PartialError{Err: bad, Also: map[int]error{1 << 40: bad}}, []string{"put of t", "also names index"}},
		"Also without a cause":           {&connect.PartialError{Err: bad, Also: map[int]error{0: nil}}, []string{"put of t", "also names index 0"}},
		"a nil *PartialError":            {noError, []string{"put of t", "nil *PartialError", "return nil"}},
		"indices of a BatchError":        {&oms.BatchError{Failed: map[int]error{77: bad}}, []string{"put of t", "message 77"}},
		"an empty BatchError":            {&oms.BatchError{}, []string{"put of t", "messages of the batch failed"}},
		"an error that names the target": {&oms.Error{Op: "write", Code: oms.ErrNotFound}, []string{"put of t", "not found"}},
	} {
		t.Run(name, func(t *testing.T) { amongOthers(t, foreignPlugin(connect.KindSink, returns(c.err)), c.causes...) })
	}
}

// After what is wrong with an error, nothing counts as safe: mended, the sink
// gets everything.
func TestNothingIsLostByErrorsThatMakeNoSense(t *testing.T) {
	var noError *connect.PartialError
	for _, err := range []error{&connect.PartialError{Index: -1, Err: io.EOF}, &connect.PartialError{Index: 99, Err: io.EOF}, noError} {
		inWorld(t, func(w *world) {
			broken := true
			w.sink.onCall = on("Put", func() error {
				if broken {
					return err
				}
				return nil
			})
			w.start()
			w.create("in", "test-source", "last=9")
			w.create("out", "test-sink", "restart.max.attempts=0")
			w.wait(time.Minute)
			w.wantState("out", connect.Failed)
			w.sink.mu.Lock()
			w.sink.put, broken = nil, false
			w.sink.mu.Unlock()
			w.do(w.catalog.Restart, "out")
			w.wait(time.Minute)
			if got := w.sink.bodies(); !slices.Equal(got, numbers(9)) {
				t.Errorf("after %v and a restart the sink has %v, want 1 to 9", err, got)
			}
		})
	}
}

// What a connector does with its Env once it has been stopped has no effect.
func TestEnvOfAStoppedInstanceIsWithoutEffect(t *testing.T) {
	for _, class := range []string{"test-source", "test-sink"} {
		for _, target := range []string{"stop", "pause", "restart", "delete"} {
			t.Run(class+" after "+target, func(t *testing.T) {
				inWorld(t, func(w *world) {
					script := map[string]*scripted{"test-source": w.source, "test-sink": w.sink}[class]
					w.start()
					w.create("it", class)
					w.wait(5 * time.Second)
					env := script.env(0)
					if target == "pause" {
						w.do(w.catalog.Restart, "it") // so that env is not that of the paused instance
						w.wait(5 * time.Second)
					}
					w.happen(script, target)
					script.forget()
					var wg sync.WaitGroup
					for range 50 {
						wg.Go(func() { env.Fail(errLasts) })
						if target == "stop" || target == "delete" {
							wg.Go(env.Reconfigure)
						}
						wg.Go(func() { _, _ = env.Broker(context.Background(), connect.DefaultBroker) })
						wg.Go(func() { env.Logger.Info("still here") })
					}
					wg.Wait()
					w.wait(time.Minute)
					if got := script.hooks(); got != "" {
						t.Errorf("hooks = %q, want none", got)
					}
					switch target {
					case "delete":
						if _, err := w.catalog.Get(w.t.Context(), "it"); !errors.Is(err, oms.ErrNotFound) {
							t.Errorf("Get returns %v, want it to stay deleted", err)
						}
					default:
						w.wantState("it", map[string]connect.State{"stop": connect.Stopped, "pause": connect.Paused, "restart": connect.Running}[target])
					}
				})
			})
		}
	}
}

// A source is not asked for more once it has said that it ends.
func TestNothingIsPolledAfterTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		var mu sync.Mutex
		polls := 0
		w.plugins.Register(foreignPlugin(connect.KindSource, foreign{poll: func(context.Context, *foreign) ([]*oms.Message, error) {
			mu.Lock()
			defer mu.Unlock()
			polls++
			return []*oms.Message{{Body: []byte("last"), Origin: at(`{"n":1}`)}}, io.EOF
		}}))
		w.create("it", "foreign-source", "topic=t")
		w.wait(time.Minute)
		w.wantState("it", connect.Finished)
		mu.Lock()
		defer mu.Unlock()
		if got := w.topic("t")[0]; polls != 1 || !slices.Equal(got, []string{"last"}) {
			t.Errorf("polled %d times, the topic has %v; want what came with io.EOF, once", polls, got)
		}
		ps, err := w.store.Load(w.t.Context(), "it")
		if want := offsets.Position(`{"n":1}`); err != nil || ps[`{"p":0}`] != want {
			t.Errorf("positions = %v, %v, want %s", ps, err, want)
		}
	})
}
