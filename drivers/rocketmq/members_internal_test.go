package rocketmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestMembersShareAndHandOver(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c, d := wide(t, f), wide(t, f)
	first := c.watch(t, oms.ReceiverConfig{Topics: []string{"wide"}})
	until(t, "all partitions at the only member", first.holds(0, 1, 2, 3))
	fill(t, c, "wide", 4, 3)
	taken := make(map[oms.Partition][]string)
	take := func(r oms.Receiver, want int) {
		t.Helper()
		for n := 0; n < want; {
			msgs := next(t, r)
			for _, m := range msgs {
				taken[m.At()] = append(taken[m.At()], string(m.Body))
			}
			if err := r.Ack(t.Context(), msgs); err != nil {
				t.Fatal(err)
			}
			n += len(msgs)
		}
	}
	take(first, 12)
	second := d.watch(t, oms.ReceiverConfig{Topics: []string{"wide"}})
	until(t, "two partitions at each", func() bool { return first.count() == 2 && second.count() == 2 })
	fill(t, c, "wide", 4, 3)
	take(first, 6)
	take(second, 6)
	if err := second.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "all partitions back", first.holds(0, 1, 2, 3))
	fill(t, c, "wide", 4, 3)
	take(first, 12)
	for p, bodies := range taken {
		if diff := cmp.Diff([]string{"0", "1", "2", "0", "1", "2", "0", "1", "2"}, bodies); diff != "" {
			t.Errorf("partition %v, each message once and in order (-want +got):\n%s", p, diff)
		}
	}
}

// A member whose machine has died says nothing more, and its connection ends.
func TestAMemberThatGoesSilentIsReplaced(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c, d := wide(t, f), wide(t, f)
	first, second := c.watch(t, oms.ReceiverConfig{Topics: []string{"wide"}}), d.watch(t, oms.ReceiverConfig{Topics: []string{"wide"}})
	until(t, "two partitions at each", func() bool { return first.count() == 2 && second.count() == 2 })
	fill(t, d, "wide", 4, 1)
	stale := next(t, first)
	f.refuseWith(func(cmd *command) *command {
		var from struct{ ClientID string } // of a lock it is clientId, which is read as well
		if (cmd.Code == reqHeartbeat || cmd.Code == reqLock) && json.Unmarshal(cmd.body, &from) == nil && from.ClientID == first.name {
			return refusal(resError, "not of the dead")
		}
		return nil
	})
	f.mu.Lock()
	_ = f.members["g"][first.name].Close()
	f.mu.Unlock()
	until(t, "all partitions at the one that lives", second.holds(0, 1, 2, 3))
	until(t, "nothing at the other", first.holds())
	if err := first.Ack(t.Context(), stale); oms.CodeOf(err) != oms.ErrStaleDelivery {
		t.Errorf("what it had in hand: %v, want ErrStaleDelivery", err)
	}
	f.refuseWith(nil)
	until(t, "two partitions at each when it is back", func() bool { return first.count() == 2 && second.count() == 2 })
}

// seize gives the lock of a queue to somebody else, as brokers do whose locks
// have ended.
func (f *fake) seize(topic string, number int, holder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locks[fmt.Sprint("g", lockedQueue{Topic: topic, BrokerName: "fake-broker", QueueID: number})] = holder
}

