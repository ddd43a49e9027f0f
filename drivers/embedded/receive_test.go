package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// folders are those of the open connections.
var folders sync.Map

func dirOf(t *testing.T, c oms.Conn) string {
	t.Helper()
	dir, _ := folders.Load(c)
	return dir.(string)
}

// openConn opens the driver itself, without the front.
func openConn(t *testing.T, accessPoint string) oms.Conn {
	t.Helper()
	ap, err := oms.ParseAccessPoint(accessPoint)
	if err != nil {
		t.Fatal(err)
	}
	c, err := embedded.Driver{External: ap.Driver == embedded.NATSName}.Open(testContext(t), ap)
	if err != nil {
		t.Fatal(err)
	}
	folders.Store(c, ap.Options["dir"])
	t.Cleanup(func() { closeClient(t, c); folders.Delete(c) })
	return c
}

// A member is a receiver and what its callbacks saw.
type member struct {
	oms.Receiver
	mu       sync.Mutex
	assigned map[oms.Partition]bool
	gaps     []oms.Gap
	changed  chan struct{}
	onRevoke func([]oms.Partition)
}

func openMember(t *testing.T, c oms.Conn, cfg oms.ReceiverConfig) *member {
	t.Helper()
	m := &member{assigned: map[oms.Partition]bool{}, changed: make(chan struct{}, 100)}
	note := func(ps []oms.Partition, yes bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, p := range ps {
			m.assigned[p] = yes
			if !yes {
				delete(m.assigned, p)
			}
		}
		m.changed <- struct{}{}
	}
	assigned := cfg.OnAssigned
	cfg.OnAssigned = func(ctx context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		note(ps, true)
		if assigned != nil {
			return assigned(ctx, ps)
		}
		return nil, nil
	}
	cfg.OnRevoked = func(_ context.Context, ps []oms.Partition) {
		if m.onRevoke != nil {
			m.onRevoke(ps)
		}
		note(ps, false)
	}
	cfg.OnGap = func(g oms.Gap) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.gaps = append(m.gaps, g)
	}
	r, err := c.OpenReceiver(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.Receiver = r
	t.Cleanup(func() { closeClient(t, r) })
	return m
}

func (m *member) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.assigned)
}

// await waits until the member has n partitions.
func (m *member) await(t *testing.T, n int) {
	t.Helper()
	ctx := testContext(t)
	for m.count() != n {
		select {
		case <-m.changed:
		case <-ctx.Done():
			t.Fatalf("the member has %d partitions, want %d", m.count(), n)
		}
	}
}

// get waits for n messages.
func (m *member) get(t *testing.T, n int) []*oms.Message {
	t.Helper()
	ctx := testContext(t)
	var msgs []*oms.Message
	for len(msgs) < n {
		more, err := m.Receive(ctx, n-len(msgs))
		if err != nil {
			t.Fatalf("received %d of %d messages, then: %v", len(msgs), n, err)
		}
		msgs = append(msgs, more...)
	}
	return msgs
}

func (m *member) none(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if msgs, err := m.Receive(ctx, 10); len(msgs) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("received %v, %v; want nothing", bodies(msgs), err)
	}
}

func setup(t *testing.T, partitions int, options ...string) (c oms.Conn, point string) {
	t.Helper()
	c = openConn(t, pointOf(t.TempDir(), options...))
	if err := c.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t", Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return c, "t"
}

