package connect_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A turmoil is a random schedule of everything that may happen to a source and
// a sink: commands, failures of hooks, store and broker, and gateways that come
// and go on the same store.
type turmoil struct {
	*world
	r       *rand.Rand
	wit     *witness
	healthy atomic.Bool
	alive   []*gateway
	spawned int
	lost    int // times that all connections were lost

	mu    sync.Mutex
	dice  *rand.Rand // of the broker's faults
	rough bool       // the broker fails
}

const turmoilLast = 80

// In the end everything is delivered, in order, with bounded repeats; on the
// way nothing is committed that is not confirmed, and no task takes a step that
// the state table does not have.
func TestNothingIsLostInATurmoil(t *testing.T) {
	seeds(t, schedules(100, 5000), func(w *world, r *rand.Rand) {
		u := &turmoil{world: w, r: r, dice: rand.New(rand.NewPCG(r.Uint64(), 2))}
		w.options.Grace = u.upTo(5 * time.Second)
		w.broker.Partitions = 1 + r.IntN(3)
		w.broker.ConfirmAfter, w.broker.DurableAfter = u.upTo(time.Second), u.upTo(time.Second)
		w.broker.OnSend, w.broker.OnAck = u.onSend, u.onAck
		w.source.resume, w.sink.resume, w.sink.flush = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
		chaos := u.both(w.chaos(rand.New(rand.NewPCG(r.Uint64(), 3)), &u.healthy))
		w.source.onCall, w.sink.onCall = chaos, chaos
		states := w.watchTasks()
		u.wit = w.watch(newMeddler())
		u.join()
		for range 14 {
			w.wait(u.upTo(3 * time.Second))
			u.step()
		}
		u.heal()
		end := time.Now().Add(30 * time.Minute)
		for w.status("in").State != connect.Finished {
			if time.Now().After(end) {
				w.t.Fatalf("the source does not finish: %+v", w.status("in"))
			}
			w.wait(time.Second)
		}
		w.eventually(10*time.Minute, "the sink has all", func() bool { return len(missing(w.sink.bodies(), turmoilLast)) == 0 })
		w.eventually(10*time.Minute, "the sink is RUNNING", func() bool { return w.status("out").State == connect.Running })
		if got := w.position("in"); got != turmoilLast {
			w.t.Errorf("position = %d at the end, want %d", got, turmoilLast)
		}
		u.wit.wantDelivered(turmoilLast, u.lost)
		states.wantAllowed(w.t)
	})
}

func (u *turmoil) upTo(most time.Duration) time.Duration {
	return time.Duration(u.r.Int64N(int64(most/time.Millisecond))+1) * time.Millisecond
}

// both has the chaos of the connector "it" happen to the two of this test.
func (u *turmoil) both(chaos onCall) onCall {
	return func(ctx context.Context, env connect.Env, hook, arg string) error {
		env.Connector = "it"
		return chaos(ctx, env, hook, arg)
	}
}

func (u *turmoil) roll(sides int) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.rough {
		return -1
	}
	return u.dice.IntN(sides)
}

func (u *turmoil) onSend(m *oms.Message) error {
	codes := []oms.Code{oms.ErrUnavailable, oms.ErrBusy, oms.ErrTimeout, oms.ErrFull, oms.ErrUnknown, oms.ErrNoSubscription}
	i := u.roll(4 * len(codes))
	if i < 0 || i >= len(codes) {
		return nil
	}
	if codes[i] == oms.ErrUnknown {
		u.wit.sentUnknown(m)
	}
	return &oms.Error{Op: "send", Code: codes[i], Err: errors.New("rough")}
}

func (u *turmoil) onAck(*oms.Message) error {
	if u.roll(8) == 0 {
		return errAway
	}
	return nil
}

// join has one more gateway come, leave has one go.
func (u *turmoil) join() {
	u.spawned++
	u.gateway = u.spawn(fmt.Sprintf("gateway-%d", u.spawned%3)) // sometimes one that was there before
	u.alive = append(u.alive, u.gateway)
}

