package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

func TestAPositionBeyondTheEndIsAGap(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		sendAll(t, at, []*oms.Message{in(0, 0), in(0, 1), in(1, 2)})
		zero, one := oms.Partition{Topic: "t"}, oms.Partition{Topic: "t", Number: 1}
		stored := map[string]map[oms.Partition]int64{
			"the group's own":   nil,
			"that of the store": {zero: 100, one: -5},
		}
		for name, positions := range stored {
			g := group(fmt.Sprint("g", len(positions)))
			if positions == nil { // as a power cut leaves it: the stream lost its end
				for p, next := range []uint64{100, 1} {
					if _, err := at.js.CreateConsumer(testContext(t), fmt.Sprintf("t-%d", p), jetstream.ConsumerConfig{
						Durable: g.Group, AckPolicy: jetstream.AckExplicitPolicy,
						DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: next,
					}); err != nil {
						t.Fatal(err)
					}
				}
			}
			g.OnAssigned = func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) { return positions, nil }
			m := openMember(t, at, g)
			if got := m.get(t, 1)[0]; got.Partition != 1 || got.Offset != 1 {
				t.Errorf("%s: offset %d of partition %d comes first", name, got.Offset, got.Partition)
			}
			next, err := at.Conn.(oms.OffsetFinder).Offsets(testContext(t), []string{"t"}, oms.Start{From: oms.StartLatest})
			if err != nil {
				t.Fatal(err)
			}
			sendAll(t, at, []*oms.Message{in(0, 7)}) // is not passed over
			if got := m.get(t, 1)[0]; got.Partition != 0 || got.Offset != next[zero] {
				t.Errorf("%s: offset %d of partition %d comes next, want %d of 0", name, got.Offset, got.Partition, next[zero])
			}
			m.mu.Lock()
			want := []oms.Gap{{Partition: zero, From: 100, To: next[zero]}}
			if diff := cmp.Diff(want, m.gaps); diff != "" {
				t.Errorf("%s: gaps: %s", name, diff)
			}
			m.mu.Unlock()
			closeClient(t, m)
		}
	})
}

func TestASeekBeyondTheEndMovesNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		sendAll(t, at, []*oms.Message{in(0, 0), in(1, 1)})
		m := openMember(t, at, group("g"))
		msgs := m.get(t, 2)
		seek := m.Receiver.(oms.Seeker).Seek
		zero, one := oms.Partition{Topic: "t"}, oms.Partition{Topic: "t", Number: 1}
		for _, to := range []map[oms.Partition]int64{{zero: 1, one: 3}, {zero: 1, one: -1}} {
			if err := seek(testContext(t), to); !errors.Is(err, oms.ErrInvalid) {
				t.Errorf("Seek to %v: %v, want ErrInvalid", to, err)
			}
		}
		if err := seek(testContext(t), map[oms.Partition]int64{zero: 1, {Topic: "u"}: 1}); !errors.Is(err, oms.ErrNotFound) {
			t.Errorf("Seek elsewhere: %v, want ErrNotFound", err)
		}
		if err := m.Ack(t.Context(), msgs); err != nil {
			t.Errorf("Ack after seeks that failed: %v", err)
		}
		if err := seek(testContext(t), map[oms.Partition]int64{zero: 2, one: 2}); err != nil { // the end itself
			t.Error(err)
		}
		sendAll(t, at, []*oms.Message{in(0, 2)})
		if got := m.get(t, 1)[0]; got.Offset != 2 {
			t.Errorf("offset %d comes behind the end", got.Offset)
		}
	})
}

func TestASeekDoesNotEndAPause(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		sendAll(t, at, []*oms.Message{in(0, 0)})
		m := openMember(t, at, group("g"))
		m.get(t, 1)
		zero := oms.Partition{Topic: "t"}
		pauser, seeker := m.Receiver.(oms.Pauser), m.Receiver.(oms.Seeker)
		if err := pauser.Pause(testContext(t), []oms.Partition{zero}); err != nil {
			t.Fatal(err)
		}
		if err := seeker.Seek(testContext(t), map[oms.Partition]int64{zero: 1}); err != nil {
			t.Fatal(err)
		}
		sendAll(t, at, []*oms.Message{in(1, 1)})
		if got := m.get(t, 1)[0]; got.Partition != 1 {
			t.Errorf("a message of the paused partition comes")
		}
		m.none(t, 100*time.Millisecond)
		if err := pauser.Resume(testContext(t), []oms.Partition{zero}); err != nil {
			t.Fatal(err)
		}
		if got := m.get(t, 1)[0]; got.Partition != 0 || got.Offset != 1 {
			t.Errorf("offset %d of partition %d comes after the pause", got.Offset, got.Partition)
		}
	})
}
