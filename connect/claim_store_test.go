package connect_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestAStartLeavesItsDefinitionAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		definitions := func() []offsets.Definition {
			defs, err := w.store.List(t.Context())
			if err != nil || len(defs) != 2 {
				t.Fatalf("the definitions are %v, %v", defs, err)
			}
			return defs
		}
		puts := new(atomic.Int64)
		w.around = func(s offsets.Store) offsets.Store { return &countedStore{s, puts} }
		w.begun()
		before := definitions()
		w.swap("second", connect.BrokerChangeRestart)
		w.wantState("in", connect.Running)
		if got := puts.Load(); got != 2 || !slices.EqualFunc(before, definitions(), func(a, b offsets.Definition) bool { return a.Revision == b.Revision }) {
			t.Errorf("%d definitions were put, want the two that were created; from %+v to %+v", got, before, definitions())
		}
	})
}

type countedStore struct {
	offsets.Store
	puts *atomic.Int64
}

func (s *countedStore) Put(ctx context.Context, d offsets.Definition) (int64, error) {
	s.puts.Add(1)
	return s.Store.Put(ctx, d)
}

// A racedStore has somebody else note a broker just before the first time that
// one is noted here.
type racedStore struct {
	offsets.Store
	other string
	raced *atomic.Bool
}

func (s *racedStore) Adopt(ctx context.Context, connector, from, to string, forget bool) error {
	if s.raced.CompareAndSwap(false, true) {
		if err := s.Store.Adopt(ctx, connector, from, s.other, forget); err != nil {
			return err
		}
		// It begins to work, and is not to be disturbed.
		if err := s.Alter(ctx, connector, map[offsets.Partition]offsets.Position{`{"task":0}`: `{"n":7}`}, nil); err != nil {
			return err
		}
	}
	return s.Store.Adopt(ctx, connector, from, to, forget)
}

func TestWhoeverIsFasterNotesTheBroker(t *testing.T) {
	for name, how := range map[string]connect.BrokerChange{"the first start": connect.BrokerChangeFail, "a restart": connect.BrokerChangeRestart} {
		for _, other := range []string{"here", "elsewhere"} {
			t.Run(name+", "+other, func(t *testing.T) {
				inWorld(t, func(w *world) {
					raced := new(atomic.Bool)
					w.around = func(s offsets.Store) offsets.Store { return &racedStore{s, other, raced} }
					w.broker.Identity, w.options.BrokerChange = "here", how
					if how == connect.BrokerChangeRestart {
						if err := w.store.Adopt(t.Context(), "in", "", "before", false); err != nil {
							t.Fatal(err)
						}
					}
					w.start()
					w.create("in", "test-source", "every.ms=100")
					w.wait(10 * time.Second)
					if !raced.Load() {
						t.Fatal("no broker was noted")
					}
					if s := w.status("in"); s.State == connect.Running && (len(s.Tasks) != 1 || s.Tasks[0].Attempts != 0) {
						t.Errorf("%+v, want it to run at the first attempt", s)
					}
					switch {
					case other == "here":
						w.wantState("in", connect.Running)
						if got := w.topic("t")[0]; len(got) == 0 || got[0] != "8" {
							t.Errorf("the broker has %v, want the source to go on behind 7", got)
						}
					case how == connect.BrokerChangeFail:
						w.wantOthers("in", "elsewhere", "here")
						if got := w.position("in"); got != 7 {
							t.Errorf("the position is %d, want that of the other one, 7", got)
						}
					default:
						w.wantState("in", connect.Running)
						if got := w.topic("t")[0]; len(got) == 0 || got[0] != "1" || w.brokerOf("in") != "here" {
							t.Errorf("the broker %s has %v, want everything from 1", w.brokerOf("in"), got)
						}
					}
				})
			})
		}
	}
}

