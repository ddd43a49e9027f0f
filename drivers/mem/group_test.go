package mem_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestEveryGroupGetsEveryMessage(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.noError(b.groups().EnsureGroup(b.Context(), "one", []string{"t"}, oms.Start{}))
		b.noError(b.groups().EnsureGroup(b.Context(), "two", []string{"t"}, oms.Start{From: oms.StartLatest}))
		b.send(keyed("t", "k", "0"), keyed("t", "k", "1"))
		for _, group := range []string{"one", "two"} {
			b.wantBodies(b.receive(b.reader("t", group)), "0", "1")
		}
		b.wantBodies(b.receive(b.reader("t", "new")), "0", "1") // all that is retained
	})
}

func TestMembersShareThePartitions(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 6)
		one, two, three := b.join("g", "t"), b.join("g", "t"), b.join("g", "t")
		synctest.Wait()
		count := make(map[oms.Partition]int)
		for _, m := range []*member{one, two, three} {
			if len(m.owned) != 2 {
				b.Errorf("a member has %v, want 2 of 6", m.owned)
			}
			for p := range m.owned {
				count[p]++
			}
		}
		if len(count) != 6 {
			b.Errorf("partitions have owners %v, want one each", count)
		}
		b.send(numbered("t", 12)...)
		for _, m := range []*member{one, two, three} {
			for _, msg := range b.receive(m) {
				if !m.owned[oms.Partition{Topic: "t", Number: msg.Partition}] {
					b.Errorf("a member got a message of partition %d, which is not its own", msg.Partition)
				}
			}
		}
	})
}

func TestARebalanceMovesNoMoreThanItMust(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 4)
		one := b.join("g", "t")
		b.wantEvents(one, "+[t/0 t/1 t/2 t/3]")
		two := b.join("g", "t")
		b.wantEvents(one, "-[t/2 t/3]")
		b.wantEvents(two, "+[t/2 t/3]")
		three := b.join("g", "t")
		b.wantEvents(one)
		b.wantEvents(two, "-[t/3]")
		b.wantEvents(three, "+[t/3]")
		b.noError(two.Close(b.Context()))
		b.wantEvents(one)
		b.wantEvents(two) // who leaves knows it
		b.wantEvents(three, "+[t/2]")
	})
}

func TestMembersMayReadDifferentTopics(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.topic("u", 2)
		one, two := b.join("g", "t", "u", "t"), b.join("g", "u")
		b.wantEvents(one, "+[t/0 t/1 u/0 u/1]", "-[u/0 u/1]")
		b.wantEvents(two, "+[u/0 u/1]")
	})
}

func TestARevokedPartitionIsSettledBeforeTheNextOwnerReads(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(in(1, text("t", "a")), in(1, text("t", "b")))
		var one *member
		var held []*oms.Message
		settle := make(chan struct{})
		one = b.joinAs(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnRevoked: func(ctx context.Context, _ []oms.Partition) {
				<-settle
				b.noError(one.Ack(ctx, held[:1]))
				b.noError(one.Flush(ctx))
			},
		})
		held = b.receive(one)
		b.wantBodies(held, "a", "b")
		two := b.join("g", "t")
		b.wantEvents(two) // the first still settles
		b.send(in(1, text("t", "c")))
		b.wantBodies(b.receive(one)) // and gets nothing new
		close(settle)
		b.wantEvents(two, "+[t/1]")
		b.wantBodies(b.receive(two), "b", "c")
		b.wantError(one.Ack(b.Context(), held), oms.ErrStaleDelivery)
		b.wantLag("g", "t", 2)
	})
}

