package connect_test

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// swap ends the gateway, and starts another one on another broker and the same
// store.
func (w *world) swap(identity string, how connect.BrokerChange) {
	w.t.Helper()
	w.shutdown()
	w.broker, w.driver = mem.Options{Identity: identity}, nil
	w.options.BrokerChange = how
	w.start()
	w.wait(10 * time.Second)
}

// brokerOf returns the identity that is noted for a connector.
func (w *world) brokerOf(name string) string {
	w.t.Helper()
	id, err := w.store.Broker(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// wantOthers fails the test unless the connector has failed since it belongs
// to another broker, and says what can be done.
func (w *world) wantOthers(name, noted, now string) {
	w.t.Helper()
	s := w.status(name)
	if len(s.Tasks) != 1 || s.Tasks[0].State != connect.Failed {
		w.t.Fatalf("%s: %+v, want a task that has failed", name, s)
	}
	for _, want := range []string{noted, now, "--broker-changed=continue", "--broker-changed=restart"} {
		if !strings.Contains(s.Tasks[0].Cause, want) {
			w.t.Errorf("%s: the cause does not name %s: %s", name, want, s.Tasks[0].Cause)
		}
	}
}

// on the first broker, twenty records of a source and its sink.
func (w *world) begun(config ...string) {
	w.t.Helper()
	w.broker.Identity = "first"
	w.start()
	w.create("out", "test-sink")
	w.create("in", "test-source", append(config, "every.ms=100")...)
	w.wait(10 * time.Second)
	for _, name := range []string{"in", "out"} {
		w.wantState(name, connect.Running)
		if got := w.brokerOf(name); got != "first" {
			w.t.Fatalf("the broker of %s is %q, want first", name, got)
		}
	}
}

func TestConnectorsDoNotStartOnAnotherBrokerThanTheirs(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begun()
		w.shutdown()
		position, polls, puts := w.position("in"), w.source.count("Poll"), w.sink.count("Put")
		w.start()
		w.swap("second", connect.BrokerChangeFail)
		polls, puts = max(polls, w.source.count("Poll")), max(puts, w.sink.count("Put"))
		w.wait(time.Hour)
		for _, name := range []string{"in", "out"} {
			w.wantOthers(name, "first", "second")
		}
		if w.source.count("Poll") != polls || w.sink.count("Put") != puts || w.position("in") < position {
			t.Error("something was moved all the same, or forgotten")
		}
		w.swap("first", connect.BrokerChangeFail) // it was a mistake
		w.wantState("in", connect.Running)
		w.wantState("out", connect.Running)
	})
}

// A connector that is made again under its name has the positions of the one
// before, and is asked the same.
func TestAConnectorThatIsMadeAgainKnowsItsBroker(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begun()
		for _, name := range []string{"in", "out"} {
			w.do(w.catalog.Delete, name)
		}
		w.wait(10 * time.Second)
		if defs, err := w.store.List(t.Context()); err != nil || len(defs) > 0 {
			t.Fatalf("definitions left: %v, %v", defs, err)
		}
		position, polls := w.position("in"), w.source.count("Poll")
		w.swap("second", connect.BrokerChangeFail)
		w.create("out", "test-sink")
		w.create("in", "test-source", "every.ms=100")
		w.wait(10 * time.Second)
		w.wantOthers("in", "first", "second")
		w.wantOthers("out", "first", "second")
		if w.source.count("Poll") != polls || w.position("in") != position {
			t.Errorf("%d polls after %d, position %d after %d: something was moved all the same", w.source.count("Poll"), polls, w.position("in"), position)
		}
		w.swap("first", connect.BrokerChangeFail)
		w.wantState("in", connect.Running)
		w.wantState("out", connect.Running)
		if bodies := w.topic("t")[0]; len(bodies) == 0 || bodies[0] != strconv.Itoa(position+1) {
			t.Errorf("the first broker gets %v, want it to go on behind %d", bodies, position)
		}
	})
}