// Positions that are forgotten must not come back by the hand of somebody who
// still works for the old broker.
func TestWhoStillWorksForTheOldBrokerIsFencedWithItsPositions(t *testing.T) {
	position := map[offsets.Partition]offsets.Position{`{"task":0}`: `{"n":7}`}
	for _, tt := range []struct {
		name, class string
		stored      map[offsets.Partition]offsets.Position
		how         connect.BrokerChange
		fenced      bool
	}{
		{"a source that restarts", "test-source", position, connect.BrokerChangeRestart, true},
		{"a source that has moved nothing", "test-source", nil, connect.BrokerChangeFail, true},
		{"a source that continues", "test-source", position, connect.BrokerChangeContinue, false},
		{"a sink that restarts", "test-sink", nil, connect.BrokerChangeRestart, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				l, err := w.store.Acquire(t.Context(), offsets.Owner{Connector: "it"}, "elsewhere", time.Hour)
				if err := errors.Join(err, w.store.Commit(t.Context(), l, tt.stored), w.store.Adopt(t.Context(), "it", "", "first", false)); err != nil {
					t.Fatal(err)
				}
				w.broker.Identity, w.options.BrokerChange = "second", tt.how
				w.start()
				w.create("it", tt.class, "every.ms=100")
				w.wait(10 * time.Second)
				if got := w.brokerOf("it"); got != "second" {
					t.Errorf("the broker is %s", got)
				}
				late := w.store.Commit(t.Context(), l, position)
				switch s := w.status("it"); {
				case tt.fenced && (oms.CodeOf(late) != oms.ErrFenced || s.State != connect.Running):
					t.Errorf("the late commit: %v, want ErrFenced; %+v", late, s)
				case !tt.fenced && (late != nil || len(s.Tasks) > 0 && s.Tasks[0].State == connect.Running):
					t.Errorf("the late commit: %v, want it to hold its lease; %+v", late, s)
				}
				if tt.fenced {
					if got := w.topic("t")[0]; len(got) == 0 || got[0] != "1" {
						t.Errorf("the broker has %v, want everything from 1", got)
					}
				}
			})
		})
	}
}

// A dyingStore has its gateway die where positions are forgotten.
type dyingStore struct {
	*mortalStore
	after bool // it is carried out
	died  *atomic.Bool
}

func (s *dyingStore) Adopt(ctx context.Context, connector, from, to string, forget bool) error {
	if !forget {
		return s.mortalStore.Adopt(ctx, connector, from, to, forget)
	}
	if s.after {
		if err := s.mortalStore.Adopt(ctx, connector, from, to, forget); err != nil {
			return err
		}
	}
	s.died.Store(true)
	s.dead.Store(true)
	return s.mortalStore.Adopt(ctx, connector, from, to, forget)
}

func TestARestartOnAnotherBrokerIsWholeOrNotAtAll(t *testing.T) {
	for name, after := range map[string]bool{"dies before": false, "dies after": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.begun()
				w.shutdown()
				position := w.position("in")
				died := new(atomic.Bool)
				w.around = func(s offsets.Store) offsets.Store { return &dyingStore{s.(*mortalStore), after, died} }
				w.start()
				w.swap("second", connect.BrokerChangeRestart)
				w.kill(w.gateway)
				if !died.Load() {
					t.Fatal("nothing was forgotten")
				}
				w.around = nil
				how := connect.BrokerChangeRestart
				if after {
					position, how = 0, connect.BrokerChangeFail
				}
				if got, want := w.brokerOf("in"), map[bool]string{false: "first", true: "second"}[after]; got != want || w.position("in") != position {
					t.Fatalf("the broker is %s, the position %d, want %s and %d", got, w.position("in"), want, position)
				}
				w.swap("second", how)
				w.wantState("in", connect.Running)
				if got := w.topic("t")[0]; len(got) == 0 || got[0] != "1" || w.brokerOf("in") != "second" {
					t.Errorf("the broker %s has %v, want everything from 1", w.brokerOf("in"), got)
				}
			})
		})
	}
}

func TestAConnectorWaitsForTheStoreToNoteItsBroker(t *testing.T) {
	for name, fault := range map[string]func(...string) func(context.Context, string) error{"away": away, "hanging": hanging} {
		for _, op := range []string{"Broker", "Load", "Adopt"} {
			t.Run(name+" for "+op, func(t *testing.T) {
				inWorld(t, func(w *world) {
					if err := w.store.Adopt(t.Context(), "in", "", "old", false); err != nil { // it has moved nothing there
						t.Fatal(err)
					}
					w.broker.Identity = "new"
					w.store.setFault(fault(op))
					w.start()
					w.create("in", "test-source", "every.ms=100")
					w.wait(15 * time.Second)
					tried := []connect.State{connect.Retrying, connect.Unassigned} // waiting for the next attempt, or in it
					if s := w.status("in"); len(s.Tasks) != 1 || !slices.Contains(tried, s.Tasks[0].State) || s.Tasks[0].Attempts == 0 || w.source.count("Poll") > 0 {
						t.Errorf("while the store is away: %+v after %d polls", s, w.source.count("Poll"))
					}
					w.store.setFault(nil)
					if got := w.brokerOf("in"); got != "old" {
						t.Errorf("the broker is %s already", got)
					}
					w.wait(2 * time.Minute)
					w.wantState("in", connect.Running)
					if got := w.brokerOf("in"); got != "new" {
						t.Errorf("the broker is %s", got)
					}
				})
			})
		}
	}
}
