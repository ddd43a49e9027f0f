package connect_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
)

// Whatever is commanded, and however hooks fail: each instance lives a legal
// life (which inWorld checks), and in the end the connector is what it was
// told to be.
func TestHooksAreLegalUnderRandomCommands(t *testing.T) {
	seeds(t, 150, func(w *world, r *rand.Rand) {
		w.options.Grace = time.Duration(r.IntN(5000)+1) * time.Millisecond
		w.broker.ConfirmAfter = time.Duration(r.IntN(2)*r.IntN(8000)) * time.Millisecond
		w.source.resume, w.sink.resume, w.sink.flush = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
		if r.IntN(3) == 0 {
			w.source.split = 3
		}
		var healthy atomic.Bool
		chaos := w.chaos(rand.New(rand.NewPCG(r.Uint64(), 1)), &healthy)
		w.source.onCall, w.sink.onCall = chaos, chaos
		w.start()
		class := []string{"test-source", "test-sink"}[r.IntN(2)]
		script := map[string]*scripted{"test-source": w.source, "test-sink": w.sink}[class]
		define := func() { w.create("it", class, "tasks.max=2", "restart.backoff.max.ms=4000") }
		define()
		w.create("other", map[string]string{"test-source": "test-sink", "test-sink": "test-source"}[class])
		target, there := offsets.TargetRunning, true
		for range 12 {
			w.wait(time.Duration(r.IntN(2)*r.IntN(4000)) * time.Millisecond)
			switch command := r.IntN(8); {
			case !there:
				if w.tryCreate("it", class, "tasks.max=2", "restart.backoff.max.ms=4000") == nil {
					target, there = offsets.TargetRunning, true
				}
			case command == 0:
				w.do(w.catalog.Pause, "it")
				target = offsets.TargetPaused
			case command == 1:
				w.do(w.catalog.Stop, "it")
				target = offsets.TargetStopped
			case command == 2:
				w.do(w.catalog.Restart, "it")
			case command == 3:
				w.do(w.catalog.Delete, "it")
				there = false
			case command == 4:
				if env := script.env(r.IntN(2)); env.Fail != nil {
					env.Fail(errors.New("found elsewhere"))
				}
			case command == 5:
				if env := script.env(r.IntN(2)); env.Reconfigure != nil {
					env.Reconfigure()
				}
			default:
				w.do(w.catalog.Resume, "it")
				target = offsets.TargetRunning
			}
		}
		healthy.Store(true)
		if !there {
			w.eventually(5*time.Minute, "the connector is gone", func() bool {
				defs, err := w.store.List(w.t.Context())
				return err == nil && len(defs) == 1
			})
			return
		}
		w.do(w.catalog.Restart, "it") // of what stands in FAILED
		want := map[offsets.Target]connect.State{
			offsets.TargetRunning: connect.Running, offsets.TargetPaused: connect.Paused, offsets.TargetStopped: connect.Stopped,
		}[target]
		w.eventually(5*time.Minute, "the connector is "+string(want), func() bool { return w.status("it").State == want })
		if want == connect.Running {
			before := script.count("Poll") + script.count("Put")
			w.eventually(time.Minute, "the connector works", func() bool { return script.count("Poll")+script.count("Put") > before })
		}
	})
}

// chaos makes hooks fail, panic, take long, and once in a while not return
// before the end of the test.
func (w *world) chaos(r *rand.Rand, healthy *atomic.Bool) onCall {
	dice := make(chan int, 1)
	dice <- 0
	return func(ctx context.Context, env connect.Env, hook, _ string) error {
		if healthy.Load() || env.Connector != "it" || hook == "HandlesTombstones" {
			return nil
		}
		<-dice
		roll, pause := r.IntN(60), time.Duration(r.IntN(3000))*time.Millisecond
		dice <- 0
		if isWork(hook) && roll > 6 {
			return nil
		}
		switch roll {
		case 0:
			return errors.New("it broke")
		case 1:
			return errPasses
		case 2:
			return errLasts
		case 3:
			panic("it broke")
		case 4:
			<-w.forever
		case 5, 6, 7, 8, 9, 10, 11:
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		case 12, 13:
			// Deaf. The microsecond keeps it off the instants at which the
			// runtime gives up: a hook that returns right then may count as
			// either, returned or stuck.
			time.Sleep(2*pause + time.Microsecond)
		}
		return nil
	}
}
