package connect_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// odd is the configuration of a chain that drops every even number.
var odd = []string{"transforms=f", "transforms.f.type=Expression", "transforms.f.filter=int(value) % 2 == 1"}

// odds returns the odd numbers from 1 to n as text.
func odds(n int) []string {
	return slices.DeleteFunc(numbers(n), func(s string) bool { return strings.HasSuffix(s, "0") || strings.ContainsAny(s[len(s)-1:], "2468") })
}

// TestInvariant1DroppedRecordsAdvanceThePosition: a source whose every second
// record is filtered commits them all, the last ones too.
func TestInvariant1DroppedRecordsAdvanceThePosition(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", append(odd, "last=100", "batch=7", "every.ms=100")...)
		w.wait(time.Minute)
		w.wantState("in", connect.Finished)
		if got := w.topic("t")[0]; !slices.Equal(got, odds(100)) {
			t.Errorf("the broker has %v, want the odd numbers", got)
		}
		if got := w.position("in"); got != 100 || w.source.told() != 100 {
			t.Errorf("position %d is committed and %d told, want 100", got, w.source.told())
		}
	})
}

func TestSourceOfWhichEverythingIsDroppedCommitsAndIsIdle(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "transforms=f", "transforms.f.type=Filter", "last=20000", "batch=500", "every.ms=1", "uncommitted.max.records=600")
		w.wait(2 * time.Minute)
		if got := w.position("in"); got != 20000 {
			t.Errorf("position %d is committed, want 20000", got)
		}
		w.wantState("in", connect.Finished)
	})
}

// A dropped record is committed only when everything before it is confirmed.
func TestInvariant1DroppedRecordsWaitForThoseBefore(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.ConfirmAfter = time.Minute
		w.start()
		w.create("in", "test-source", "transforms=f", "transforms.f.type=Expression", "transforms.f.filter=value == '3'", "every.ms=100")
		w.wait(50 * time.Second)
		if got := w.position("in"); got != 2 {
			t.Errorf("position %d is committed, want 2: 3 is not confirmed", got)
		}
		w.wait(30 * time.Second)
		if got := w.position("in"); got < 100 {
			t.Errorf("position %d is committed after 3 is confirmed, want all", got)
		}
	})
}

// TestInvariant8KilledAndRestartedSourceWithDropsLosesNothing kills gateways
// and stops and restarts the connector; the ids tell what is a repeat.
func TestInvariant8KilledAndRestartedSourceWithDropsLosesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.LeaseTTL = 5 * time.Second
		ids := make(map[string]string)
		w.sink.onPut = func(_ *lifeline, msgs []*oms.Message) {
			for _, m := range msgs {
				if was, ok := ids[m.ID]; ok && was != string(m.Body) {
					t.Errorf("%s and %s have the same id", was, m.Body)
				}
				ids[m.ID] = string(m.Body)
			}
		}
		w.start()
		w.create("in", "test-source", append(odd, "last=600", "every.ms=50")...)
		w.create("out", "test-sink")
		for i := range 4 {
			w.wait(5*time.Second + 123*time.Millisecond)
			if i%2 == 0 {
				g := w.gateway
				w.kill(g)
				w.wait(time.Second)
				w.start()
				continue
			}
			w.do(w.catalog.Stop, "in")
			w.wait(time.Second)
			at := w.source.highest()
			if got := w.position("in"); got != at {
				t.Errorf("stopped softly at %d, and position %d is committed", at, got)
			}
			w.do(w.catalog.Resume, "in")
		}
		w.eventually(5*time.Minute, "finished", func() bool { return w.status("in").State == connect.Finished })
		w.wait(time.Minute)
		if got := firsts(w.sink.bodies()); !slices.Equal(got, odds(600)) {
			t.Errorf("the sink has %d numbers, want the 300 odd ones in order: %v", len(got), got)
		}
		if len(ids) != 300 {
			t.Errorf("there are %d ids for 300 records: a repeat is not recognised", len(ids))
		}
	})
}

func TestRouterSendsToATopicThatIsMade(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "last=20", "every.ms=10", "topic.creation.default.partitions=3",
			"transforms=r", "transforms.r.type=RegexRouter", "transforms.r.regex=(.*)", "transforms.r.replacement=new-$1")
		w.wait(time.Minute)
		w.create("out", "test-sink", "topics=new-t")
		w.wait(time.Minute)
		w.wantState("in", connect.Finished)
		if got := w.sink.bodies(); len(missing(got, 20)) != 0 {
			t.Errorf("the sink has %v, want 1 to 20", got)
		}
		if got := w.topic("new-t"); len(got) != 3 {
			t.Errorf("the records are in %d partitions of new-t, want 3", len(got))
		}
	})
}