func sendAll(t *testing.T, c oms.Conn, msgs []*oms.Message) {
	t.Helper()
	s, err := c.OpenSender(testContext(t), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeClient(t, s)
	outcome := make(chan error, 1)
	s.SendAsync(testContext(t), msgs, func(err error) { outcome <- err })
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
}

func group(name string) oms.ReceiverConfig {
	return oms.ReceiverConfig{Topics: []string{"t"}, Group: name}
}

func TestWhatIsNotAcknowledgedComesAgainInOrder(t *testing.T) {
	c, topic := setup(t, 1)
	sendAll(t, c, numbered(topic, 0, 30))
	a := openMember(t, c, group("g"))
	msgs := a.get(t, 20)
	// Every third is acknowledged; the rest, and what was fetched and not
	// handed out, is for the next member.
	var want []string
	for i, m := range msgs {
		if i%3 == 0 {
			if err := a.Ack(t.Context(), []*oms.Message{m, m}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want = append(want, string(m.Body))
	}
	closeClient(t, a)
	if err := a.Ack(t.Context(), msgs[1:2]); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("Ack after Close: %v, want ErrStaleDelivery", err)
	}
	if _, err := a.Receive(t.Context(), 1); !errors.Is(err, oms.ErrClosed) {
		t.Errorf("Receive after Close: %v, want ErrClosed", err)
	}
	for i := 20; i < 30; i++ {
		want = append(want, strconv.Itoa(i))
	}
	b := openMember(t, c, group("g"))
	if diff := cmp.Diff(want, bodies(b.get(t, len(want)))); diff != "" {
		t.Error(diff)
	}
	b.none(t, 50*time.Millisecond)
}

func TestANackedMessageComesBeforeLaterOnes(t *testing.T) {
	c, topic := setup(t, 1)
	sendAll(t, c, numbered(topic, 0, 10))
	m := openMember(t, c, group("g"))
	first := m.get(t, 5)
	nacker := m.Receiver.(oms.Nacker)
	if err := nacker.Nack(t.Context(), []*oms.Message{first[3], first[1]}); err != nil {
		t.Fatal(err)
	}
	if err := m.Ack(t.Context(), []*oms.Message{first[0]}); err != nil {
		t.Fatal(err)
	}
	rest := m.get(t, 7)
	if diff := cmp.Diff([]string{"1", "3", "5", "6", "7", "8", "9"}, bodies(rest)); diff != "" {
		t.Error(diff)
	}
	if rest[0].Deliveries != 2 || first[1].Deliveries != 1 {
		t.Errorf("deliveries %d, before %d", rest[0].Deliveries, first[1].Deliveries)
	}
	if err := nacker.Nack(t.Context(), first[:1]); err != nil {
		t.Errorf("Nack after Ack: %v, want nil", err)
	}
	m.none(t, 50*time.Millisecond)
}

func TestNoMoreIsTakenThanMayBeUnacknowledged(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 3)
	var msgs []*oms.Message
	for i := range 60 {
		p := i % 3
		msgs = append(msgs, &oms.Message{Topic: topic, ToPartition: &p, Body: make([]byte, 1000)})
	}
	sendAll(t, c, msgs)
	pending := func() (n int64) { // what the broker has handed to anybody
		admin := native(t, dirOf(t, c))
		js, err := admin.JetStream()
		if err != nil {
			t.Fatal(err)
		}
		for p := range 3 {
			if info, err := js.ConsumerInfo(fmt.Sprintf("t-%d", p), "g"); err == nil {
				n += int64(info.NumAckPending)
			}
		}
		admin.Close()
		return n
	}
	for name, cfg := range map[string]struct{ records, bytes, most int }{
		"one":        {1, 0, 1},
		"two":        {2, 0, 2},
		"ten":        {10, 0, 10},
		"bytes":      {1000, 6000, 6},
		"tiny bytes": {1000, 10, 3},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.(oms.GroupAdmin).DeleteGroup(testContext(t), "g", []string{topic}); err != nil {
				t.Fatal(err)
			}
			g := group("g")
			g.MaxUnacked, g.MaxUnackedBytes = cfg.records, cfg.bytes
			m := openMember(t, c, g)
			for got := 0; got < 60; {
				batch, err := m.Receive(testContext(t), 100)
				if err != nil {
					t.Fatalf("after %d messages: %v", got, err)
				}
				// An acknowledgement may stand in the broker's queue for a moment.
				deadline := time.Now().Add(bound / 2)
				for n := pending(); n > int64(cfg.most); n = pending() {
					if time.Now().After(deadline) {
						t.Fatalf("%d messages are unacknowledged, at most %d may be", n, cfg.most)
					}
				}
				got += len(batch)
				if err := m.Ack(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			closeClient(t, m)
		})
	}
}

func TestAPausedPartitionWaits(t *testing.T) {
	c, topic := setup(t, 2)
	m := openMember(t, c, group("g"))
	m.await(t, 2)
	ps := []oms.Partition{{Topic: topic, Number: 1}}
	pauser := m.Receiver.(oms.Pauser)
	ctx := testContext(t)
	for pauser.Pause(ctx, ps) != nil { // assigned a moment after OnAssigned
		if ctx.Err() != nil {
			t.Fatal("the partition cannot be paused")
		}
	}
	zero, one := 0, 1
	sendAll(t, c, []*oms.Message{{Topic: topic, ToPartition: &one, Body: []byte("1")}, {Topic: topic, ToPartition: &zero, Body: []byte("0")}})
	if got := bodies(m.get(t, 1)); got[0] != "0" {
		t.Errorf("got %v of the paused partition", got)
	}
	m.none(t, 100*time.Millisecond)
	if err := pauser.Resume(ctx, ps); err != nil {
		t.Fatal(err)
	}
	if got := bodies(m.get(t, 1)); got[0] != "1" {
		t.Errorf("got %v", got)
	}
	if err := pauser.Pause(ctx, []oms.Partition{{Topic: topic, Number: 7}}); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("pausing what is not assigned: %v, want ErrNotFound", err)
	}
}

