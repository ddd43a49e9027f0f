package embedded_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// Two senders of one connection take turns on a partition, and the server
// refuses some of the first one's messages: that is nothing to the second.
func TestAFailureOfOneSenderIsNotAnothers(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	n.stop()
	n.options.MaxPayload = 200_000
	n.start()
	c := openConn(t, n.point("right", "?max.message.bytes=900000")) // more than the server takes
	if err := c.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	bad, good := openSender(t, c, oms.SenderConfig{}), openSender(t, c, oms.SenderConfig{})
	const rounds = 40
	var running sync.WaitGroup
	var mu sync.Mutex
	stored := 0 // of the first sender's
	for i := range rounds {
		size := 1
		if i%4 == 2 {
			size = 300_000
		}
		running.Add(2)
		bad.SendAsync(t.Context(), []*oms.Message{{Topic: "t", Key: []byte("bad"), Body: make([]byte, size)}}, func(err error) {
			defer running.Done()
			mu.Lock()
			defer mu.Unlock()
			switch code := oms.CodeOf(oms.FailureOf(err, 0)); {
			case err == nil:
				stored++
			case size > 1 && code != oms.ErrTooLarge && code != oms.ErrAborted, size == 1 && code != oms.ErrAborted:
				t.Errorf("message %d of the first sender: %v", i, err)
			}
		})
		good.SendAsync(t.Context(), []*oms.Message{{Topic: "t", Key: []byte("good"), Body: fmt.Append(nil, i)}}, func(err error) {
			defer running.Done()
			if err != nil {
				t.Errorf("message %d of the second sender: %v", i, err)
			}
		})
	}
	running.Wait()
	var second []string
	first := 0
	for _, m := range openMember(t, c, group("g")).get(t, rounds+stored) {
		if string(m.Key) == "good" {
			second = append(second, string(m.Body))
		} else {
			first++
		}
	}
	var want []string
	for i := range rounds {
		want = append(want, strconv.Itoa(i))
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("the second sender's messages: %s", diff)
	}
	if first != stored {
		t.Errorf("%d messages of the first sender are stored, %d were confirmed", first, stored)
	}
}

func TestWhatIsRemovedUnderAReceiverIsAGap(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		sendAll(t, at, spread(40, 2)) // twenty each
		g := group("g")
		g.MaxUnacked = 2
		m := openMember(t, at, g)
		held := m.get(t, 2)
		for p, before := range map[int]uint64{0: 11, 1: 21} { // one partly, the other wholly
			stream, err := at.js.Stream(testContext(t), fmt.Sprintf("t-%d", p))
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Purge(testContext(t), jetstream.WithPurgeSequence(before)); err != nil {
				t.Fatal(err)
			}
		}
		sendAll(t, at, []*oms.Message{in(1, 99)})
		missing := map[int]map[int64]bool{0: {}, 1: {}} // what was neither received nor told of
		for p, last := range map[int]int64{0: 20, 1: 21} {
			for offset := int64(1); offset <= last; offset++ {
				missing[p][offset] = true
			}
		}
		settle := func(msgs []*oms.Message) {
			for _, msg := range msgs {
				delete(missing[msg.Partition], msg.Offset)
			}
			if err := m.Ack(t.Context(), msgs); err != nil {
				t.Fatal(err)
			}
		}
		settle(held)
		ctx := testContext(t)
		for missing[0][20] || missing[1][21] { // the last of each
			msgs, err := m.Receive(ctx, 10)
			if err != nil {
				t.Fatal(err)
			}
			settle(msgs)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, gap := range m.gaps {
			for offset := gap.From; offset < gap.To; offset++ {
				delete(missing[gap.Partition.Number], offset)
			}
		}
		if len(missing[0])+len(missing[1]) > 0 {
			t.Errorf("passed over in silence: %v; gaps told: %v", missing, m.gaps)
		}
	})
}

func TestASessionThatIsLostIsAnotherGeneration(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	c := openConn(t, n.point("right", ""))
	if err := c.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered("t", 0, 3))
	m := openMember(t, c, group("g"))
	for round := range 3 {
		held := m.get(t, 3)
		for i, msg := range held {
			if string(msg.Body) != strconv.Itoa(i) || msg.Deliveries < round+1 {
				t.Errorf("round %d: message %d is %s, delivery %d", round, i, msg.Body, msg.Deliveries)
			}
		}
		n.cutAll(t)
		again := m.get(t, 1) // of the next session
		if err := m.Ack(t.Context(), held); !errors.Is(err, oms.ErrStaleDelivery) {
			t.Errorf("round %d: Ack of the lost session: %v, want ErrStaleDelivery", round, err)
		}
		if err := m.Receiver.(oms.Nacker).Nack(t.Context(), again); err != nil {
			t.Errorf("round %d: Nack: %v", round, err)
		}
	}
	msgs := m.get(t, 3)
	if err := m.Ack(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	if err := m.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	m.none(t, 100*time.Millisecond)
	wantLag(t, c, "g", 0)
}

func TestWhatIsSentWhileTheBrokerIsAwayIsStoredOnceItIsBack(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	c := openConn(t, n.point("right", ""))
	if err := c.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered("t", 0, 1)) // the topic is known from here on
	s := openSender(t, c, oms.SenderConfig{})
	send := func(m *oms.Message) error {
		outcome := make(chan error, 1)
		s.SendAsync(testContext(t), []*oms.Message{m}, func(err error) { outcome <- err })
		return oms.FailureOf(recv(t, "the outcome", outcome), 0)
	}
	n.stop()
	msgs := numbered("t", 1, 2)
	for range 3 { // nothing latches
		if err := send(msgs[0]); !oms.IsTemporary(err) && oms.CodeOf(err) != oms.ErrAborted {
			t.Errorf("sent while the broker is away: %v, want a temporary error", err)
		}
	}
	n.start()
	for _, m := range msgs {
		for err := send(m); err != nil; err = send(m) {
			if !oms.IsTemporary(err) && oms.CodeOf(err) != oms.ErrAborted {
				t.Fatalf("sent to a broker that comes back: %v", err)
			}
		}
	}
	m := openMember(t, c, group("g"))
	if diff := cmp.Diff([]string{"0", "1", "2"}, bodies(m.get(t, 3))); diff != "" {
		t.Error(diff)
	}
	m.none(t, 100*time.Millisecond)
}
