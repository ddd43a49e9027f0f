package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// keyed returns messages whose keys go to all of a few partitions.
func keyed(topic string, from, to, keys int) []*oms.Message {
	msgs := numbered(topic, from, to)
	for i, m := range msgs {
		m.Key = fmt.Append(nil, "key", (from+i)%keys)
	}
	return msgs
}

func TestMembersShareTheQueuesOfAGroup(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	const topic, group, keys, members = "shared.out", "sharing", 20, 3
	c := b.open(t, "")
	makeTopic(t, c, topic, 4)
	ensure(t, c, group, topic)
	s, crew, sent := sender(t, c), newCrew(t), 0
	send := func() {
		must(t, outcome(t, start(t, s, keyed(topic, sent, sent+keys, keys)...)))
		sent += keys
	}
	busy := func(first, last int) func() bool {
		return func() bool { send(); return crew.busy(first, last) }
	}
	var receivers []oms.Receiver
	for n := range members {
		// The first two have the connection of one gateway, the third another.
		of := c
		if n == 2 {
			of = b.open(t, "")
		}
		receivers = append(receivers, receiver(t, of, oms.ReceiverConfig{Topics: []string{topic}, Group: group}))
		crew.hire(n, keys, receivers[n])
		until(t, fmt.Sprintf("work for %d members", n+1), busy(0, n+1))
	}
	crew.forget()
	until(t, "work for all members still", busy(0, members))
	must(t, receivers[0].Close(within(t)))
	crew.forget()
	until(t, "work for those who stay", busy(1, members))
	until(t, "that nothing is left", func() bool { return crew.count() == sent })
	for _, r := range receivers[1:] {
		must(t, r.Close(within(t)))
	}
	crew.running.Wait()
	equal(t, "what is not in order", crew.disorder, []string(nil))
}

// A watch counts what a member is told.
type watch struct {
	mu                sync.Mutex
	assigned, revoked int
}

func (w *watch) counts() [2]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return [2]int{w.assigned, w.revoked}
}

func (w *watch) config(topic string, revoked func()) oms.ReceiverConfig {
	return oms.ReceiverConfig{
		Topics: []string{topic}, Group: "g",
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.assigned++
			return nil, nil
		},
		OnRevoked: func(context.Context, []oms.Partition) {
			revoked()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.revoked++
		},
	}
}

func TestWhatAMemberHoldsIsSettledOrGoesToTheNextOne(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	makeTopic(t, c, "t", 2)
	ensure(t, c, "g", "t")
	const n = 20
	must(t, outcome(t, start(t, sender(t, c), keyed("t", 0, n, n)...)))
	var first oms.Receiver
	var held, settled []*oms.Message
	var rest []string
	w, ready := new(watch), make(chan struct{})
	first = receiver(t, c, w.config("t", func() {
		<-ready
		if err := errors.Join(first.Ack(t.Context(), settled), first.Flush(t.Context())); err != nil {
			t.Errorf("acknowledge in OnRevoked: %v", err)
		}
	}))
	held = receive(t, first, n)
	for i, m := range held {
		if i%2 == 0 {
			settled = append(settled, m)
		} else {
			rest = append(rest, string(m.Body))
		}
	}
	second := receiver(t, open(t, f, ""), oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	early, end := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer end()
	if msgs, err := second.Receive(early, 1); err == nil {
		t.Errorf("message %s comes to the second member before the first has settled", msgs[0].Body)
	}
	close(ready)
	until(t, "giving up a part", func() bool { return w.counts() == [2]int{2, 1} })
	want(t, "a late acknowledgement", first.Ack(within(t), held[1:2]), oms.ErrStaleDelivery)
	// One that is slow to learn of the other takes everything at first, so a
	// message may come to both.
	var of [2][]string
	var all []string
	slices.Sort(rest)
	until(t, "that the rest has come, to both", func() bool {
		for i, r := range []oms.Receiver{first, second} {
			soon, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
			msgs, err := r.Receive(soon, n)
			end()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("member %d: %v", i, err)
			}
			of[i] = append(of[i], bodies(msgs)...)
		}
		all = slices.Concat(of[0], of[1])
		slices.Sort(all)
		all = slices.Compact(all)
		return len(all) >= len(rest) && len(of[0]) > 0 && len(of[1]) > 0
	})
	equal(t, "what comes again", all, rest)
}

// take has a member receive until it has so many, and acknowledge.
func take(t *testing.T, r oms.Receiver, n int) (got []string) {
	t.Helper()
	for len(got) < n {
		msgs := receive(t, r, 1)
		must(t, r.Ack(within(t), msgs))
		got = append(got, bodies(msgs)...)
	}
	return got
}

func TestAMemberThatCannotAskWhoIsThereTakesEverything(t *testing.T) {
	t.Parallel()
	for what, trouble := range map[string]func(*fake){
		"no room": func(f *fake) { f.withhold(true) },
		"an alternate exchange": func(f *fake) {
			f.with(func() {
				f.queues["all"] = &fakeQueue{name: "all"}
				f.bindings = append(f.bindings, fakeBinding{queue: "all", exchange: "oms.members", key: "#"})
			})
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			c := open(t, f, "")
			makeTopic(t, c, "t", 4)
			ensure(t, c, "g", "t")
			const n = 20
			must(t, outcome(t, start(t, sender(t, c), keyed("t", 0, n, n)...)))
			trouble(f)
			got := take(t, receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"}), n)
			slices.Sort(got)
			equal(t, "what comes", len(slices.Compact(got)), n)
		})
	}
}

func TestATopicIsSharedByThoseWhoReceiveIt(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	for _, topic := range []string{"both", "one"} {
		makeTopic(t, c, topic, 4)
		ensure(t, c, "g", topic)
	}
	const n = 20
	s := sender(t, c)
	all := receiver(t, c, oms.ReceiverConfig{Topics: []string{"both", "one"}, Group: "g"})
	part := receiver(t, open(t, f, ""), oms.ReceiverConfig{Topics: []string{"both"}, Group: "g"})
	i := 0
	until(t, "sharing", func() bool {
		must(t, outcome(t, start(t, s, keyed("both", i, i+n, n)...)))
		i += n
		soon, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer end()
		msgs, _ := part.Receive(soon, n) // none is for the next time
		return len(msgs) > 0
	})
	must(t, outcome(t, start(t, s, keyed("one", 0, n, n)...)))
	got := make(map[string]bool)
	for len(got) < n {
		msgs := receive(t, all, 1)
		// What was received before queues moved to the other member is stale.
		if err := all.Ack(within(t), msgs); !errors.Is(err, oms.ErrStaleDelivery) {
			must(t, err)
		}
		for _, m := range msgs {
			if m.Topic == "one" {
				got[string(m.Body)] = true
			}
		}
	}
}