// A source that has moved nothing has left nothing on the old broker. Of a
// sink nobody knows.
func TestASourceThatHasMovedNothingIsFreeToChange(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.Identity = "first"
		w.source.onCall = on("Poll", func() error { return errPasses })
		w.start()
		w.create("in", "test-source", "every.ms=100")
		w.create("out", "test-sink")
		w.wait(10 * time.Second)
		if got := w.brokerOf("in"); got != "first" || w.position("in") != 0 {
			t.Fatalf("the broker is %q, the position %d", got, w.position("in"))
		}
		w.shutdown()
		w.source.onCall = nil
		w.start()
		w.swap("second", connect.BrokerChangeFail)
		w.wantState("in", connect.Running)
		w.wantOthers("out", "first", "second")
		if got := w.brokerOf("in"); got != "second" || w.brokerOf("out") != "first" {
			t.Errorf("the brokers are %s and %s", got, w.brokerOf("out"))
		}
	})
}

func TestAConnectorContinuesOnAnotherBrokerWhenToldTo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begun()
		w.shutdown()
		position := w.position("in")
		w.start()
		w.swap("second", connect.BrokerChangeContinue)
		w.wantState("in", connect.Running)
		w.wantState("out", connect.Running)
		bodies := w.topic("t")[0]
		if len(bodies) == 0 || bodies[0] == "1" || w.position("in") <= position {
			t.Errorf("the second broker has %v, and the position is %d after %d; want it to go on", bodies, w.position("in"), position)
		}
		if a, b := w.brokerOf("in"), w.brokerOf("out"); a != "second" || b != "second" {
			t.Errorf("the brokers are %s and %s", a, b)
		}
		w.swap("second", connect.BrokerChangeFail) // from now on it is theirs
		w.wantState("in", connect.Running)
	})
}

func TestAConnectorBeginsAgainOnAnotherBrokerWhenToldTo(t *testing.T) {
	for _, tasks := range []string{"1", "3"} {
		t.Run(tasks+" tasks", func(t *testing.T) {
			inWorld(t, func(w *world) {
				if tasks == "3" {
					w.source.split = 3
				}
				w.begun("tasks.max=" + tasks)
				w.swap("second", connect.BrokerChangeRestart)
				w.wantState("in", connect.Running)
				for partition, bodies := range w.topic("t") {
					if bodies[0] != "1" {
						t.Errorf("partition %d of the second broker begins with %s, want everything from 1", partition, bodies[0])
					}
				}
				if len(w.topic("t")) == 0 || w.brokerOf("in") != "second" {
					t.Errorf("the second broker has %v; the broker of the source is %s", w.topic("t"), w.brokerOf("in"))
				}
			})
		})
	}
}

// A driver that cannot tell its brokers apart, or cannot do it now.
type namelessDriver struct {
	oms.Driver
	ask func() error
}

func (d *namelessDriver) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	c, err := d.Driver.Open(ctx, ap)
	return &namelessConn{c.(admin), d.ask}, err
}

func (d *namelessDriver) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	c := d.Driver.Capabilities(ap)
	if d.ask == nil {
		c.Claims = maps.Clone(c.Claims)
		delete(c.Claims, oms.BrokerIdentity)
	}
	return c
}

type namelessConn struct {
	admin
	ask func() error
}

func (c *namelessConn) Identity(ctx context.Context) (string, error) {
	if err := c.ask(); err != nil {
		return "", err
	}
	return c.admin.Identity(ctx)
}

func TestWhileTheBrokerDoesNotSayWhoItIsNothingStarts(t *testing.T) {
	inWorld(t, func(w *world) {
		var away atomic.Bool
		away.Store(true)
		w.wrap = func(d oms.Driver) oms.Driver {
			return &namelessDriver{d, func() error {
				if away.Load() {
					return &oms.Error{Op: "identify", Code: oms.ErrUnavailable}
				}
				return nil
			}}
		}
		w.start()
		w.create("in", "test-source", "every.ms=100")
		w.wait(10 * time.Second)
		if s := w.status("in"); len(s.Tasks) != 1 || s.Tasks[0].State != connect.Retrying || w.source.count("Poll") > 0 {
			t.Errorf("while it is away: %+v after %d polls", s, w.source.count("Poll"))
		}
		away.Store(false)
		w.wait(2 * time.Minute)
		w.wantState("in", connect.Running)
	})
}

func TestOnABrokerWithoutAnIdentityConnectorsJustStart(t *testing.T) {
	inWorld(t, func(w *world) {
		w.wrap = func(d oms.Driver) oms.Driver { return &namelessDriver{d, nil} }
		w.start()
		w.create("in", "test-source", "every.ms=100")
		w.wait(10 * time.Second)
		w.wantState("in", connect.Running)
		if got := w.brokerOf("in"); got != "" {
			t.Errorf("the broker is %q", got)
		}
	})
}
