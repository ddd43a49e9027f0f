package mem_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestOffsetsAreWhereAGroupWouldBegin(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		begun := time.Now()
		for i := range 3 {
			b.send(in(0, text("t", "x")))
			if i == 0 {
				b.send(in(1, text("t", "y")))
			}
			time.Sleep(time.Minute)
		}
		b.driver.Trim(oms.Partition{Topic: "t"}, 1)
		at := func(d time.Duration) oms.Start { return oms.Start{From: oms.StartAtTime, At: begun.Add(d)} }
		for name, c := range map[string]struct {
			start     oms.Start
			zero, one int64
		}{
			"earliest":        {oms.Start{}, 1, 0},
			"latest":          {oms.Start{From: oms.StartLatest}, 3, 1},
			"before all":      {at(-time.Hour), 1, 0},
			"at the removed":  {at(0), 1, 0},
			"at a message":    {at(time.Minute), 1, 1},
			"after a message": {at(time.Minute + 1), 2, 1},
			"in the future":   {at(time.Hour), 3, 1},
		} {
			got, err := b.offsets(c.start, "t")
			b.noError(err)
			want := map[oms.Partition]int64{{Topic: "t"}: c.zero, {Topic: "t", Number: 1}: c.one}
			if diff := cmp.Diff(want, got); diff != "" {
				b.Errorf("%s, -want +got:\n%s", name, diff)
			}
			// It is what a group that starts there gets first.
			r := b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: name, Start: c.start})
			for _, m := range b.receive(r) {
				p := oms.Partition{Topic: "t", Number: m.Partition}
				if m.Offset < want[p] {
					b.Errorf("%s: a group gets offset %d of %s, want %d at the earliest", name, m.Offset, p, want[p])
				}
			}
			b.wantPositions(name, "t", c.zero, c.one)
			b.noError(r.Close(b.Context()))
		}
	})
}

func TestADelayedMessageHasNoOffsetBeforeItIsDue(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		m := text("t", "later")
		m.Delay = time.Hour
		b.send(m)
		p, latest := oms.Partition{Topic: "t"}, oms.Start{From: oms.StartLatest}
		for _, want := range []int64{0, 1} {
			got, err := b.offsets(latest, "t")
			b.noError(err)
			if got[p] != want {
				b.Errorf("the next offset is %d, want %d", got[p], want)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestOffsetsOfWhatIsNotThere(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		_, err := b.offsets(oms.Start{}, "t", "u")
		b.wantError(err, oms.ErrNotFound)
		for _, start := range []oms.Start{{From: oms.StartAtTime}, {From: 7}} {
			_, err = b.offsets(start, "t")
			b.wantError(err, oms.ErrInvalid)
		}
		_, err = b.offsets(oms.Start{}, "t", "$x")
		b.wantError(err, oms.ErrInvalid)
		none, err := b.offsets(oms.Start{})
		b.noError(err)
		if len(none) != 0 {
			b.Errorf("offsets of no topic are %v, want none", none)
		}
	})
}

func TestAPositionIsTheFirstThatIsNotAcknowledged(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(in(0, text("t", "0")), in(0, text("t", "1")), in(0, text("t", "2")))
		b.wantPositions("g", "t") // there is no such group
		r := b.reader("t", "g")
		b.wantPositions("g", "t", 0, 0)
		msgs := b.receive(r)
		b.noError(r.Ack(b.Context(), msgs[1:2]))
		b.wantPositions("g", "t", 0, 0)
		b.noError(r.Ack(b.Context(), msgs[:1]))
		b.wantPositions("g", "t", 2, 0)
		b.noError(r.(oms.Nacker).Nack(b.Context(), msgs[2:]))
		b.wantPositions("g", "t", 2, 0)
		b.noError(r.(oms.Seeker).Seek(b.Context(), map[oms.Partition]int64{{Topic: "t"}: 1}))
		b.wantPositions("g", "t", 1, 0)
		b.noError(r.Close(b.Context()))
		b.wantPositions("g", "t", 1, 0)
		b.wantPositions("g", "missing")
		b.topic("u", 1)
		b.wantPositions("g", "u") // which the group does not read
		b.noError(b.groups().DeleteGroup(b.Context(), "g", []string{"t"}))
		b.wantPositions("g", "t")
	})
}

func TestPositionsNeedAGroupAndTopicsThatMayBe(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		find := b.conn.(oms.GroupPositioner).Positions
		_, err := find(b.Context(), "", []string{"t"})
		b.wantError(err, oms.ErrInvalid)
		_, err = find(b.Context(), "g", []string{"$x"})
		b.wantError(err, oms.ErrInvalid)
	})
}

