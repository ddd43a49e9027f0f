package kafka_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// A ledger notes what a member is told of its partitions.
type ledger struct {
	mu      sync.Mutex
	has     map[oms.Partition]bool
	revoked map[oms.Partition]int
	news    chan struct{} // closed when something has changed, and replaced
}

// member joins the group g with a ledger.
func member(t *testing.T, conn oms.Conn, topics ...string) (oms.Receiver, *ledger) {
	t.Helper()
	return memberOf(t, conn, "g", topics...)
}

// memberOf joins a group with a ledger.
func memberOf(t *testing.T, conn oms.Conn, group string, topics ...string) (oms.Receiver, *ledger) {
	t.Helper()
	l := &ledger{has: make(map[oms.Partition]bool), revoked: make(map[oms.Partition]int), news: make(chan struct{})}
	change := func(f func()) {
		l.mu.Lock()
		defer l.mu.Unlock()
		f()
		close(l.news)
		l.news = make(chan struct{})
	}
	return receiver(t, conn, oms.ReceiverConfig{
		Group: group, Topics: topics,
		OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
			change(func() {
				for _, p := range ps {
					l.has[p] = true
				}
			})
			return nil, nil
		},
		OnRevoked: func(_ context.Context, ps []oms.Partition) {
			change(func() {
				for _, p := range ps {
					delete(l.has, p)
					l.revoked[p]++
				}
			})
		},
	}), l
}

// await waits until the member has n partitions, and returns them.
func (l *ledger) await(t *testing.T, n int) []oms.Partition {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		l.mu.Lock()
		has, news := slices.Collect(maps.Keys(l.has)), l.news
		l.mu.Unlock()
		if len(has) == n {
			return has
		}
		select {
		case <-news:
		case <-ctx.Done():
			t.Fatalf("the member has the partitions %v, want %d of them", has, n)
		}
	}
}

func (l *ledger) timesRevoked() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.revoked {
		n += times
	}
	return n
}

func TestOnlyPartitionsThatMoveAreRevoked(t *testing.T) {
	t.Parallel()
	for protocol, want := range map[string]int{"cooperative": 2, "eager": 4} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic, more := c.topic(t, 4), "&rebalance.protocol="+protocol
			_, first := member(t, c.open(t, more), topic)
			first.await(t, 4)
			_, second := member(t, c.open(t, more), topic)
			second.await(t, 2)
			first.await(t, 2)
			if n := first.timesRevoked(); n != want {
				t.Errorf("%d partitions were revoked, want %d", n, want)
			}
		})
	}
}

func TestAMemberTakesWhatAnotherLeaves(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 4), c.open(t, "")
	r, first := member(t, c.open(t, ""), topic)
	_, second := member(t, c.open(t, ""), topic)
	first.await(t, 2)
	second.await(t, 2)
	var msgs []*oms.Message
	for i := range 8 {
		p := i % 4
		msgs = append(msgs, &oms.Message{Topic: topic, ToPartition: &p, Body: []byte(strconv.Itoa(i))})
	}
	if err := outcome(t, sender(t, conn), msgs...); err != nil {
		t.Fatal(err)
	}
	got, _ := get(t, r, 4)
	if err := errors.Join(r.Ack(t.Context(), got[:2]), r.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	second.await(t, 4)
	at, err := conn.(oms.GroupPositioner).Positions(t.Context(), "g", []string{topic})
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, offset := range at {
		sum += offset
	}
	// What was acknowledged in order has been committed by Close.
	if most := int64(2); sum > most {
		t.Errorf("the positions are %v, want at most %d messages left behind", at, most)
	}
}

func TestATopicThatComesLaterIsReceivedFromItsFirstMessage(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	conn := c.open(t, "")
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{"later"}, Start: oms.Start{From: oms.StartLatest}})
	if _, err := c.fake.WaitGroupStable(t.Context(), "g", 1); err != nil {
		t.Fatal(err)
	}
	if err := conn.(oms.TopicAdmin).CreateTopic(t.Context(), oms.TopicSpec{Name: "later", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	send(t, conn, "later", "a", "b")
	if _, got := get(t, r, 2); !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("received %q, want a and b", got)
	}
}

func TestAPartitionThatIsAddedIsReceivedFromItsFirstMessage(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	r, l := member(t, conn, topic)
	l.await(t, 1)
	admin, err := sarama.NewClusterAdmin([]string{c.addr()}, c.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(admin.CreatePartitions(topic, 3, nil, false), admin.Close()); err != nil {
		t.Fatal(err)
	}
	theirs := c.config() // which sees the partition at once
	theirs.Producer.Partitioner = sarama.NewManualPartitioner
	p, err := sarama.NewSyncProducer([]string{c.addr()}, theirs)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: 2, Value: sarama.StringEncoder("early")})
	if err := errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
	l.await(t, 3)
	if _, got := get(t, r, 1); !cmp.Equal(got, []string{"early"}) {
		t.Errorf("received %q, want early", got)
	}
}

func TestATopicThatIsMadeAnewBeginsAtItsFirstMessage(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a", "b", "c")
	r, l := member(t, conn, topic)
	msgs, _ := get(t, r, 3)
	if err := errors.Join(r.Ack(t.Context(), msgs), r.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := conn.(oms.TopicAdmin).DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	l.await(t, 0)
	if err := conn.(oms.TopicAdmin).CreateTopic(t.Context(), oms.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	send(t, conn, topic, "new")
	if _, got := get(t, r, 1); !cmp.Equal(got, []string{"new"}) {
		t.Errorf("received %q, want new", got)
	}
}

func TestWhatOnAssignedRefusesIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a", "b", "c")
	refused := &oms.Error{Op: "load", Driver: "store", Code: oms.ErrInvalid}
	calls := 0
	r := receiver(t, conn, oms.ReceiverConfig{
		Group: "g", Topics: []string{topic},
		OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
			calls++
			if calls == 1 {
				return nil, refused
			}
			return map[oms.Partition]int64{ps[0]: 1}, nil
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := r.Receive(ctx, 1); !errors.Is(err, refused.Code) {
		t.Errorf("receive: %v, want what OnAssigned said", err)
	}
	if _, got := get(t, r, 2); !cmp.Equal(got, []string{"b", "c"}) {
		t.Errorf("received %q, want b and c", got)
	}
}
