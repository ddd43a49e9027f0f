package omconnect

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// moved returns contents of a source and a sink, each with its broker.
func moved(broker string) contents {
	c := newContents()
	for _, name := range []string{"in", "out"} {
		c.definitions = append(c.definitions, offsets.Definition{Name: name, Config: map[string]string{"connector.class": name}, Target: offsets.TargetRunning})
		if broker != "" {
			c.brokers[name] = broker
		}
	}
	c.positions["in"] = map[offsets.Partition]offsets.Position{`{"p":1}`: `{"n":1}`}
	return c
}

// filled returns a store with contents.
func filled(t *testing.T, c contents) *offsets.Memory {
	t.Helper()
	store := offsets.NewMemory()
	if err := writeStore(t.Context(), store, c, false); err != nil {
		t.Fatal(err)
	}
	return store
}

// wantStored fails unless the store has exactly these contents, apart from
// revisions.
func wantStored(t *testing.T, store offsets.Store, want contents) {
	t.Helper()
	got, err := readStore(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.definitions {
		got.definitions[i].Revision = 0
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(contents{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnImportNotesTheBrokers(t *testing.T) {
	store := filled(t, moved("first"))
	wantStored(t, store, moved("first"))
	if err := writeStore(t.Context(), store, moved("first"), false); err != nil {
		t.Errorf("the same again: %v", err)
	}
	wantStored(t, store, moved("first"))
}

func TestAnImportOfAnotherBrokerIsRefusedWhole(t *testing.T) {
	for name, tt := range map[string]struct{ there, here string }{
		"another one": {"first", "second"},
		"none":        {"first", ""},
	} {
		t.Run(name, func(t *testing.T) {
			store := filled(t, moved(tt.there))
			other := moved(tt.here)
			err := writeStore(t.Context(), store, other, false)
			if _, ok := errors.AsType[usageError](err); !ok || !strings.Contains(err.Error(), "in, out") || !strings.Contains(err.Error(), "another broker") {
				t.Fatalf("got %v, want bad usage that names both connectors", err)
			}
			wantStored(t, store, moved(tt.there))
			if err := writeStore(t.Context(), store, other, true); err != nil {
				t.Fatal(err)
			}
			wantStored(t, store, other)
		})
	}
}

// An import that was cut short has positions, and lacks brokers.
func TestAnImportCompletesWhatHasNoBrokerYet(t *testing.T) {
	store := filled(t, moved(""))
	if err := writeStore(t.Context(), store, moved("first"), false); err != nil {
		t.Fatal(err)
	}
	wantStored(t, store, moved("first"))
}

// The broker of a sink that was deleted is still noted, and is in no list.
func TestAnImportSeesTheBrokerOfADeletedConnector(t *testing.T) {
	store := offsets.NewMemory()
	if err := store.Adopt(t.Context(), "out", "", "old", false); err != nil {
		t.Fatal(err)
	}
	err := writeStore(t.Context(), store, moved("first"), false)
	if _, ok := errors.AsType[usageError](err); !ok || !strings.Contains(err.Error(), "configuration: out;") {
		t.Fatalf("got %v, want bad usage that names the sink alone", err)
	}
	wantStored(t, store, newContents())
	if err := writeStore(t.Context(), store, moved("first"), true); err != nil {
		t.Fatal(err)
	}
	wantStored(t, store, moved("first"))
}

// A gateway that starts a connector while its state is written has it first.
func TestAnImportDoesNotTakeABrokerOver(t *testing.T) {
	store := &adopting{Memory: offsets.NewMemory()}
	if err := writeStore(t.Context(), store, moved("first"), true); !errors.Is(err, oms.ErrAborted) || !strings.Contains(err.Error(), "connector in") {
		t.Errorf("got %v, want ErrAborted that names the connector", err)
	}
	if id, err := store.Broker(t.Context(), "in"); err != nil || id != "faster" {
		t.Errorf("the broker is %q, %v", id, err)
	}
}

// An adopting store has somebody else note a broker as soon as there are
// positions.
type adopting struct{ *offsets.Memory }

func (s *adopting) Alter(ctx context.Context, name string, set map[offsets.Partition]offsets.Position, del []offsets.Partition) error {
	return errors.Join(s.Memory.Alter(ctx, name, set, del), s.Adopt(ctx, name, "", "faster", false))
}
