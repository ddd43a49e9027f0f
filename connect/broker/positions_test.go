package broker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// positions returns what the store has of a connector.
func (w *world) positions(connector string) map[offsets.Partition]offsets.Position {
	w.t.Helper()
	ps, err := w.store.Load(w.t.Context(), connector)
	if err != nil {
		w.t.Fatal(err)
	}
	return ps
}

func TestTheStoreShowsHowFarAPartitionIsConfirmed(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", `source.topics=t`)
		w.number("b", "t", 0, 30)
		w.has("a", "t", 30)
		ps := w.positions("in")
		if len(ps) != 1 || ps[`{"partition":0,"topic":"t"}`] != `{"offset":30}` {
			t.Errorf("the store has %v", ps)
		}
	})
}

// The group says where to go on, so that the tools of its broker can set it:
// the store's positions are not a second truth.
func TestTheGroupSaysWhereToGoOnAndNotTheStore(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", `source.topics=t`)
		w.number("b", "t", 0, 30)
		w.has("a", "t", 30)
		w.do(w.catalog.Stop, "in")
		w.cause("in", connect.Stopped)
		w.client("b", func(ctx context.Context, c *oms.Client) { // as an operator does
			r, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{"t"}, Group: "connect-in"})
			if err != nil {
				w.t.Fatal(err)
			}
			if _, err := r.Receive(ctx, 1, time.Second); err != nil {
				w.t.Fatal(err)
			}
			if err := r.Seek(ctx, map[oms.Partition]int64{{Topic: "t"}: 20}); err != nil {
				w.t.Fatal(err)
			}
			if err := r.Close(ctx); err != nil {
				w.t.Fatal(err)
			}
		})
		w.do(w.catalog.Resume, "in")
		w.has("a", "t", 40)
		same(t, w.bodies("a", "t"), append(numbers(30), numbers(30)[20:]...))
	})
}

// A broker without offsets, as one of queues is, gives records no place that
// they could be known by.
func TestABrokerWithoutOffsetsIsReadAsWell(t *testing.T) {
	var seen []string
	options := map[string]mem.Options{"a": {OnSend: func(m *oms.Message) error { seen = append(seen, m.ID); return nil }}}
	inWorld(t, options, func(w *world) {
		w.limits["b"] = []oms.Capability{oms.Partitioned, oms.GroupPositions}
		w.start()
		w.create("in", "broker-source", "source.broker=b", `source.topics=t`)
		const n = 200
		for i := range 4 {
			w.number("b", "t", i*n/4, n/4)
			w.wait(time.Duration(i*700) * time.Millisecond)
			w.kill()
			w.start()
		}
		w.eventually("everything is acknowledged", func() bool { return w.acknowledged("b", "connect-in", "t") == n })
		same(t, once(w.bodies("a", "t")), numbers(n))
		for p, at := range w.positions("in") {
			var record int
			if _, err := fmt.Sscanf(string(at), `{"record":%d,"run":"`, &record); err != nil || record == 0 {
				t.Errorf("the position of %s is %s: %v", p, at, err)
			}
		}
		if len(once(seen)) != n {
			t.Errorf("%d records have %d ids", n, len(once(seen)))
		}
	})
}

func TestASourceWhoseTopicIsMissingIsIdle(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.limits["b"] = []oms.Capability{oms.ManageGroups}
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t,t")
		w.create("all", "broker-source", "source.broker=b", "source.topics.regex=u.*", "source.topics.refresh.interval.ms=100")
		soon, cancel := context.WithTimeout(w.t.Context(), time.Minute)
		defer cancel()
		if err := w.rt.WaitIdle(soon); err != nil {
			t.Errorf("WaitIdle: %v", err)
		}
		w.number("b", "t", 0, 10)
		w.number("b", "u", 0, 10)
		w.has("a", "t", 10)
		w.has("a", "u", 10)
	})
}