func TestFailureOfATransformNamesItAndSendsWhatIsBefore(t *testing.T) {
	for _, mode := range []string{"source", "pull", "push"} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.source.message = func(m *oms.Message, n int) {
					m.Body = fmt.Appendf(nil, `{"n":%d}`, n)
					if n == 13 {
						m.Body = []byte("s3cr3t")
					}
				}
				failing := []string{"transforms=mask", "transforms.mask.type=MaskField$Value", "transforms.mask.fields=x"}
				config := map[string][]string{mode: failing}
				w.start()
				w.create("in", "test-source", append(config["source"], "batch=5", "every.ms=10", "last=30")...)
				name, want := "in", `transform of {"task":0} at {"n":13}: connector in, transform mask (MaskField$Value): `
				if mode != "source" {
					name, want = "out", `transform of t partition 0 offset 12: connector out, transform mask (MaskField$Value): `
					w.create("out", "test-sink", append(failing, "consumer.mode="+mode)...)
				}
				w.wait(time.Minute)
				w.wantState(name, connect.Failed)
				if got := w.status(name).Cause; !strings.HasPrefix(got, want) || strings.Contains(got, "s3cr3t") || strings.Contains(got, "k6") {
					t.Errorf("cause = %q, want it to begin with %q and not to quote the record", got, want)
				}
				if mode == "source" {
					if got := w.topic("t")[0]; len(got) != 12 || w.position("in") != 12 {
						t.Errorf("the broker has %v and position %d, want the 12 before", got, w.position("in"))
					}
					return
				}
				if got := w.sink.bodies(); len(got) != 12 {
					t.Errorf("the sink has %v, want the 12 before", got)
				}
				if got := w.lag("connect-out"); got != 18 {
					t.Errorf("%d messages are not acknowledged, want 18", got)
				}
			})
		})
	}
}

func TestRecordsThatShareThePositionOfAFailureAreNotCommitted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.message = func(m *oms.Message, n int) {
			if n == 4 || n == 5 {
				m.Origin.Position = `{"n":5}` // one position for 4 to 6
			}
			if n == 6 {
				m.Origin.Position, m.Body = `{"n":5}`, []byte("x")
			}
		}
		w.start()
		w.create("in", "test-source", append(odd, "batch=10", "last=10")...)
		w.wait(time.Hour)
		if got := w.position("in"); got != 3 {
			t.Errorf("position %d is committed, want 3", got)
		}
	})
}

// faults is a transform that panics or hangs for the number 7.
type faults struct {
	kind    string
	forever chan struct{}
	closed  *atomic.Int64
}

func (f *faults) Apply(r *connect.Record) (*connect.Record, error) {
	if v, err := r.Get(connect.PartValue); err == nil && v == "7" {
		if f.kind == "panic" {
			panic("out of luck")
		}
		<-f.forever
	}
	return r, nil
}

func (f *faults) Close() error { f.closed.Add(1); return nil }

func TestTransformThatPanicsOrHangsFailsItsTaskOnly(t *testing.T) {
	for _, kind := range []string{"panic", "hang"} {
		for _, of := range []string{"in", "out"} {
			t.Run(kind+" "+of, func(t *testing.T) {
				inWorld(t, func(w *world) {
					var made, closed atomic.Int64
					w.start()
					w.plugins.RegisterTransform(connect.TransformPlugin{Type: "Faults", Doc: "Fails.", New: func(oms.KeyValue) (connect.Transform, error) {
						made.Add(1)
						return &faults{kind, w.forever, &closed}, nil
					}})
					config := map[string][]string{of: {"transforms=f", "transforms.f.type=Faults", "restart.max.attempts=1"}}
					w.create("in", "test-source", append(config["in"], "last=20", "every.ms=10")...)
					w.create("out", "test-sink", append(config["out"], "consumer.max.poll.records=3")...)
					w.wait(10 * time.Minute)
					w.wantState(of, connect.Failed)
					want := "panic: out of luck"
					if kind == "hang" {
						want = "did not return in time"
					}
					if got := w.status(of); !strings.Contains(got.Cause, want) || !strings.Contains(got.Cause, "transform") {
						t.Errorf("cause = %q, want %q", got.Cause, want)
					}
					if got, stuck := made.Load()-closed.Load(), kind == "hang"; got != 0 && !stuck {
						t.Errorf("%d of %d transforms were not closed", got, made.Load())
					}
				})
			})
		}
	}
}

func TestKeysAndTopicsFollowTheRecord(t *testing.T) {
	inWorld(t, func(w *world) {
		var got []string
		w.sink.onPut = func(_ *lifeline, msgs []*oms.Message) {
			for _, m := range msgs {
				got = append(got, fmt.Sprintf("%s %s %s", m.Topic, m.Key, m.Body))
			}
		}
		w.source.message = func(m *oms.Message, n int) { m.Body = []byte(`{"id":` + strconv.Itoa(n) + `}`) }
		w.start()
		w.create("in", "test-source", "last=2", "transforms=k,x", "transforms.k.type=ValueToKey", "transforms.k.fields=id",
			"transforms.x.type=ExtractField$Key", "transforms.x.field=id", "value.converter=json")
		w.create("out", "test-sink", "value.converter=JsonConverter", "transforms=r", "transforms.r.type=TimestampRouter", "transforms.r.topic.format=${topic}_${timestamp}", "transforms.r.timestamp.format=yyyy")
		w.wait(time.Minute)
		if want := []string{`t_2000 1 {"id":1}`, `t_2000 2 {"id":2}`}; !slices.Equal(got, want) {
			t.Errorf("the sink was given %q, want %q", got, want)
		}
		if bodies := w.topic("t")[0]; len(bodies) == 0 || bodies[0] != `{"schema":null,"payload":{"id":1}}` {
			t.Errorf("the broker has %q", bodies)
		}
	})
}