func TestAReceiverSeeksAndStartsWhereItsUserSays(t *testing.T) {
	c, topic := setup(t, 1)
	sendAll(t, c, numbered(topic, 0, 10))
	at := oms.Partition{Topic: topic}
	m := openMember(t, c, group("g"))
	old := m.get(t, 10)
	if err := m.Ack(t.Context(), old[:5]); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	seeker := m.Receiver.(oms.Seeker)
	for _, first := range []int64{3, 10, 1} {
		if err := seeker.Seek(ctx, map[oms.Partition]int64{at: first}); err != nil {
			t.Fatal(err)
		}
		if got := m.get(t, 1)[0]; got.Offset != first {
			t.Errorf("offset %d comes after a seek to %d", got.Offset, first)
		}
	}
	if err := m.Ack(ctx, old[5:]); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("Ack of what was received before a seek: %v, want ErrStaleDelivery", err)
	}
	if err := seeker.Seek(ctx, map[oms.Partition]int64{{Topic: "other"}: 1}); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("seek elsewhere: %v, want ErrNotFound", err)
	}
	if err := seeker.Seek(ctx, map[oms.Partition]int64{at: -1}); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("seek to -1: %v, want ErrInvalid", err)
	}
	closeClient(t, m)
	for _, start := range []oms.StartFrom{oms.StartEarliest, oms.StartLatest} { // groups made in either way
		g := group(fmt.Sprint("h", start))
		g.Start.From = start
		if err := c.(oms.GroupAdmin).EnsureGroup(ctx, g.Group, g.Topics, g.Start); err != nil {
			t.Fatal(err)
		}
		g.OnAssigned = func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			return map[oms.Partition]int64{at: 7}, nil
		}
		n := openMember(t, c, g)
		if got := n.get(t, 1)[0]; got.Offset != 7 {
			t.Errorf("%v: offset %d comes first, want 7", start, got.Offset)
		}
	}
}

func TestAGapIsReported(t *testing.T) {
	c, topic := setup(t, 1)
	sendAll(t, c, numbered(topic, 0, 10))
	m := openMember(t, c, group("g"))
	if err := m.Ack(t.Context(), m.get(t, 10)); err != nil {
		t.Fatal(err)
	}
	closeClient(t, m)
	sendAll(t, c, numbered(topic, 10, 10))
	js, err := native(t, dirOf(t, c)).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 15; seq++ { // as retention does, from the head
		if err := js.DeleteMsg("t-0", seq); err != nil {
			t.Fatal(err)
		}
	}
	again := openMember(t, c, group("g"))
	if got := again.get(t, 1)[0]; got.Offset != 16 {
		t.Errorf("offset %d comes first, want 16", got.Offset)
	}
	again.mu.Lock()
	defer again.mu.Unlock()
	want := []oms.Gap{{Partition: oms.Partition{Topic: topic}, From: 11, To: 16}}
	if diff := cmp.Diff(want, again.gaps); diff != "" {
		t.Errorf("gaps: %s", diff)
	}
}