func TestALockThatIsLostEndsItsPartition(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := wide(t, f)
	w := c.watch(t, oms.ReceiverConfig{Topics: []string{"wide"}})
	until(t, "all partitions", w.holds(0, 1, 2, 3))
	fill(t, c, "wide", 4, 1)
	var lost, kept []*oms.Message
	for len(lost)+len(kept) < 4 {
		for _, m := range next(t, w) {
			if m.Partition == 2 {
				lost = append(lost, m)
			} else {
				kept = append(kept, m)
			}
		}
	}
	f.seize("wide", 2, "somebody-else")
	w.renew(t.Context())
	signal(w.work)
	until(t, "the others alone", w.holds(0, 1, 3))
	if err := w.Ack(t.Context(), lost); oms.CodeOf(err) != oms.ErrStaleDelivery {
		t.Errorf("a message of the lost partition: %v, want ErrStaleDelivery", err)
	}
	if err := w.Ack(t.Context(), kept); err != nil {
		t.Errorf("messages of the others: %v", err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	f.seize("wide", 2, "")
	until(t, "the partition again", w.holds(0, 1, 2, 3))
	if again := next(t, w); len(again) != 1 || again[0].Partition != 2 || again[0].Offset != 0 {
		t.Errorf("after that %v comes, want the message that was not acknowledged", again)
	}
}

// A broker that refuses to renew locks has lost the member, or will not have
// it: all is given up before the locks end, and asked for anew.
func TestLocksThatAreNotRenewedAreGivenUp(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := wide(t, f)
	w := c.watch(t, oms.ReceiverConfig{Topics: []string{"wide"}})
	until(t, "all partitions", w.holds(0, 1, 2, 3))
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqLock {
			return refusal(resBusy, "[OVERLOAD]system busy")
		}
		return nil
	})
	w.renew(t.Context())
	signal(w.work)
	until(t, "none", w.holds())
	f.refuseWith(nil)
	until(t, "all partitions again", w.holds(0, 1, 2, 3))
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := slices.Sorted(slices.Values(w.revoked)); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("OnRevoked was told of %v", got)
	}
}

// A connection that breaks takes what stood on it along.
func TestConnectionsThatBreakAreMadeAgain(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := wide(t, f)
	w := c.watch(t, oms.ReceiverConfig{Topics: []string{"wide"}})
	for range 3 {
		until(t, "all partitions", w.holds(0, 1, 2, 3))
		w.mu.Lock()
		before := len(w.revoked)
		w.mu.Unlock()
		f.mu.Lock()
		_ = f.members["g"][w.name].Close()
		f.mu.Unlock()
		until(t, "the loss", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.revoked) == before+4
		})
	}
	until(t, "all partitions", w.holds(0, 1, 2, 3))
	fill(t, c, "wide", 4, 1)
	if msgs := next(t, w); len(msgs) == 0 {
		t.Error("nothing comes")
	}
}

func TestAnAssignmentThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := wide(t, f)
	asked := make(chan struct{}, 100)
	refuse := make(chan struct{})
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{
		Group: "g", Topics: []string{"wide"},
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			asked <- struct{}{}
			select {
			case <-refuse:
				return nil, nil
			default:
				return nil, errors.New("the store is away")
			}
		},
	})
	r = open(t, r, err)
	for range 2 {
		<-asked
	}
	close(refuse)
	fill(t, c, "wide", 4, 1)
	for n := 0; n < 4; {
		n += len(next(t, r))
	}
}

// The session may end while OnAssigned runs, or between that and the first
// message. Whoever was told of a partition is told that it is gone.
func TestALossInTheMiddleOfAnAssignmentIsTold(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := wide(t, f)
	var assigned, revoked atomic.Int32
	ready := make(chan *receiver, 1)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{
		Group: "g", Topics: []string{"wide"},
		OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
			if assigned.Add(int32(len(ps))) == 4 {
				for _, session := range (<-ready).peers.living() {
					session.drop(errors.New("of the test"))
				}
			}
			return nil, nil
		},
		OnRevoked: func(_ context.Context, ps []oms.Partition) { revoked.Add(int32(len(ps))) },
	})
	r = open(t, r, err)
	ready <- r.(*receiver)
	until(t, "all partitions again", func() bool { return assigned.Load() == 8 })
	if n := revoked.Load(); n != 4 {
		t.Errorf("OnRevoked was told of %d partitions, want 4", n)
	}
	fill(t, c, "wide", 4, 1)
	for n := 0; n < 4; {
		n += len(next(t, r))
	}
}