func (u *turmoil) leave(end func(*gateway)) {
	if len(u.alive) == 0 {
		return
	}
	i := u.r.IntN(len(u.alive))
	g := u.alive[i]
	u.alive = append(u.alive[:i:i], u.alive[i+1:]...)
	end(g)
}

// step is one thing that happens.
func (u *turmoil) step() {
	name := []string{"in", "out"}[u.r.IntN(2)]
	script := map[string]*scripted{"in": u.source, "out": u.sink}[name]
	env := u.envOf(script, name)
	switch u.r.IntN(16) {
	case 0, 1:
		u.ask(u.catalog.Pause, name)
	case 2:
		u.ask(u.catalog.Stop, name)
	case 3, 4:
		u.ask(u.catalog.Resume, name)
	case 5:
		u.ask(u.catalog.Restart, name)
	case 6:
		u.ask(u.catalog.Delete, name)
	case 7:
		u.changeConfig(name)
	case 8:
		if env.Fail != nil {
			env.Fail([]error{errors.New("found elsewhere"), errPasses, errLasts}[u.r.IntN(3)])
		}
	case 9:
		if env.Reconfigure != nil {
			env.Reconfigure()
		}
	case 10:
		u.store.setFault([]func(context.Context, string) error{away(), hanging("Renew", "Commit", "Publish"), away("Commit", "Load"), away("Broker", "Adopt"), nil}[u.r.IntN(5)])
	case 11:
		u.driver.SetDown([]error{oms.ErrUnavailable, oms.ErrDenied, nil, nil}[u.r.IntN(4)])
		u.lost++
	case 12:
		u.mu.Lock()
		u.rough = !u.rough
		u.mu.Unlock()
	case 13:
		if len(u.alive) < 2 {
			u.join()
		}
	case 14:
		u.leave(u.end)
	case 15:
		u.leave(u.kill)
		u.lost++
	}
	u.define()
}

// ask asks for something; a store that is away, or a connector that is not
// there, says so.
func (u *turmoil) ask(call func(context.Context, string) error, name string) {
	ctx, cancel := context.WithTimeout(u.t.Context(), 2*time.Second)
	defer cancel()
	_ = call(ctx, name)
}

// define makes the connectors that are not there, if that can be now.
func (u *turmoil) define() {
	for name, config := range map[string]oms.KeyValue{
		"in": settings("test-source", fmt.Sprintf("last=%d", turmoilLast), "every.ms=200", fmt.Sprintf("batch=%d", 1+u.r.IntN(4)),
			"inflight.max.records=20", "uncommitted.max.records=40", "restart.backoff.max.ms=4000"),
		"out": settings("test-sink", "consumer.max.poll.records=7", "restart.backoff.max.ms=4000"),
	} {
		ctx, cancel := context.WithTimeout(u.t.Context(), 2*time.Second)
		_, _ = u.catalog.Create(ctx, connect.Request{Name: name, Config: config})
		cancel()
	}
}

// heal ends all faults, and has both connectors run.
func (u *turmoil) heal() {
	u.healthy.Store(true)
	u.store.setFault(nil)
	u.driver.SetDown(nil)
	u.lost++
	u.mu.Lock()
	u.rough = false
	u.mu.Unlock()
	if len(u.alive) == 0 {
		u.join()
	}
	u.gateway = u.alive[0]
	for _, name := range []string{"in", "out"} {
		u.eventually(10*time.Minute, name+" is defined", func() bool {
			u.define()
			d, ok := u.defined(name)
			return ok && !d.Deleted
		})
		u.insist(func(ctx context.Context) error { return u.catalog.Resume(ctx, name) })
		u.insist(func(ctx context.Context) error { return u.catalog.Restart(ctx, name) }) // of what stands in FAILED
	}
}

func (u *turmoil) defined(name string) (offsets.Definition, bool) {
	defs, err := u.store.List(u.t.Context())
	if err != nil {
		u.t.Fatal(err)
	}
	for _, d := range defs {
		if d.Name == name {
			return d, true
		}
	}
	return offsets.Definition{}, false
}
