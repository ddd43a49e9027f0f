package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestMembersShareThePartitionsAndHandThemOver(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 8)
	const keys, rounds = 40, 50
	var msgs []*oms.Message
	for round := range rounds {
		for key := range keys {
			msgs = append(msgs, &oms.Message{Topic: topic, Key: []byte(strconv.Itoa(key)), Body: fmt.Append(nil, round)})
		}
	}
	sendAll(t, c, msgs[:keys*rounds/2])

	// seen is the latest round of each key: within a key they ascend, whoever
	// has it, because nothing is revoked before it is settled here.
	var mu sync.Mutex
	seen := make(map[string]int)
	total := 0
	ctx := testContext(t)
	consume := func(ctx context.Context, m *member) {
		for {
			batch, err := m.Receive(ctx, 20)
			if err != nil {
				return
			}
			mu.Lock()
			for _, msg := range batch { // one by one: a batch may be stale in part
				if err := m.Ack(ctx, []*oms.Message{msg}); err != nil {
					if !errors.Is(err, oms.ErrStaleDelivery) {
						t.Errorf("Ack: %v", err)
					}
					continue
				}
				round, _ := strconv.Atoi(string(msg.Body))
				if last, ok := seen[string(msg.Key)]; ok && round != last+1 {
					t.Errorf("key %s: round %d after %d", msg.Key, round, last)
				}
				seen[string(msg.Key)] = round
				total++
			}
			mu.Unlock()
		}
	}
	var running sync.WaitGroup
	start := func() *member {
		m := openMember(t, c, group("g"))
		running.Go(func() { consume(ctx, m) })
		return m
	}
	a := start()
	a.await(t, 8)
	b := start()
	b.await(t, 4)
	a.await(t, 4)
	sendAll(t, c, msgs[keys*rounds/2:keys*rounds*3/4])
	third := start()
	for a.count()+b.count()+third.count() != 8 || third.count() < 2 {
		select {
		case <-a.changed:
		case <-b.changed:
		case <-third.changed:
		case <-ctx.Done():
			t.Fatalf("the members have %d, %d and %d partitions", a.count(), b.count(), third.count())
		}
	}
	closeClient(t, a)
	sendAll(t, c, msgs[keys*rounds*3/4:])
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return total == keys*rounds
	}
	for !done() {
		if ctx.Err() != nil {
			t.Fatalf("%d of %d messages came", total, keys*rounds)
		}
		_ = b.Flush(ctx)
	}
	closeClient(t, b)
	closeClient(t, third)
	running.Wait()
	lag, err := c.(oms.LagReporter).Lag(ctx, "g", []string{topic})
	if err != nil || slices.Max(slices.Collect(maps.Values(lag))) != 0 {
		t.Errorf("lag %v, %v; want none", lag, err)
	}
}

func TestRevokedMessagesCanBeSettledUntilOnRevokedReturns(t *testing.T) {
	c, topic := setup(t, 2)
	var msgs []*oms.Message
	for i := range 20 {
		p := i % 2
		msgs = append(msgs, &oms.Message{Topic: topic, ToPartition: &p, Body: fmt.Append(nil, i)})
	}
	sendAll(t, c, msgs)
	a := openMember(t, c, group("g"))
	got := a.get(t, 20)
	a.onRevoke = func(ps []oms.Partition) { // the first ten of what goes are still acknowledged
		for _, m := range got {
			if m.Partition == ps[0].Number && m.Offset <= 5 {
				if err := a.Ack(t.Context(), []*oms.Message{m}); err != nil {
					t.Errorf("Ack in OnRevoked: %v", err)
				}
			}
		}
	}
	b := openMember(t, c, group("g"))
	again := b.get(t, 5)
	for i, m := range again {
		if m.Offset != int64(6+i) || m.Deliveries < 2 {
			t.Errorf("message %d has offset %d, delivery %d", i, m.Offset, m.Deliveries)
		}
	}
	b.none(t, 100*time.Millisecond)
	gone := again[0].Partition
	var stale, kept []*oms.Message
	for _, m := range got {
		if m.Partition == gone {
			stale = append(stale, m)
		} else {
			kept = append(kept, m)
		}
	}
	if err := a.Ack(t.Context(), append(stale, kept...)); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("acknowledging what went: %v, want ErrStaleDelivery", err)
	}
	if err := a.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	// The others of that call are noted all the same, and none of b's.
	lag, err := c.(oms.LagReporter).Lag(testContext(t), "g", []string{topic})
	want := map[oms.Partition]int64{{Topic: topic, Number: gone}: 5, {Topic: topic, Number: 1 - gone}: 0}
	if diff := cmp.Diff(want, lag); err != nil || diff != "" {
		t.Errorf("lag: %v %s", err, diff)
	}
}