func TestASourceIsIdleOnceItsGroupHasReadAll(t *testing.T) {
	for name, lacks := range map[string][]oms.Capability{"by its lag": nil, "without a lag": {oms.ReportLag}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.limits["b"] = lacks
				w.start()
				w.number("b", "t", 0, 10)
				w.client("b", func(ctx context.Context, c *oms.Client) { // holds the one partition
					r, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{"t"}, Group: "connect-in"})
					if err != nil {
						w.t.Fatal(err)
					}
					if _, err := r.Receive(ctx, 10, time.Second); err != nil {
						w.t.Fatal(err)
					}
					w.create("in", "broker-source", "source.broker=b", "source.topics=t")
					w.cause("in", connect.Running)
					soon, cancel := context.WithTimeout(ctx, time.Minute)
					defer cancel()
					if err := w.rt.WaitIdle(soon); err == nil {
						t.Error("the gateway is idle before anything was read")
					}
					if err := r.Close(ctx); err != nil {
						t.Error(err)
					}
				})
				soon, cancel := context.WithTimeout(w.t.Context(), time.Minute)
				defer cancel()
				if err := w.rt.WaitIdle(soon); err != nil {
					t.Errorf("WaitIdle: %v", err)
				}
				same(t, w.bodies("a", "t"), numbers(10))
			})
		})
	}
}

// On a broker without Backlog a message is lost to a group that comes later.
// These groups begin with what comes from now on, as there.
func TestGroupsOfBridgesExistBeforeAnythingIsSent(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("the broker is down at creation: %v", down), func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.limits["c"], w.limits["a"] = []oms.Capability{oms.Backlog}, []oms.Capability{oms.Backlog}
				w.start()
				if down {
					w.drivers["c"].SetDown(&oms.Error{Op: "call", Code: oms.ErrUnavailable})
				}
				stopped := func(name string, config oms.KeyValue) {
					if _, err := w.catalog.Create(w.t.Context(), connect.Request{Name: name, Config: config, Target: offsets.TargetStopped}); err != nil {
						w.t.Fatal(err)
					}
				}
				stopped("reads", oms.KeyValue{"connector.class": "broker-source", "source.broker": "c", "source.topics": "t", "topic": "read", "source.start": "latest"})
				stopped("sinks", oms.KeyValue{"connector.class": "broker-sink", "broker": "c", "topics": "t", "sink.broker": "a", "sink.topic": "sunk", "consumer.auto.offset.reset": "latest"})
				w.wait(10 * time.Second)
				w.drivers["c"].SetDown(nil)
				w.number("b", "t", 0, 10)
				w.create("into", "broker-source", "broker=c", "source.broker=b", "source.topics=t")
				w.create("on", "broker-sink", "broker=b", "topics=t", "sink.broker=c", "sink.topic=t2")
				w.has("c", "t", 10)
				w.do(w.catalog.Resume, "reads")
				w.do(w.catalog.Resume, "sinks")
				w.wait(20 * time.Second)
				same(t, w.bodies("a", "read"), numbers(10))
				same(t, w.bodies("a", "sunk"), numbers(10))
			})
		})
	}
}

func TestASinkSendsNothingBeforeTheReadersOfItsTargetAreThere(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.limits["c"] = []oms.Capability{oms.Backlog}
		w.start()
		w.drivers["c"].SetDown(&oms.Error{Op: "call", Code: oms.ErrUnavailable})
		config := oms.KeyValue{"connector.class": "broker-source", "source.broker": "c", "source.topics": "t", "topic": "read", "source.start": "latest"}
		if _, err := w.catalog.Create(w.t.Context(), connect.Request{Name: "reads", Config: config, Target: offsets.TargetStopped}); err != nil {
			w.t.Fatal(err)
		}
		w.number("a", "t", 0, 10)
		w.create("out", "broker-sink", "topics=t", "sink.broker=c")
		if cause := w.cause("out", connect.Retrying); !strings.Contains(cause, "unavailable") {
			t.Errorf("the cause is %q", cause)
		}
		w.drivers["c"].SetDown(nil)
		w.has("c", "t", 10)
		w.do(w.catalog.Resume, "reads")
		w.has("a", "read", 10)
		same(t, w.bodies("a", "read"), numbers(10))
	})
}
