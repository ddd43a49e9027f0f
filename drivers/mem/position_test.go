package mem_test

import (
	"context"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestANewGroupBeginsWhereItsStartSays(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "0"))
		time.Sleep(time.Minute)
		noon := time.Now()
		b.send(text("t", "1"))
		time.Sleep(time.Minute)
		b.send(text("t", "2"))
		for _, c := range []struct {
			name  string
			start oms.Start
			want  []string
		}{
			{"earliest", oms.Start{}, []string{"0", "1", "2"}},
			{"at", oms.Start{From: oms.StartAtTime, At: noon}, []string{"1", "2"}},
			{"after", oms.Start{From: oms.StartAtTime, At: noon.Add(time.Second)}, []string{"2"}},
			{"future", oms.Start{From: oms.StartAtTime, At: noon.Add(time.Hour)}, nil},
			{"latest", oms.Start{From: oms.StartLatest}, nil},
		} {
			b.wantBodies(b.receive(b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: c.name, Start: c.start})), c.want...)
		}
	})
}

func TestAGroupThatHasAPositionKeepsIt(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.noError(b.groups().EnsureGroup(b.Context(), "g", []string{"t"}, oms.Start{From: oms.StartLatest}))
		b.send(text("t", "x"))
		latest := oms.Start{From: oms.StartLatest}
		b.noError(b.groups().EnsureGroup(b.Context(), "g", []string{"t"}, latest))
		b.wantBodies(b.receive(b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", Start: latest})), "x")
	})
}

func TestAGroupThatWaitedForItsTopicMissesNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		r := b.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g", Start: oms.Start{From: oms.StartLatest},
		})
		b.wantBodies(b.receive(r))
		b.topic("t", 2)
		b.send(numbered("t", 2)...)
		b.wantBodies(b.receive(r), "0", "1")
	})
}

func TestOnAssignedSaysWhereToStart(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(in(0, text("t", "0")), in(0, text("t", "1")), in(1, text("t", "2")))
		r := b.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
				return map[oms.Partition]int64{ps[0]: 1}, nil
			},
		})
		b.wantBodies(b.receive(r), "1", "2")
	})
}

func TestSeekMovesTheReceiverAndItsGroup(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 4)...)
		r, p := b.reader("t", "g"), oms.Partition{Topic: "t"}
		msgs := b.receive(r)
		b.noError(r.Ack(b.Context(), msgs[:3]))
		seek := r.(oms.Seeker).Seek
		b.noError(seek(b.Context(), map[oms.Partition]int64{p: 1}))
		b.wantError(r.Ack(b.Context(), msgs[3:]), oms.ErrStaleDelivery)
		b.wantLag("g", "t", 3)
		b.wantBodies(b.receive(r), "1", "2", "3")
		b.noError(seek(b.Context(), map[oms.Partition]int64{p: 4}))
		b.wantLag("g", "t", 0)
		b.noError(seek(b.Context(), map[oms.Partition]int64{p: 0}))
		b.noError(r.Close(b.Context()))
		b.wantBodies(b.receive(b.reader("t", "g")), "0", "1", "2", "3")
	})
}

func TestSeekGoesNowhereThatIsNot(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(in(0, text("t", "x")))
		r := b.reader("t", "g")
		msgs := b.receive(r)
		zero, one := oms.Partition{Topic: "t"}, oms.Partition{Topic: "t", Number: 1}
		for _, to := range []map[oms.Partition]int64{
			{zero: 0, one: 1}, {zero: 0, one: -1}, {zero: 2},
		} {
			b.wantError(r.(oms.Seeker).Seek(b.Context(), to), oms.ErrInvalid)
		}
		b.wantError(r.(oms.Seeker).Seek(b.Context(), map[oms.Partition]int64{{Topic: "u"}: 0}), oms.ErrNotFound)
		b.noError(r.Ack(b.Context(), msgs)) // nothing was moved
	})
}

func TestAGapIsToldBeforeWhatFollowsIt(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 5)...)
		p := oms.Partition{Topic: "t"}
		m := b.join("g", "t")
		first, err := b.poll(m, 1)
		b.noError(err)
		b.driver.Trim(p, 3)
		b.wantBodies(b.receive(m), "3", "4")
		b.wantEvents(m, "+[t/0]", "gap t/0 1-3")
		b.wantLag("g", "t", 3)
		b.noError(m.Ack(b.Context(), first))
		b.wantLag("g", "t", 2)
	})
}

func TestAMessageGivenBackMayBeGone(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 3)...)
		m := b.join("g", "t")
		out := b.receive(m)
		b.noError(m.Receiver.(oms.Nacker).Nack(b.Context(), out))
		b.driver.Trim(oms.Partition{Topic: "t"}, 2)
		b.wantBodies(b.receive(m), "2")
		b.wantEvents(m, "+[t/0]", "gap t/0 0-2")
	})
}

func TestAPositionBehindTheEndIsAGap(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "0"))
		m := b.joinAs(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
				return map[oms.Partition]int64{ps[0]: 7}, nil
			},
		})
		b.wantBodies(b.receive(m))
		b.wantEvents(m, "+[t/0]", "gap t/0 7-1")
		b.send(text("t", "1"))
		b.wantBodies(b.receive(m), "1")
	})
}

func TestNothingIsDeliveredWhileAGapIsBeingTold(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 2)...)
		b.noError(b.groups().EnsureGroup(b.Context(), "g", []string{"t"}, oms.Start{}))
		b.driver.Trim(oms.Partition{Topic: "t"}, 1)
		goOn := make(chan struct{})
		r := b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", OnGap: func(oms.Gap) { <-goOn }})
		b.wantBodies(b.receive(r))
		close(goOn)
		b.wantBodies(b.receive(r), "1")
	})
}