func TestAPositionStaysUntilItsGapIsTold(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.noError(b.groups().EnsureGroup(b.Context(), "g", []string{"t"}, oms.Start{}))
		b.send(numbered("t", 3)...)
		b.driver.Trim(oms.Partition{Topic: "t"}, 2)
		b.wantPositions("g", "t", 0)
		m := b.join("g", "t")
		b.wantBodies(b.receive(m), "2")
		b.wantEvents(m, "+[t/0]", "gap t/0 0-2")
		b.wantPositions("g", "t", 2)
	})
}

func TestWhatIsNotAssignedCanBeNeitherPausedNorMoved(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.topic("u", 1)
		one, two := b.join("g", "t"), b.join("g", "t")
		b.join("other", "u")
		b.wantEvents(two, "+[t/1]")
		b.send(in(0, text("t", "0")))
		mine, theirs := oms.Partition{Topic: "t"}, oms.Partition{Topic: "t", Number: 1}
		r := one.Receiver
		for _, p := range []oms.Partition{theirs, {Topic: "u"}, {Topic: "t", Number: 2}, {Topic: "nowhere"}} {
			ps := []oms.Partition{mine, p}
			b.wantError(r.(oms.Pauser).Pause(b.Context(), ps), oms.ErrNotFound)
			b.wantError(r.(oms.Pauser).Resume(b.Context(), ps), oms.ErrNotFound)
			b.wantError(r.(oms.Seeker).Seek(b.Context(), map[oms.Partition]int64{mine: 1, p: 0}), oms.ErrNotFound)
		}
		b.wantBodies(b.receive(one), "0") // neither paused nor moved
	})
}

func TestAPartitionThatGoesCanBeNeitherPausedNorMoved(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		var pause, seek error
		var one *member
		one = b.joinAs(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnRevoked: func(ctx context.Context, ps []oms.Partition) {
				pause = one.Receiver.(oms.Pauser).Pause(ctx, ps)
				seek = one.Receiver.(oms.Seeker).Seek(ctx, map[oms.Partition]int64{ps[0]: 0})
			},
		})
		b.wantEvents(one, "+[t/0 t/1]")
		b.join("g", "t")
		b.wantEvents(one, "-[t/1]")
		b.wantError(pause, oms.ErrNotFound)
		b.wantError(seek, oms.ErrNotFound)
	})
}

func TestAFailedOnAssignedAssignsNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 2)...)
		fails := true
		m := b.joinAs(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
				if fails { // an offset beside an error counts for nothing
					return map[oms.Partition]int64{ps[0]: 1}, oms.ErrUnavailable
				}
				return nil, nil
			},
		})
		_, err := m.Receive(b.Context(), 1)
		b.wantError(err, oms.ErrUnavailable) // temporary, and told all the same
		b.wantError(m.Receiver.(oms.Pauser).Pause(b.Context(), []oms.Partition{{Topic: "t"}}), oms.ErrNotFound)
		b.wantPositions("g", "t", 0)
		fails = false
		msgs, err := m.Receive(b.Context(), 10)
		b.noError(err)
		b.wantBodies(msgs, "0", "1")
		b.wantEvents(m, "+[t/0]", "+[t/0]")
	})
}

func TestAMemberThatCannotBeAssignedStaysAMember(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		broken := errors.New("positions are damaged")
		r := b.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) { return nil, broken },
		})
		other := b.join("g", "t")
		b.wantBodies(b.receive(other)) // the partition is not passed on
		_, err := r.Receive(b.Context(), 1)
		b.wantError(err, broken)
		b.noError(r.Close(b.Context()))
		b.wantBodies(b.receive(other), "x")
	})
}

func TestClosingTellsOfNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		m := b.join("g", "t")
		b.wantEvents(m, "+[t/0 t/1]")
		b.noError(m.Close(b.Context()))
		b.wantEvents(m)
		// Nor does closing what it came from.
		n := b.join("g", "t")
		b.wantEvents(n, "+[t/0 t/1]")
		b.noError(b.conn.Close(b.Context()))
		b.wantEvents(n)
	})
}

func TestAnOffsetBelowAllIsTheBeginning(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "0"))
		m := b.joinAs(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
				return map[oms.Partition]int64{ps[0]: -1}, nil
			},
		})
		b.wantBodies(b.receive(m), "0")
		b.wantEvents(m, "+[t/0]")
	})
}