func TestAPartitionThatIsToMoveIsSilentAtOnce(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(in(0, text("t", "gone")), in(1, text("t", "b")))
		b.noError(b.groups().EnsureGroup(b.Context(), "g", []string{"t"}, oms.Start{}))
		b.driver.Trim(oms.Partition{Topic: "t"}, 1)
		goOn := make(chan struct{})
		one := b.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g", OnGap: func(oms.Gap) { <-goOn },
		})
		held := b.receive(one) // the first member is now busy with the gap
		b.wantBodies(held, "b")
		two := b.join("g", "t")
		b.send(in(1, text("t", "c")))
		b.wantBodies(b.receive(one))
		close(goOn)
		b.wantBodies(b.receive(two), "b", "c")
	})
}

func TestTheBrokerWaitsForOnRevokedOnlySoLong(t *testing.T) {
	bubble(t, mem.Options{RevokeTimeout: 10 * time.Second}, func(b *bench) {
		b.topic("t", 2)
		b.send(in(1, text("t", "a")))
		begun := time.Now()
		ended := make(chan struct{})
		one := b.joinAs(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnRevoked: func(ctx context.Context, _ []oms.Partition) {
				<-ctx.Done()
				<-ended
			},
		})
		held := b.receive(one)
		two := b.join("g", "t")
		msgs, err := two.Receive(b.Context(), 1)
		b.noError(err)
		b.wantBodies(msgs, "a")
		if took := time.Since(begun).Round(time.Second); took != 10*time.Second {
			b.Errorf("the partition moved after %v, want 10s", took)
		}
		b.wantError(one.Ack(b.Context(), held), oms.ErrStaleDelivery)
		close(ended)
	})
}

func TestClosingAReceiverEndsItsCallbacks(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		r := b.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(ctx context.Context, _ []oms.Partition) (map[oms.Partition]int64, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		synctest.Wait()
		b.noError(r.Close(b.Context()))
	})
}

func TestClosingAReceiverWaitsForACallbackAsLongAsItMay(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		goOn := make(chan struct{})
		r := b.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
				<-goOn
				return nil, nil
			},
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		b.wantError(r.Close(ctx), oms.ErrTimeout)
		close(goOn)
		b.noError(r.Close(b.Context()))
	})
}

func TestWhatAClosedMemberHeldGoesToTheNext(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 3)...)
		one, two := b.join("g", "t"), b.join("g", "t")
		held := b.receive(one)
		b.noError(one.Ack(b.Context(), held[:1]))
		b.wantBodies(b.receive(two))
		b.noError(one.Close(b.Context()))
		b.wantBodies(b.receive(two), "1", "2")
	})
}

func TestKilledMembersLoseNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		const n = 300
		b.topic("t", 3)
		b.send(numbered("t", n)...)
		acked := make(map[string]bool)
		for kill := 0; len(acked) < n; kill++ {
			if kill > n {
				b.Fatal("no progress")
			}
			r := b.receiver(oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", MaxUnacked: 20})
			msgs, err := b.poll(r, 20)
			b.noError(err)
			slices.SortFunc(msgs, func(a, b *oms.Message) int { return cmp.Compare(a.Offset, b.Offset) })
			for _, m := range msgs[:min(10, len(msgs))] {
				b.noError(r.Ack(b.Context(), []*oms.Message{m}))
				acked[string(m.Body)] = true
			}
			b.noError(r.Close(b.Context()))
		}
		b.wantLag("g", "t", 0)
	})
}

func TestAFailedOnAssignedIsToldAndTriedAgain(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		away := errors.New("positions are away")
		calls, begun := 0, time.Now()
		r := b.receiver(oms.ReceiverConfig{
			Topics: []string{"t"}, Group: "g",
			OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
				calls++
				if calls < 4 {
					return nil, away
				}
				return nil, nil
			},
		})
		for range 3 {
			_, err := r.Receive(b.Context(), 1)
			b.wantError(err, away)
		}
		msgs, err := r.Receive(b.Context(), 1)
		b.noError(err)
		b.wantBodies(msgs, "x")
		if took := time.Since(begun); took != 700*time.Millisecond {
			b.Errorf("took %v, want 100, 200 and 400 ms", took)
		}
	})
}
